"""What the estimators share: people with 18 keypoints and a score."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from pg2_jax.keypoints import layouts

NAMES = ("mediapipe", "rtmlib")
# Below it a point is missing, as in MediaPipe's own drawings.
MIN_CONFIDENCE = 0.5
# People looked for in one photo.
MAX_PEOPLE = 6

_NECK, _SHOULDERS = layouts.NECK, list(layouts.SHOULDERS)


class Person(NamedTuple):
    """A person in a photo."""

    # float32 [18, 3] = (x, y, visible) in pixels of the photo, COCO-18.
    keypoints: np.ndarray
    score: float  # mean confidence of the 18 points in [0, 1], missing ones as 0

    @property
    def seen(self) -> np.ndarray:
        """The visible points, [N, 2]."""
        return self.keypoints[self.keypoints[:, 2] > 0, :2]

    @property
    def box(self) -> np.ndarray:
        """Left, top, right and bottom of the visible points, zeros without any."""
        if not len(self.seen):
            return np.zeros(4, np.float32)
        return np.concatenate([self.seen.min(axis=0), self.seen.max(axis=0)])

    @property
    def area(self) -> float:
        """Of the box, in pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))

    @property
    def length(self) -> float:
        """The longer side of the box: spread arms make nobody larger."""
        return float(np.max(self.box[2:] - self.box[:2]))

    @property
    def left(self) -> float:
        """The middle of the visible points, from left to right."""
        return float(self.seen[:, 0].mean()) if len(self.seen) else 0.0


class Estimator(Protocol):
    """What finds people."""

    def __call__(self, image: np.ndarray) -> list[Person]:
        """The people in a photo, uint8 [H, W, 3] RGB, in any order."""

    def close(self) -> None:
        """Lets go of the model."""


class Settings(NamedTuple):
    """Which estimator of `NAMES`, its model file, the confidence in [0, 1] below which
    a point is missing, and whether everybody is wanted: one person is found faster."""

    name: str
    model: pathlib.Path
    min_confidence: float = MIN_CONFIDENCE
    everybody: bool = True


def first_line(error: Exception) -> str:
    """What an error says, in one line; its name when it says nothing."""
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def person(points: np.ndarray, size: Sequence[int], least: float) -> Person:
    """A person of an estimator's points [18, 3] = (x, y, confidence) in pixels of the
    photo of (height, width) `size`: rounded to tenths of a pixel, without what is less
    sure than `least` or outside the photo, and without a neck that lacks a shoulder."""
    places = np.round(np.nan_to_num(points[:, :2], nan=-1.0), 1)
    height, width = size
    confidence = np.clip(np.nan_to_num(points[:, 2]), 0, 1)
    visible = (confidence >= least) & (confidence > 0) & (places >= 0).all(axis=1)
    visible &= (places[:, 0] < width) & (places[:, 1] < height)
    visible[_NECK] &= visible[_SHOULDERS].all()
    keypoints = np.where(visible[:, None], np.column_stack([places, visible]), 0)
    score = float(np.where(visible, confidence, 0).mean())
    return Person(keypoints.astype(np.float32), score)
