"""Which photo an annotation means, where it leaves out the photo's suffix, or spells
the name in another way.

DeepFashion In-shop's photos are spelled in three ways:

img/WOMEN/Dresses/id_00000055/02_1_front.jpg    as downloaded, NTED, PIDM
fashionWOMENDressesid0000005502_1front.jpg      PATN and its followers
fasionWOMENDressesid0000005502_1front.jpg       pose-gan, and PG2's authors
"""

import collections
import os
import re
from collections.abc import Iterable, Mapping

from data_prep.sources.split import collecting
from pg2_jax import files
from pg2_jax.keypoints.base import Pose
from pg2_jax.photos import photo_files

_DOWNLOADED = re.compile(r"(?:.*/)?((?:WO)?MEN)/([^/]+)/(id_\d+)/([^/_]+)_([^/]+)")


def flat_name(name: str) -> str:
    """PATN's spelling of a DeepFashion name as downloaded; any other name itself."""
    match = _DOWNLOADED.fullmatch(name)
    if not match:
        return name
    gender, category, person, item, view = match.groups()
    person, view = person.replace("_", ""), view.replace("_", "")
    return f"fashion{gender}{category}{person}{item}_{view}"


def simplify(name: str) -> str:
    """Returns what the three spellings of a DeepFashion name have in common."""
    return re.sub(r"^fash?ion", "", flat_name(name))


def deepfashion_identity(name: str) -> str:
    """Returns the person with the outfit, which is what the field pairs photos by."""
    flat = re.sub("^fasion", "fashion", flat_name(name))
    return flat.rsplit("_", 1)[0]


class PhotoNames:
    """The photos of a folder by name, with or without suffix, accents as may be."""

    def __init__(
        self, photos: Iterable[str], dataset: str = "", there: Iterable[str] = ()
    ) -> None:
        """Lists the photos of a data set; of DeepFashion's the spellings are equal.
        `there` are the files of the folder, photos in other formats among them."""
        self._is_fashion = dataset == "deepfashion"
        unread = filter(photo_files.unread, there)
        self._unread = {self._simplify(name): name for name in unread}
        self._photos = set(photos)
        self._by_name: dict[str, list[str]] = collections.defaultdict(list)
        for photo in sorted(self._photos):
            for name in {*map(self._simplify, (photo, os.path.splitext(photo)[0]))}:
                self._by_name[name].append(photo)

    def _simplify(self, name: str) -> str:
        plain = files.same_name(name)
        return simplify(plain) if self._is_fashion else plain

    def knows(self, name: str) -> bool:
        """Whether there is a photo that an annotation could mean by a name."""
        return name in self._photos or self._simplify(name) in self._by_name

    def find(self, name: str) -> str:
        """The one photo that an annotation names."""
        if name in self._photos:
            return name
        candidates = self._by_name.get(self._simplify(name), [])
        if len(candidates) > 1:
            raise ValueError(f"{name!r} could be {' or '.join(candidates[:3])}")
        if candidates:
            return candidates[0]
        if unread := self._unread.get(self._simplify(name)):
            raise ValueError(
                f"the photo {unread} is there, but its format is not read: "
                f"{photo_files.unread(unread)}"
            )
        raise ValueError(f"there is no photo {name}")


def match(
    poses: Mapping[str, Pose], photos: PhotoNames, problems: list[str]
) -> dict[str, Pose]:
    """Gives each pose to its photo: photo name -> pose, in the order of the poses. A
    pose without a photo, or for a photo that has one, is a problem."""
    matched: dict[str, Pose] = {}
    for name, pose in poses.items():
        with collecting(problems, pose.place):
            photo = photos.find(name)
            if photo in matched:
                raise ValueError(f"{name!r} is {photo}, which has a pose already")
            matched[photo] = pose
    return matched
