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
from experiments.evaluate import (
    accumulators,
    image_folder,
    pair_names,
    pairs_csv,
    protocol,
)
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
    generated_poses = _poses(config, "generated_annotations", "generated", pairs)
    size = image_folder.read("generated_dir", pairs[0].generated).shape[:2]
    inside = None
    if poses is not None:
        # As in training, those outside the image are missing.
        x, y, visible = np.moveaxis(poses, -1, 0)
        within = (visible > 0) & (x < size[1]) & (y < size[0])
        inside = np.where(within[..., None], poses, 0).astype(np.float32)
        count = int((poses - inside)[..., 2].sum())
        said = f"{count:,} keypoints outside their image count as missing"
        remarks += [said] * bool(count)
    numbers = accumulators.numbers(config, generated_poses)
    with contextlib.closing(numbers):
        # Before the work, not after it.
        workdir.mkdir(parents=True, exist_ok=True)
        batches = _batches(config, pairs, inside, size)
        accumulators.take(batches, [numbers], len(pairs), shown=config.progress)
    facts = protocol.Facts(
        image_size=f"{size[0]}x{size[1]}",
        resize="none: images of different sizes are refused",
        masks=_MASKS if poses is not None else {},
    )
    first, last = (
        [pair.generated.name, pair.target.name] for pair in (pairs[0], pairs[-1])
    )
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
    """Keypoints [N, 18, 3] of the images, "generated" or "target", from the path that a
    flag gives, if any."""
    path = getattr(config, flag)
    if not path:
        return None
    names = [getattr(pair, role).name for pair in pairs]
    if not pathlib.Path(path).exists():
        raise ValueError(f"--{flag}={path}: there is no such file or folder.")
    with errors.said_of(f"--{flag}"):
        known = keypoint_files.read(
            path, photos=names, min_confidence=config.min_confidence
        )
    # A method may have saved the photos in another format, or named them by pairs.
    photos = pair_names.Photos(known)
    found = [
        name if name in known else named.photo if (named := photos.find(name)) else ""
        for name in names
    ]
    missing = [name for name, photo in zip(names, found, strict=True) if not photo]
    if missing:
        raise ValueError(
            f"--{flag}={path} lacks {len(missing)} of {len(names)} images of "
            f"--{role}_dir: {errors.few(missing)}."
        )
    return np.stack([known[photo] for photo in found])


def _batches(
    config: Config,
    pairs: list[image_folder.Pair],
    poses: np.ndarray | None,
    size: tuple[int, int],
) -> Iterator[protocol.Batch]:
    """Reads the pairs, and scores their pixels."""
    mesh = sharding.data_mesh()
    pixel_scores = protocol.pixel_scores()
    roles, whose = ("generated", "target"), "the first image of --generated_dir"
    for first in range(0, len(pairs), config.batch_size):
        here = pairs[first : first + config.batch_size]
        batch = {}
        for role in roles:
            paths = [getattr(pair, role) for pair in here]
            batch[role] = image_folder.stack(f"{role}_dir", paths, size, whose)
        if poses is not None:
            batch["keypoints"] = poses[first : first + len(here)]
        padding = config.batch_size - len(here)
        batch = {n: np.concatenate([x, *[x[-1:]] * padding]) for n, x in batch.items()}
        on_devices = sharding.put_batch(batch, mesh)
        bodies = {suite.TARGET: on_devices["keypoints"]} if poses is not None else {}
        scores = pixel_scores(
            {KIND: on_devices["generated"]}, on_devices["target"], bodies
        )
        yield protocol.Batch(
            # Which photo a method began with, its file may tell.
            names=[(pair.source, pair.target.name) for pair in here],
            images={KIND: batch["generated"]},
            target=batch["target"],
            keypoints=batch.get("keypoints"),
            pixel_scores=jax.device_get(scores),
        )
