"""--mode=evaluate --generated_dir: scores any method's images with the same code."""

import collections
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import tqdm

from data_prep import annotations, photos
from experiments import inception_scores, results, scoring
from experiments.config import Config
from pg2_jax import checkpoint, pose, sharding
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


class _Pair(NamedTuple):
    """Two files that belong together."""

    generated: pathlib.Path
    target: pathlib.Path


def evaluate(config: Config) -> None:
    """Scores two folders and prints a table; see `score`."""
    content = score(config)
    title = (
        f"{content['generated_dir']}, {content['pairs']:,} pairs of "
        f"{content['image_size']}: mean (standard deviation)"
    )
    scoring.show(title, content["metrics"], content["not_computed"], content["remarks"])
    print(f"Wrote {pathlib.Path(config.workdir) / 'metrics.json'}")


def score(config: Config) -> dict[str, Any]:
    """Scores the images of --generated_dir; writes metrics.json into the workdir.

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
    if checkpoint.folder(config.workdir).exists():
        raise ValueError(
            f"--workdir={config.workdir} holds a run, whose metrics.json would be "
            "overwritten; choose another folder."
        )
    sharding.check_batch_size(config.batch_size)
    remarks: list[str] = []
    pairs = _matched(
        _images("generated_dir", config.generated_dir, remarks),
        _images("target_dir", config.target_dir, remarks),
        config,
    )
    poses = _poses(config, [pair.target for pair in pairs])
    sets = inception_scores.Collector(inception_scores.load(config.inception))
    # Before the work, not after it.
    workdir.mkdir(parents=True, exist_ok=True)
    scores, size, outside = _score(config, pairs, poses, sets)
    if outside:
        remarks.append(f"{outside:,} keypoints outside their image count as missing")
    masks = _MASKS if poses is not None else {}
    content = _content(config, pairs, scores, size, masks, sets)
    content["remarks"] = [_said_match(content), *remarks]
    results.write_json(workdir / "metrics.json", content)
    return content


def _content(
    config: Config,
    pairs: list[_Pair],
    scores: dict[str, np.ndarray],
    size: tuple[int, int],
    masks: dict[str, str],
    sets: inception_scores.Collector,
) -> dict[str, Any]:
    """What metrics.json holds, but for the remarks."""
    image_size = f"{size[0]}x{size[1]}"
    return {
        "pairs": len(pairs),
        "image_size": image_size,
        "generated_dir": config.generated_dir,
        "target_dir": config.target_dir,
        "annotations": config.annotations,
        "match": f"{config.match}: {_MATCHING[config.match]}",
        "first_pair": [path.name for path in pairs[0]],
        "last_pair": [path.name for path in pairs[-1]],
        "interval": scoring.INTERVAL,
        "definitions": scoring.DEFINITIONS,
        "not_computed": scoring.not_computed(
            size, frozenset(masks), sets.not_computed()
        ),
        "metrics": scoring.joined_records(
            scoring.records(
                {KIND: scores},
                image_size=image_size,
                resize="none: images of different sizes are refused",
                masks=masks,
            ),
            sets.records(image_size=image_size, masks=masks),
        ),
        **results.provenance(),
    }


def _said_match(content: dict[str, Any]) -> str:
    first, last = (" and ".join(content[f"{end}_pair"]) for end in ("first", "last"))
    return f"matched by {content['match']}; first {first}, last {last}"


def _images(flag: str, folder: str, remarks: list[str]) -> list[pathlib.Path]:
    """The images of a folder, sorted by name; what else lies there is remarked."""
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise ValueError(f"--{flag}={folder}: there is no such folder.")
    found = sorted(path.iterdir(), key=lambda entry: entry.name)
    images = [f for f in found if f.is_file() and f.suffix.lower() in photos.SUFFIXES]
    if not images:
        raise ValueError(
            f"--{flag}={folder} holds no images ({', '.join(photos.SUFFIXES)})."
        )
    chosen = set(images)
    others = [entry.name for entry in found if entry not in chosen]
    if others:
        count = f" ({len(others)} in all)" if len(others) > 3 else ""
        remarks.append(f"--{flag}: no images and not scored: {_few(others)}{count}")
    return images


def _matched(
    generated: list[pathlib.Path], target: list[pathlib.Path], config: Config
) -> list[_Pair]:
    folders = (
        f"--generated_dir={config.generated_dir}, --target_dir={config.target_dir}"
    )
    if config.match == "name":
        by_name = _by_stem("generated_dir", generated)
        targets = _by_stem("target_dir", target)
        for flag, names, others in (
            ("target_dir", by_name, targets),
            ("generated_dir", targets, by_name),
        ):
            lone = [path.name for stem, path in names.items() if stem not in others]
            if lone:
                raise ValueError(
                    f"{folders}: {len(lone)} of {len(names)} files have none of the "
                    f"same name in --{flag}: {_few(lone)}. --match=order matches "
                    "sorted files instead."
                )
        return [_Pair(path, targets[stem]) for stem, path in by_name.items()]
    if len(generated) != len(target):
        raise ValueError(
            f"{folders}: {len(generated)} and {len(target)} images; --match=order "
            "needs equal numbers."
        )
    return [_Pair(*pair) for pair in zip(generated, target, strict=True)]


def _by_stem(flag: str, paths: list[pathlib.Path]) -> dict[str, pathlib.Path]:
    found: dict[str, pathlib.Path] = {}
    for path in paths:
        if path.stem in found:
            raise ValueError(
                f"--{flag}={path.parent}: {found[path.stem].name} and {path.name} "
                "have one name; --match=name cannot tell them apart."
            )
        found[path.stem] = path
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _poses(config: Config, targets: list[pathlib.Path]) -> list[np.ndarray] | None:
    """Keypoints [18, 3] of each target, None without --annotations."""
    if not config.annotations:
        return None
    if not pathlib.Path(config.annotations).exists():
        raise ValueError(
            f"--annotations={config.annotations}: there is no such file or folder."
        )
    try:
        names = [path.name for path in targets]
        known = annotations.read(config.annotations, photos=names)
    except ValueError as error:
        raise ValueError(f"--annotations: {error}") from error
    # A method may have saved the photos in another format; a name that two poses share
    # without folder and suffix stays unknown.
    stems = [pathlib.PurePath(name).stem for name in known]
    once = {stem for stem, times in collections.Counter(stems).items() if times == 1}
    by_stem = {s: p for s, p in zip(stems, known.values(), strict=True) if s in once}
    found = [known.get(path.name, by_stem.get(path.stem)) for path in targets]
    missing = [p.name for p, pose in zip(targets, found, strict=True) if pose is None]
    if missing:
        raise ValueError(
            f"--annotations={config.annotations} lacks {len(missing)} of "
            f"{len(targets)} images of --target_dir: {_few(missing)}."
        )
    return [pose for pose in found if pose is not None]


def _score(
    config: Config,
    pairs: list[_Pair],
    poses: list[np.ndarray] | None,
    sets: inception_scores.Collector,
) -> tuple[dict[str, np.ndarray], tuple[int, int], int]:
    """[N] scores by metric, the size of the images, keypoints outside them."""
    mesh = sharding.data_mesh()
    split = sharding.batched(mesh)
    score_batch = jax.jit(_score_batch, in_shardings=split, out_shardings=split)
    size = _read("generated_dir", pairs[0].generated).shape[:2]
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
            sets.add(
                {KIND: padded["generated"]},
                padded["target"],
                padded.get("keypoints"),
                count,
            )
            parts.append({name: x[:count] for name, x in found.items()})
            bar.update(count)
    outside = sum(int(pose[:, 2].sum()) for pose in poses or ())
    outside -= sum(int(pose[:, 2].sum()) for pose in inside)
    return scoring.joined(parts), size, outside


def _batch(
    pairs: list[_Pair], keypoints: list[np.ndarray], size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Both images of some pairs, and the keypoints where there are any."""
    batch = {
        "generated": _stack("generated_dir", [pair.generated for pair in pairs], size),
        "target": _stack("target_dir", [pair.target for pair in pairs], size),
    }
    return {**batch, "keypoints": np.stack(keypoints)} if keypoints else batch


def _score_batch(batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
    target, masks = batch["target"], {}
    if "keypoints" in batch:
        size = target.shape[1:3]
        masks[suite.TARGET] = pose.body_mask(batch["keypoints"], *size)
    return suite.compute(batch["generated"], target, masks)


def _stack(flag: str, paths: list[pathlib.Path], size: tuple[int, int]) -> np.ndarray:
    images = []
    for path in paths:
        image = _read(flag, path)
        if image.shape[:2] != size:
            raise ValueError(
                f"--{flag}: {path} is {image.shape[0]}x{image.shape[1]}, the first "
                f"image of --generated_dir {size[0]}x{size[1]} (height x width); all "
                "must have one size."
            )
        images.append(image)
    return np.stack(images)


def _read(flag: str, path: pathlib.Path) -> np.ndarray:
    """The image as uint8 [H, W, 3]."""
    try:
        return np.asarray(photos.load(path).image)
    except (ValueError, OSError) as error:
        raise ValueError(f"--{flag}: {error}") from error


def _inside(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The keypoints, those outside the image missing, as in training."""
    x, y, visible = keypoints.T
    inside = (visible > 0) & (x < size[1]) & (y < size[0])
    return np.where(inside[:, None], keypoints, 0).astype(np.float32)
