"""What a data set knows of its test pairs: identity, poses, photos."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.evaluate import pairs_csv
from pg2_jax import pose
from pg2_jax.input_pipeline import pair_reader

POSE_DIFFERENCE = (
    "Mean distance of the joints that both poses show, after the middle of the "
    "shoulders is moved to one point and each pose is measured in lengths of its own "
    "torso (from there to the middle of the hips). So neither place nor size of the "
    "person counts. Without both shoulders and both hips in both poses it is undefined."
)
_SHOULDERS = [pose.JOINTS.index(f"{side}_shoulder") for side in ("right", "left")]
_HIPS = [pose.JOINTS.index(f"{side}_hip") for side in ("right", "left")]


class Photos(NamedTuple):
    """A pair as the networks get it."""

    source: np.ndarray  # [H, W, 3] uint8
    target: np.ndarray  # [H, W, 3] uint8
    keypoints: np.ndarray  # [18, 3], of the target


class DataPairs(NamedTuple):
    """The test pairs of a data set."""

    rows: dict[str, int]  # of the arrays, by `pairs_csv.key`
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
    keypoints: dict[str, list[np.ndarray]] = {"source": [], "target": []}
    photos: dict[str, Photos] = {}
    for test in dataset.test_batches(batch_size=64):
        first, count, batch = len(identities), len(test.names), test.batch
        identities += test.identities
        keypoints["source"].append(batch["source_keypoints"][:count])
        keypoints["target"].append(batch["target_keypoints"][:count])
        for i, key in enumerate(pairs_csv.key(*names) for names in test.names):
            rows.setdefault(key, first + i)
            if key in wanted:
                photos[key] = Photos(
                    batch["source_image"][i].copy(),
                    batch["target_image"][i].copy(),
                    batch["target_keypoints"][i].copy(),
                )
    source, target = (np.concatenate(parts) for parts in keypoints.values())
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
