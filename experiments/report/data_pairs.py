"""Test pairs: what their data set knows of them, and what runs made of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.config import Config
from experiments.evaluate import folders, image_folder, pair_names
from experiments.report.evaluated_run import Run
from pg2_jax import pose
from pg2_jax.inference import pose_transfer
from pg2_jax.input_pipeline import pair_reader

POSE_DIFFERENCE = (
    "The pose difference is the mean distance of the joints that both poses show. Both "
    "poses are centred at the middle of the shoulders and measured in lengths of their "
    "own torso (from there to the middle of the hips), so place and size of the person "
    "do not count. It needs both shoulders and both hips in both poses."
)
_SHOULDERS = [pose.JOINTS.index(f"{side}_shoulder") for side in ("right", "left")]
_HIPS = [pose.JOINTS.index(f"{side}_hip") for side in ("right", "left")]
# [H, W, 3] uint8 by `pair_names.key` and kind.
Images = dict[str, dict[str, np.ndarray]]


class Photos(NamedTuple):
    """A pair as the networks get it."""

    source: np.ndarray  # [H, W, 3] uint8
    target: np.ndarray  # [H, W, 3] uint8
    source_keypoints: np.ndarray  # [18, 3]
    keypoints: np.ndarray  # [18, 3], of the target


class DataPairs(NamedTuple):
    """The test pairs of a data set."""

    rows: dict[str, int]  # of the arrays, by `pair_names.key`
    identities: list[str]  # N names of people
    differences: np.ndarray  # [N] pose differences, NaN where undefined
    views: np.ndarray  # [N, 2] `pose.VIEWS` of source and target, -1 if unknown
    photos: dict[str, Photos]  # of the pairs that were asked for

    def rows_of(self, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Places in the keys, and rows here, of the pairs that are in both."""
        rows = [(i, self.rows[key]) for i, key in enumerate(keys) if key in self.rows]
        places, here = np.array(rows, int).reshape(-1, 2).T
        return places, here

    def facts(self, key: str) -> tuple[str, float | None, str]:
        """Identity, pose difference and view of a pair, as far as they are known."""
        if key not in self.rows:
            return "", None, ""
        row = self.rows[key]
        apart = float(self.differences[row])
        known = min(self.views[row]) >= 0
        view = " to ".join(pose.VIEWS[i] for i in self.views[row]) if known else ""
        return self.identities[row], apart if np.isfinite(apart) else None, view


def read(dataset: pair_reader.PairDataset, wanted: Collection[str]) -> DataPairs:
    """Reads all test pairs of a data set, and keeps the photos of the wanted keys."""
    rows: dict[str, int] = {}
    identities: list[str] = []
    poses: list[list[np.ndarray]] = []
    photos: dict[str, Photos] = {}
    for test in dataset.test_batches(batch_size=64):
        first, count, batch = len(identities), len(test.names), test.batch
        identities += test.identities
        sides = batch["source_keypoints"], batch["target_keypoints"]
        poses.append([side[:count] for side in sides])
        for i, key in enumerate(pair_names.key(*names) for names in test.names):
            rows.setdefault(key, first + i)
            if key in wanted:
                kept = batch["source_image"], batch["target_image"], *sides
                photos[key] = Photos(*(array[i].copy() for array in kept))
    source, target = (np.concatenate(parts) for parts in zip(*poses, strict=True))
    views = [np.asarray(pose.view(jnp.asarray(side))) for side in (source, target)]
    return DataPairs(
        rows, identities, pose_difference(source, target), np.stack(views, 1), photos
    )


def pose_difference(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`POSE_DIFFERENCE` of keypoints [N, 18, 3]: [N] float64, NaN where undefined."""
    visible = (source[..., 2] > 0) & (target[..., 2] > 0)
    apart = np.linalg.norm(_in_torsos(source) - _in_torsos(target), axis=-1)
    with np.errstate(invalid="ignore"):
        return np.where(visible, apart, 0.0).sum(axis=1) / visible.sum(axis=1)


def _in_torsos(keypoints: np.ndarray) -> np.ndarray:
    """[N, 18, 2] joints about the middle of the shoulders, in torso lengths."""
    points = keypoints[..., :2].astype(np.float64)
    middle = points[:, _SHOULDERS].mean(axis=1, keepdims=True)
    torso = points[:, _HIPS].mean(axis=1, keepdims=True) - middle
    length = np.linalg.norm(torso, axis=-1, keepdims=True)
    known = np.all(keypoints[:, None, _SHOULDERS + _HIPS, 2:] > 0, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known & (length > 0), (points - middle) / length, np.nan)


def of_run(run: Run, photos: Mapping[str, Photos]) -> Images:
    """Generates pairs with the checkpoint that was scored."""
    if not photos:
        return {}
    # Before runs kept averages, there was nothing to say.
    weights = run.content.get("weights", "averaged")
    model = pose_transfer.PoseTransfer.restore(run.folder, run.content["step"], weights)
    sources, _, source_poses, poses = map(np.stack, zip(*photos.values(), strict=True))
    generated = model.batch(sources, poses, source_poses=source_poses)
    kinds = model.architecture.first_image, "refined"
    by_kind = {k: x for k, x in zip(kinds, generated, strict=True) if x is not None}
    return {
        key: {kind: images[i] for kind, images in by_kind.items()}
        for i, key in enumerate(photos)
    }


def of_folder(
    run: Run, rows: Mapping[str, int]
) -> tuple[Images, dict[str, np.ndarray]]:
    """Reads generated images and their targets from the folders that were scored, by
    the rows of the pairs in their listing."""
    content = run.content
    config = Config(
        mode="evaluate",
        workdir=str(run.folder),
        generated_dir=content["generated_dir"],
        target_dir=content["target_dir"],
        match=content["match"].partition(":")[0],
    )
    pairs = image_folder.pairs(config, [])
    if len(pairs) != content["pairs"]:
        raise ValueError(
            f"{config.generated_dir} holds {len(pairs):,} images, and "
            f"{content['pairs']:,} were scored"
        )
    read = image_folder.read
    generated, targets = {}, {}
    for key, row in rows.items():
        generated[key] = {folders.KIND: read("generated_dir", pairs[row].generated)}
        targets[key] = read("target_dir", pairs[row].target)
    return generated, targets
