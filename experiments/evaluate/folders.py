"""--mode=evaluate --generated_dir: scores any method's images with the same code."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from data_prep import command_line
from experiments import results
from experiments.config import Config
from experiments.evaluate import accumulators, image_folder, pairs_csv, protocol
from experiments.evaluate.pair_names import Photos
from pg2_jax import errors, sharding
from pg2_jax.checkpoint import run_folder
from pg2_jax.keypoints import keypoint_files
from pg2_jax.metrics import suite

KIND = "generated"
_MASKS = {
    suite.TARGET: "body mask of the pose that --annotations has for the target, radius "
    "4 with 5x5 closing"
}
_MATCHING = {
    "name": "files of one name, whatever their suffix, or SOURCE__TARGET and TARGET",
    "order": "the first file of both folders, the second, and so on, sorted by name",
}


def score(config: Config) -> dict[str, Any]:
    """Scores the images of --generated_dir; writes metrics.json and pairs.csv into the
    workdir, and returns the content of metrics.json."""
    workdir = pathlib.Path(config.workdir)
    command_line.check_folder("--workdir", workdir, empty=False)
    if run_folder.folder(config.workdir).exists():
        raise ValueError(
            f"--workdir={config.workdir} holds a run, whose metrics.json would be "
            "overwritten; choose another folder."
        )
    sharding.check_batch_size(config.batch_size)
    remarks: list[str] = []
    pairs = image_folder.pairs(config, remarks)
    if config.match == "order":
        # What a reader can check before the work: the first pairs, and warnings.
        first = [f"{x.generated.name} with {x.target.name}" for x in pairs[:3]]
        print(f"--match=order scores {', '.join(first)}{', ...' if pairs[3:] else ''}")
        for line in remarks:
            if line.startswith("WARNING"):
                print(line, flush=True)
    poses = _poses(config, "annotations", "target", pairs)
    drawn = _poses(config, "generated_annotations", "generated", pairs)
    size = image_folder.read("generated_dir", pairs[0].generated).shape[:2]
    if poses is not None:
        # As in training, those outside the image are missing.
        visible = poses[..., 2] > 0
        within = visible & (poses[..., :2] < size[::-1]).all(axis=-1)
        poses = np.where(within[..., None], poses, 0).astype(np.float32)
        if count := visible.sum() - within.sum():
            remarks.append(f"{count:,} keypoints outside their image count as missing")
    with contextlib.closing(accumulators.numbers(config)) as numbers:
        # Before the work, not after it.
        workdir.mkdir(parents=True, exist_ok=True)
        keypoints = {"target": poses, "generated": drawn}
        batches = _batches(config, pairs, keypoints, size)
        accumulators.take(batches, [numbers.add], len(pairs), shown=config.progress)
    facts = protocol.Facts(
        image_size=f"{size[0]}x{size[1]}",
        resize="none: images of different sizes are refused",
        masks=_MASKS if poses is not None else {},
    )
    first, last = ([x.generated.name, x.target.name] for x in (pairs[0], pairs[-1]))
    match = f"{config.match}: {_MATCHING[config.match]}"
    ends = f"first {' and '.join(first)}, last {' and '.join(last)}"
    flags = ("generated_dir", "target_dir", "annotations", "generated_annotations")
    content = {
        "pairs": len(pairs),
        "image_size": facts.image_size,
        **{flag: getattr(config, flag) for flag in flags},
        "match": match,
        "first_pair": first,
        "last_pair": last,
        **numbers.content(facts),
        **results.provenance(),
        "remarks": [f"matched by {match}; {ends}", *remarks],
    }
    pairs_csv.write(workdir / pairs_csv.FILE, numbers.names, numbers.scores())
    results.write_json(workdir / "metrics.json", content)
    return content


def _poses(
    config: Config, flag: str, role: str, pairs: Sequence[image_folder.Pair]
) -> np.ndarray | None:
    """Keypoints [N, 18, 3] of the images of a role, from the path of a flag, if any."""
    path = getattr(config, flag)
    if not path:
        return None
    if not pathlib.Path(path).exists():
        raise ValueError(f"--{flag}={path}: there is no such file or folder.")
    names = [getattr(pair, role).name for pair in pairs]
    least = config.min_confidence
    with errors.said_of(f"--{flag}"):
        known = keypoint_files.read(path, photos=names, min_confidence=least)
    # A method may have saved the photos in another format, or named them by pairs.
    photos = Photos(known)
    found = [photos.find(name) for name in names]
    missing = [name for name, one in zip(names, found, strict=True) if not one]
    if missing:
        raise ValueError(
            f"--{flag}={path} lacks {len(missing)} of {len(names)} images of "
            f"--{role}_dir: {errors.few(missing)}."
        )
    return np.stack([known[one.photo] for one in found if one])


def _batches(
    config: Config,
    pairs: list[image_folder.Pair],
    poses: dict[str, np.ndarray | None],
    size: tuple[int, int],
) -> Iterator[protocol.Batch]:
    """Reads the pairs, and scores their pixels; `poses` are [N, 18, 3] of the "target"
    and "generated" images, where they are known."""
    mesh = sharding.data_mesh()
    whose = "the first image of --generated_dir"

    def padded(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows, *[rows[-1:]] * (config.batch_size - len(rows))])

    for first in range(0, len(pairs), config.batch_size):
        rows = slice(first, first + config.batch_size)
        images, keypoints = {}, {}
        for role, points in poses.items():
            paths = [getattr(pair, role) for pair in pairs[rows]]
            images[role] = padded(image_folder.stack(f"{role}_dir", paths, size, whose))
            keypoints[role] = None if points is None else padded(points[rows])
        bodies = {} if poses["target"] is None else {suite.TARGET: keypoints["target"]}
        given, bodies = sharding.put_batch((images, bodies), mesh)
        kinds = {KIND: given["generated"]}
        scores = protocol.pixel_scores(kinds, given["target"], bodies)
        yield protocol.Batch(
            # Which photo a method began with, its file may tell.
            names=[(pair.source, pair.target.name) for pair in pairs[rows]],
            images={KIND: images["generated"]},
            target=images["target"],
            keypoints=keypoints["target"],
            pixel_scores=jax.device_get(scores),
            generated_keypoints=keypoints["generated"],
        )
