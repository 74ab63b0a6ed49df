"""Keypoints of generated images, which PCKh compares with those of the targets: from a
file, or from an estimator."""

import importlib.metadata
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from data_prep.estimation import estimation
from pg2_jax import downloads
from pg2_jax.estimators import base, registry, weights


class DrawnPoses(NamedTuple):
    """Where keypoints of generated images come from.

    Attributes:
        find: images [B, H, W, 3] uint8, and the number of the first among all pairs ->
            [B, 18, 3] = (x, y, visible) in pixels.
        extractor: what it is, in words.
        weights: name of the model file; empty where there is none.
        sha256: checksum of the model file; empty where there is none.
        close: lets go of the model.
    """

    find: Callable[[np.ndarray, int], np.ndarray]
    extractor: str
    weights: str = ""
    sha256: str = ""
    close: Callable[[], None] = lambda: None


def estimated(name: str, model: str) -> DrawnPoses:
    """Keypoints by --estimator, chosen as data_prep/estimate_keypoints.py does: of the
    people that are sure enough the largest.

    Args:
        name: of `estimators.NAMES`.
        model: path of its model, or empty for the published one.

    Raises:
        ValueError: it is not installed, or its model is not there.
    """
    registry.check_installed(name)
    settings = base.Settings(name, weights.locate(name, model))
    estimate = registry.open_estimator(settings)

    def find(images: np.ndarray, first: int) -> np.ndarray:
        return np.stack([_largest(estimate(image)) for image in images])

    return DrawnPoses(
        find,
        f"{name} {_version(name)}",
        settings.model.name,
        downloads.sha256(settings.model),
        estimate.close,
    )


def given(poses: Sequence[np.ndarray], file: str) -> DrawnPoses:
    """Keypoints [18, 3] of all generated images, in the order of the pairs, from a
    file."""

    def find(images: np.ndarray, first: int) -> np.ndarray:
        # The rows behind the last pair are padding.
        here = list(poses[first : first + len(images)])
        return np.stack([*here, *here[-1:] * (len(images) - len(here))])

    return DrawnPoses(find, f"annotations of {file}")


def _largest(people: list[base.Person]) -> np.ndarray:
    sure = [person for person in people if person.score >= estimation.MIN_SCORE]
    if not sure:
        return np.zeros((18, 3), np.float32)
    return max(sure, key=lambda person: person.area).keypoints


def _version(name: str) -> str:
    return importlib.metadata.version(name)
