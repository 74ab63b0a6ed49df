"""--mode=evaluate --generated_dir: scores any method's images with the same code."""

import collections
import contextlib
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import tqdm

from experiments import results
from experiments.config import Config
from experiments.evaluate import image_folder, image_pairs, pairs_csv, statistics
from experiments.evaluate.accumulators import Collectors
from experiments.evaluate.fid_reference import DataSet
from pg2_jax import pose, sharding
from pg2_jax.checkpoint import restore
from pg2_jax.keypoints import keypoint_files
from pg2_jax.metrics import suite

KIND = "generated"
_MASKS = {
    suite.TARGET: "body mask of the pose that --annotations has for the target, radius "
    "4 with 5x5 closing"
}
_MATCHING = {
    "name": "files of one name, whatever their suffix",
    "order": "the first file of both folders, the second, and so on, sorted by name",
}


def evaluate(config: Config) -> None:
    """Scores two folders and prints a table; see `score`."""
    content = score(config)
    title = (
        f"{content['generated_dir']}, {content['pairs']:,} pairs of "
        f"{content['image_size']}: mean (standard deviation)"
    )
    statistics.show(
        title, content["metrics"], content["not_computed"], content["remarks"]
    )
    workdir = pathlib.Path(config.workdir)
    print(f"Wrote {workdir / 'metrics.json'} and {workdir / pairs_csv.FILE}")


def score(config: Config) -> dict[str, Any]:
    """Scores the images of --generated_dir; writes metrics.json and pairs.csv into the
    workdir.

    Args:
        config: names the folders, how files match and, for the masked metrics, the
            annotations of the targets.

    Returns:
        The content of metrics.json.

    Raises:
        ValueError: folders that do not match, images that cannot be read or differ in
            size, targets without annotation; names flag and file.
    """
    workdir = pathlib.Path(config.workdir)
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"--workdir={config.workdir} is not a folder.")
    if restore.folder(config.workdir).exists():
        raise ValueError(
            f"--workdir={config.workdir} holds a run, whose metrics.json would be "
            "overwritten; choose another folder."
        )
    sharding.check_batch_size(config.batch_size)
    remarks: list[str] = []
    pairs = image_pairs.read(config, remarks)
    names = [pair.target.name for pair in pairs]
    poses = _poses("annotations", config.annotations, "target_dir", names)
    generated_names = [pair.generated.name for pair in pairs]
    generated_poses = _poses(
        "generated_annotations",
        config.generated_annotations,
        "generated_dir",
        generated_names,
    )
    with contextlib.closing(
        Collectors(config, _open_data, generated_poses)
    ) as collectors:
        # Before the work, not after it.
        workdir.mkdir(parents=True, exist_ok=True)
        of_pixels, size, outside = _score(config, pairs, poses, collectors)
    scores = collectors.merged({KIND: of_pixels})
    if outside:
        remarks.append(f"{outside:,} keypoints outside their image count as missing")
    masks = _MASKS if poses is not None else {}
    content = _content(config, pairs, scores, size, masks, collectors)
    content["remarks"] = [_said_match(content), *remarks]
    # Which photo a method began with, a folder of its images does not tell.
    pairs_csv.write(workdir / pairs_csv.FILE, [("", n) for n in names], scores)
    results.write_json(workdir / "metrics.json", content)
    return content


def _content(
    config: Config,
    pairs: list[image_pairs.Pair],
    scores: statistics.Scores,
    size: tuple[int, int],
    masks: dict[str, str],
    collectors: Collectors,
) -> dict[str, Any]:
    """What metrics.json holds, but for the remarks."""
    image_size = f"{size[0]}x{size[1]}"
    return {
        "pairs": len(pairs),
        "image_size": image_size,
        "generated_dir": config.generated_dir,
        "target_dir": config.target_dir,
        "annotations": config.annotations,
        "generated_annotations": config.generated_annotations,
        "match": f"{config.match}: {_MATCHING[config.match]}",
        "first_pair": [path.name for path in pairs[0]],
        "last_pair": [path.name for path in pairs[-1]],
        "interval": statistics.INTERVAL,
        "definitions": statistics.DEFINITIONS,
        "not_computed": statistics.not_computed(
            size, frozenset(masks), collectors.not_computed()
        ),
        "metrics": collectors.records(
            scores,
            image_size=image_size,
            resize="none: images of different sizes are refused",
            masks=masks,
        ),
        **results.provenance(),
    }


