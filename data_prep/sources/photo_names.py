"""Which photo an annotation means, where it leaves out the photo's suffix."""

import collections
import os
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from data_prep.sources import deepfashion_names
from pg2_jax.keypoints.keypoint_files import Pose


def simplifier(dataset: str) -> Callable[[str], str]:
    """Returns what makes names equal that a data set's projects spell in several
    ways."""
    return deepfashion_names.simplify if dataset == "deepfashion" else str


class PhotoNames:
    """The photos of a folder, found by their names with or without suffix."""

    def __init__(
        self, photos: Iterable[str], simplify: Callable[[str], str] = str
    ) -> None:
        """Lists the photos.

        Args:
            photos: their names.
            simplify: what makes names equal that a data set spells in several ways.
        """
        self._simplify = simplify
        self._photos = set(photos)
        self._by_name: dict[str, list[str]] = collections.defaultdict(list)
        for photo in sorted(self._photos):
            for name in {simplify(photo), simplify(os.path.splitext(photo)[0])}:
                self._by_name[name].append(photo)

    def knows(self, name: str) -> bool:
        """Whether there is a photo that an annotation could mean by a name."""
        return name in self._photos or self._simplify(name) in self._by_name

    def find(self, name: str) -> str:
        """Returns the photo that an annotation names.

        Raises:
            ValueError: there is none, or more than one.
        """
        if name in self._photos:
            return name
        found = self._by_name.get(self._simplify(name), [])
        if len(found) > 1:
            raise ValueError(f"{name!r} could be {' or '.join(found[:3])}")
        if not found:
            raise ValueError(f"there is no photo {name}")
        return found[0]


def match(
    poses: Mapping[str, Pose], photos: PhotoNames, problems: list[str]
) -> dict[str, np.ndarray]:
    """Gives each pose to its photo.

    Args:
        poses: name in the annotation -> pose.
        photos: the photos there are.
        problems: poses without a photo, or for a photo that has one, are appended here.

    Returns:
        Photo name -> float32 [18, 3], in the order of the poses.
    """
    found: dict[str, np.ndarray] = {}
    for name, pose in poses.items():
        try:
            photo = photos.find(name)
            if photo in found:
                raise ValueError(f"{name!r} is {photo}, which has a pose already")
        except ValueError as error:
            problems.append(f"{pose.place}: {error}")
            continue
        found[photo] = pose.keypoints
    return found
