"""What a data set knows of its test pairs: identity, poses, photos."""

from collections.abc import Collection
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.evaluate import pairs_csv
from experiments.report.pose_difference import pose_difference
from pg2_jax import pose


class Photos(NamedTuple):
    """A pair as the networks get it."""

    source: np.ndarray  # [H, W, 3] uint8
    target: np.ndarray  # [H, W, 3] uint8
    keypoints: np.ndarray  # [18, 3], of the target


class DataPairs(NamedTuple):
    """The test pairs of a data set.

    Attributes:
        rows: of the arrays, by `pair_scores.key`.
        identities: N names of people.
        differences: [N] pose differences, NaN where undefined.
        views: [N, 2] indices of `pose.VIEWS` of source and target, -1 if unknown.
        photos: of the pairs that were asked for.
    """

    rows: dict[str, int]
    identities: list[str]
    differences: np.ndarray
    views: np.ndarray
    photos: dict[str, Photos]


def read(dataset: Any, wanted: Collection[str]) -> DataPairs:
    """Reads all test pairs of a data set, and keeps the photos of some.

    Args:
        dataset: an `input_pipeline.PairDataset`.
        wanted: `pair_scores.key` of the pairs whose photos are kept.
    """
    rows: dict[str, int] = {}
    identities: list[str] = []
    keypoints: dict[str, list[np.ndarray]] = {"source": [], "target": []}
    photos: dict[str, Photos] = {}
    for test in dataset.test_batches(batch_size=64):
        first, count, batch = len(identities), len(test.names), test.batch
        identities += test.identities
        for side, parts in keypoints.items():
            parts.append(batch[f"{side}_keypoints"][:count])
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
