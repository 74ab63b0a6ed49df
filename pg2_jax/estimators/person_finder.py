"""The one person of a photo, through whichever pose estimator is installed."""

import contextlib
import threading

import numpy as np
from PIL import Image

from pg2_jax import errors
from pg2_jax.estimators import base, registry, weights

# How much larger than the second person the first must be.
_CLEARLY_LARGER = 2.0


class PersonFinder:
    """Finds the one person of a photo with whichever pose estimator is installed.

    Several threads may use one. The estimator is loaded for the first photo, or by
    `open`. `pose_model` is its model file; empty for the published one, downloaded
    once.
    """

    def __init__(self, pose_model: str = ""):
        self._pose_model = pose_model
        self._lock = threading.Lock()
        self._estimator: base.Estimator | None = None

    @staticmethod
    def is_installed() -> bool:
        """Whether there is an estimator."""
        return _installed() is not None

    def open(self) -> base.Estimator:
        """The estimator, loaded now, for one thread at a time; none installed, or
        without its model, is a ValueError."""
        with self._lock:
            if self._estimator is None:
                self._estimator = _open(self._pose_model)
            return self._estimator

    def __call__(self, photo: Image.Image, name: str, advice: str = "") -> np.ndarray:
        """The person's joints, float32 [18, 3] in pixels of the photo, RGB.

        Nobody, two people of like size, and an estimator that fails or cannot be opened
        is a ValueError, which begins with the name of the photo and ends with the
        advice.
        """
        try:
            return self._find(photo)
        except errors.ArgumentError:
            raise
        except ValueError as error:
            raise ValueError(f"{name}: {error}{advice}") from error

    def _find(self, photo: Image.Image) -> np.ndarray:
        estimator = self.open()
        try:
            with self._lock:
                people = estimator(np.asarray(photo))
        except Exception as error:
            # Estimators raise whatever the libraries below them do.
            raise ValueError("the pose estimator failed on this photo.") from error
        people = sorted(people, key=lambda person: -person.area)
        if not people:
            raise ValueError(
                "no person was found in this photo. Choose one that shows a person "
                "from head to feet."
            )
        if len(people) > 1 and people[0].area < _CLEARLY_LARGER * people[1].area:
            raise ValueError(
                f"{len(people)} people were found, two of them of about the same "
                "size. Crop the photo to the one you mean."
            )
        return people[0].keypoints


def _installed() -> str | None:
    for name in base.NAMES:
        with contextlib.suppress(ValueError):
            registry.check_installed(name)
            return name
    return None


def _open(model: str) -> base.Estimator:
    name = _installed()
    if name is None:
        raise ValueError(
            "to find the person in a photo a pose estimator is needed: pip install "
            "'pg2_jax[pose]' (in a checkout: pip install '.[pose]')."
        )
    try:
        path = weights.locate(name, model)
        return registry.open_estimator(base.Settings(name, path))
    except errors.ArgumentError as error:
        argument = {"model": "pose_model"}.get(error.argument, error.argument)
        raise errors.ArgumentError(argument, error.value, error.rule) from error
