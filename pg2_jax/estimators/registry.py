"""Pose estimators: a photo in, people with 18 keypoints and a score out.

mediapipe runs Google's BlazePose, rtmlib an ONNX model of the RTMO or RTMPose family.
Both are extras (`pip install 'pg2_jax[pose]'`, `'pg2_jax[rtmlib]'`) and are imported
only when asked for. Another estimator is another module and a line in `open_estimator`.
"""

import importlib.util
import pathlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from pg2_jax.keypoints import coco_json

NAMES = ("mediapipe", "rtmlib")
# Below it a point is missing, as in MediaPipe's own drawings.
MIN_CONFIDENCE = 0.5
# People looked for in one photo.
MAX_PEOPLE = 6

_NECK, _SHOULDERS = coco_json.NECK, list(coco_json.SHOULDERS)


class Person(NamedTuple):
    """A person in a photo.

    Attributes:
        keypoints: float32 [18, 3] = (x, y, visible) in pixels of the photo, COCO-18.
        score: mean confidence of the 18 points, a missing one counted as 0; in [0, 1].
    """

    keypoints: np.ndarray
    score: float

    @property
    def area(self) -> float:
        """Of the box around the visible points, in pixels."""
        seen = self.keypoints[self.keypoints[:, 2] > 0, :2]
        return float(np.prod(np.ptp(seen, axis=0))) if len(seen) else 0.0


class Estimator(Protocol):
    """What finds people."""

    def __call__(self, image: np.ndarray) -> list[Person]:
        """Returns the people in a photo, uint8 [H, W, 3] RGB, in any order."""

    def close(self) -> None:
        """Lets go of the model."""


class Settings(NamedTuple):
    """Which estimator, and how it is asked.

    Attributes:
        name: one of `NAMES`.
        model: the model file.
        min_confidence: a point below it is missing; in [0, 1].
    """

    name: str
    model: pathlib.Path
    min_confidence: float = MIN_CONFIDENCE


def check_installed(name: str) -> None:
    """Raises a ValueError that says what to install, if an estimator is not there."""
    needed = {"mediapipe": ["mediapipe"], "rtmlib": ["rtmlib", "onnxruntime"]}[name]
    missing = [module for module in needed if not importlib.util.find_spec(module)]
    if missing:
        raise ValueError(
            f"--estimator={name}: {' and '.join(missing)} is not installed; "
            f"{_install(name)}"
        )


def open_estimator(settings: Settings) -> Estimator:
    """Loads an estimator with its model.

    Raises:
        ValueError: it is not installed, or the model file is not one.
    """
    check_installed(settings.name)
    try:
        if settings.name == "mediapipe":
            from pg2_jax.estimators import blazepose

            return blazepose.BlazePose(settings)
        from pg2_jax.estimators import rtmpose

        return rtmpose.RtmPose(settings)
    except ImportError as error:
        raise ValueError(
            f"--estimator={settings.name} cannot be imported: {error}; "
            f"{_install(settings.name)}"
        ) from error
    except Exception as error:
        # A damaged model file makes these libraries raise nearly anything.
        raise ValueError(
            f"--model={settings.model} is not a pose model that {settings.name} reads: "
            f"{first_line(error)}"
        ) from error


def _install(name: str) -> str:
    extra = {"mediapipe": "pose", "rtmlib": "rtmlib"}[name]
    return f"pip install 'pg2_jax[{extra}]' (in a checkout: pip install '.[{extra}]')"


def first_line(error: Exception) -> str:
    """Returns what an error says, in one line; its name when it says nothing."""
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def with_neck(points: np.ndarray) -> np.ndarray:
    """Inserts the neck, the midpoint of the shoulders, and as sure as the less sure of
    them; [17, C] with the confidence last -> [18, C]."""
    points = np.insert(points, _NECK, 0, axis=0)
    points[_NECK] = points[_SHOULDERS].mean(axis=0)
    points[_NECK, -1] = points[_SHOULDERS, -1].min()
    return points


def person(
    places: np.ndarray, confidence: np.ndarray, size: Sequence[int], least: float
) -> Person:
    """Makes a person of an estimator's points: rounds them to tenths of a pixel, and
    drops what is unsure or outside the photo, and the neck without both shoulders.

    Args:
        places: [18, 2] = (x, y) in pixels of the photo.
        confidence: [18].
        size: (height, width) of the photo.
        least: confidence below which a point is missing.
    """
    places = np.round(np.nan_to_num(places, nan=-1.0), 1)
    height, width = size
    confidence = np.clip(np.nan_to_num(confidence), 0, 1)
    visible = (confidence >= least) & (confidence > 0) & (places >= 0).all(axis=1)
    visible &= (places[:, 0] < width) & (places[:, 1] < height)
    visible[_NECK] &= visible[_SHOULDERS].all()
    keypoints = np.where(visible[:, None], np.column_stack([places, visible]), 0)
    score = float(np.where(visible, confidence, 0).mean())
    return Person(keypoints.astype(np.float32), score)