def _said_match(content: dict[str, Any]) -> str:
    first, last = (" and ".join(content[f"{end}_pair"]) for end in ("first", "last"))
    return f"matched by {content['match']}; first {first}, last {last}"


def _poses(
    flag: str, path: str, images_flag: str, names: Sequence[str]
) -> list[np.ndarray] | None:
    """Keypoints [18, 3] of each image, None without a path.

    Args:
        flag: that gives the path.
        path: of the annotations.
        images_flag: that names the folder of the images.
        names: of the images.
    """
    if not path:
        return None
    if not pathlib.Path(path).exists():
        raise ValueError(f"--{flag}={path}: there is no such file or folder.")
    try:
        known = keypoint_files.read(path, photos=names)
    except ValueError as error:
        raise ValueError(f"--{flag}: {error}") from error
    # A method may have saved the photos in another format; a name that two poses share
    # without folder and suffix stays unknown.
    stems = [pathlib.PurePath(name).stem for name in known]
    once = {stem for stem, times in collections.Counter(stems).items() if times == 1}
    by_stem = {s: p for s, p in zip(stems, known.values(), strict=True) if s in once}
    found = [known.get(n, by_stem.get(pathlib.PurePath(n).stem)) for n in names]
    missing = [n for n, pose in zip(names, found, strict=True) if pose is None]
    if missing:
        raise ValueError(
            f"--{flag}={path} lacks {len(missing)} of {len(names)} images of "
            f"--{images_flag}: {image_folder.few(missing)}."
        )
    return [pose for pose in found if pose is not None]


def _open_data(folder: str) -> DataSet:
    # tensorflow, which nothing else here needs.
    from pg2_jax.input_pipeline import pair_reader

    return pair_reader.PairDataset(folder)


def _score(
    config: Config,
    pairs: list[image_pairs.Pair],
    poses: list[np.ndarray] | None,
    collectors: Collectors,
) -> tuple[dict[str, np.ndarray], tuple[int, int], int]:
    """[N] scores by metric, the size of the images, keypoints outside them."""
    mesh = sharding.data_mesh()
    split = sharding.batched(mesh)
    score_batch = jax.jit(_score_batch, in_shardings=split, out_shardings=split)
    size = image_folder.read("generated_dir", pairs[0].generated).shape[:2]
    inside = [_inside(keypoints, size) for keypoints in poses or ()]
    parts = []
    with tqdm.tqdm(
        total=len(pairs), unit="pair", disable=None if config.progress else True
    ) as bar:
        for first in range(0, len(pairs), config.batch_size):
            here = slice(first, first + config.batch_size)
            batch = _batch(pairs[here], inside[here], size)
            count = len(batch["target"])
            padding = config.batch_size - count
            padded = {
                name: np.concatenate([x, *[x[-1:]] * padding])
                for name, x in batch.items()
            }
            found = jax.device_get(score_batch(sharding.put_batch(padded, mesh)))
            collectors.add(
                {KIND: padded["generated"]},
                padded["target"],
                padded.get("keypoints"),
                count,
            )
            parts.append({name: x[:count] for name, x in found.items()})
            bar.update(count)
    outside = sum(int(pose[:, 2].sum()) for pose in poses or ())
    outside -= sum(int(pose[:, 2].sum()) for pose in inside)
    return statistics.joined(parts), size, outside


def _batch(
    pairs: list[image_pairs.Pair], keypoints: list[np.ndarray], size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Both images of some pairs, and the keypoints where there are any."""
    whose = "the first image of --generated_dir"
    batch = {
        role: image_folder.stack(
            f"{role}_dir", [getattr(pair, role) for pair in pairs], size, whose
        )
        for role in ("generated", "target")
    }
    return {**batch, "keypoints": np.stack(keypoints)} if keypoints else batch


def _score_batch(batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
    target, masks = batch["target"], {}
    if "keypoints" in batch:
        size = target.shape[1:3]
        masks[suite.TARGET] = pose.body_mask(batch["keypoints"], *size)
    return suite.compute(batch["generated"], target, masks)


def _inside(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The keypoints, those outside the image missing, as in training."""
    x, y, visible = keypoints.T
    inside = (visible > 0) & (x < size[1]) & (y < size[0])
    return np.where(inside[:, None], keypoints, 0).astype(np.float32)
