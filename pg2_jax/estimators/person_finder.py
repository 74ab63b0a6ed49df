"""The one person of a photo, through whichever pose estimator is installed."""

import contextlib
import threading

import numpy as np
from PIL import Image

from pg2_jax import errors
from pg2_jax.estimators import base, registry

# How much longer than the second person the first must be.
_CLEARLY_LARGER = 1.5


class SeveralPeopleError(ValueError):
    """A photo shows several people of about the same size, so many as `people` says."""

    def __init__(self, message: str, people: int):
        super().__init__(message)
        self.people = people


class PersonFinder:
    """Finds the one person of a photo with whichever pose estimator is installed, which
    is loaded for the first photo, or by `open`, with the model file `pose_model`; empty
    for the published one, downloaded once. Several threads may use one."""

    def __init__(self, pose_model: str = ""):
        self._pose_model = pose_model
        self._lock = threading.Lock()
        self._estimator: base.Estimator | None = None

    @staticmethod
    def is_installed() -> bool:
        """Whether there is an estimator."""
        return _installed() is not None

    def open(self) -> base.Estimator:
        """The estimator, loaded now, for one thread at a time; a ValueError if it is
        not installed or cannot be loaded."""
        with self._lock:
            if self._estimator is None:
                self._estimator = _open(self._pose_model)
            return self._estimator

    def __call__(
        self, photo: Image.Image, name: str, advice: str = "", person: int | None = 0
    ) -> np.ndarray:
        """The person's joints, float32 [18, 3] in pixels of the photo, RGB; of several
        people those of number `person` from left to right, or with 0 of the largest;
        None where nobody can say which. Nobody, without a number two people of like
        size (`SeveralPeopleError`), and an estimator that fails is a ValueError: the
        name, what is wrong, the advice."""
        return chosen(self.everybody(photo, name, advice), person, name, advice)

    def everybody(
        self, photo: Image.Image, name: str, advice: str = ""
    ) -> list[base.Person]:
        """The people in a photo, from left to right; for the rest see a call."""
        try:
            return sorted(self._find(photo), key=lambda person: person.left)
        except errors.ArgumentError:
            raise
        except ValueError as error:
            raise ValueError(f"{name}: {error}{advice}") from error

    def _find(self, photo: Image.Image) -> list[base.Person]:
        estimator = self.open()
        try:
            with self._lock:
                people = estimator(np.asarray(photo))
        except Exception as error:
            # Estimators raise whatever the libraries below them do.
            raise ValueError("the pose estimator failed on this photo.") from error
        if not people:
            raise ValueError(
                "no person was found in this photo. Choose one that shows a person "
                "from head to feet."
            )
        return people


def chosen(
    people: list[base.Person], number: int | None, name: str, advice: str = ""
) -> np.ndarray:
    """The joints of one of several people from left to right, see `PersonFinder`."""
    found = f"{errors.counted(len(people), 'person was', 'people were')} found"
    if (number or 0) > len(people):
        raise errors.ArgumentError("person", number, f": {found} in {name}.")
    if number:
        return people[number - 1].keypoints
    first, *others = sorted(people, key=lambda person: -person.length)
    which = ""
    if number is not None:
        which = f", or say which, 1 to {len(people)} from left to right (`person`)"
    if others and first.length < _CLEARLY_LARGER * others[0].length:
        raise SeveralPeopleError(
            f"{name}: {found}, two of them of about the same size. Crop "
            f"the photo to the one you mean{which}.{advice}",
            len(people),
        )
    return first.keypoints


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
            "a pose estimator is needed to find the person in a photo: pip install "
            "'pg2_jax[pose]' (in a checkout: pip install '.[pose]')."
        )
    try:
        path = registry.locate(name, model)
        return registry.open_estimator(base.Settings(name, path))
    except errors.ArgumentError as error:
        argument = "pose_model" if error.argument == "model" else error.argument
        raise errors.ArgumentError(argument, error.value, error.rule) from error
