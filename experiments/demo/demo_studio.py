"""What the demo does for its visitors, one after the other; no web here."""

import contextlib
import pathlib
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data_prep.synthetic import pictures
from pg2_jax import pose
from pg2_jax.estimators import person_finder
from pg2_jax.inference import pose_library, pose_transfer, retarget, source_photo
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import crop, photo_files

# Text only: visitors have no use for the formats that researchers convert from.
POSE_SUFFIXES = (".json", ".csv", ".txt")
# Around a pose, of its longer side.
_MARGIN = 0.06
_EXAMPLES = 6
_MOST_EXAMPLES = 12
# Far from the numbers of people that trainings draw.
_FIRST_IDENTITY = 9001


class Busy(Exception):
    """So many requests are waiting that one more would wait too long."""


class Drawing(NamedTuple):
    """What the generators drew; uint8 [H, W, 3].

    Attributes:
        coarse: G1's image.
        refined: G2's image; None where the model is G1 alone.
    """

    coarse: np.ndarray
    refined: np.ndarray | None


class Studio:
    """A model, and a queue in front of it that has an end.

    One request at a time decodes, looks for a person, or draws: drawing takes all cores
    anyway, and memory stays that of one photo and a copy.

    Attributes:
        model: the generators.
        size: (height, width) of the images.
    """

    def __init__(
        self,
        model: pose_transfer.PoseTransfer,
        max_waiting: int,
        finder: person_finder.PersonFinder | None,
    ):
        """Takes the generators.

        Args:
            model: draws.
            max_waiting: requests that may wait.
            finder: of people in photos, opened; None for the middle of photos.
        """
        self.model = model
        self._finder = finder
        self.size = (model.architecture.image_height, model.architecture.image_width)
        self._places = threading.BoundedSemaphore(max_waiting + 1)
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue.

        Raises:
            Busy: all are taken.
        """
        if not self._places.acquire(blocking=False):
            raise Busy("Too many people are drawing just now. Try again in a moment.")
        try:
            yield
        finally:
            self._places.release()

    def fit_photo(self, content: bytes, name: str) -> tuple[np.ndarray, str]:
        """Brings a photo to the model's size.

        One of the model's shape, within 10 %, is taken whole. Of another the part
        around the person is taken if there is a finder, else the middle.

        Args:
            content: bytes of a JPEG, PNG, BMP or WebP file.
            name: of the file, for messages.

        Returns:
            uint8 [H, W, 3]; what was done to it, in words.

        Raises:
            ValueError: not a photo that can be read, or the finder sees nobody, or
                several people of like size; says what.
        """
        with self._turn:
            photo = photo_files.decode(content, name).image
            frame, used = self._frame(photo, name)
            fitted = np.asarray(crop.apply(photo, frame, self.size))
        return fitted, f"The photo has {photo.width} x {photo.height} pixels{used}."

    def _frame(self, photo: Image.Image, name: str) -> tuple[crop.Frame, str]:
        """Which part of a photo is used, and that in words."""
        original = (photo.height, photo.width)
        if source_photo.has_shape(original, self.size):
            return crop.frame("stretch", original, self.size), ""
        if self._finder is None:
            return middle(original, self.size), "; its middle is used"
        joints = self._finder(photo, name)
        frame = source_photo.frame_of("crop", name, original, self.size, joints)
        return frame, "; the part around the person is used"

    def read_pose(self, content: bytes, name: str) -> np.ndarray:
        """Reads a pose file and fits the pose into the image.

        Args:
            content: bytes of a file in a text format of `annotations`; of several poses
                the first is taken.
            name: of the file; its suffix must be one of `POSE_SUFFIXES`.

        Returns:
            float32 [18, 3]: as it is if all of its points lie in the model's image,
            else moved and scaled into it.

        Raises:
            ValueError: not a pose that can be read; names the file and the reason.
        """
        name = pathlib.PurePath(name).name
        suffix = pathlib.PurePath(name).suffix.lower()
        if suffix not in POSE_SUFFIXES:
            raise ValueError(
                f"{name}: a pose is a file ending in {', '.join(POSE_SUFFIXES)}, such "
                "as the JSON file that OpenPose writes for a photo."
            )
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, f"pose{suffix}")
            path.write_bytes(content)
            try:
                found = next(iter(keypoint_files.read(path).values()))
            except ValueError as error:
                # Visitors know their file's name, and not ours.
                raise ValueError(str(error).replace(str(path), name)) from error
        _, outside = retarget.drop_outside(found, *self.size)
        if outside:
            found = self.fit_poses(found[None])[0]
        return found

    def fit_poses(self, poses: np.ndarray, *, alone: bool = False) -> np.ndarray:
        """Gives poses [N, 18, 3] the size that people have in Market-1501's photos;
        `pose_tools.fit_to_image` says the rest."""
        return retarget.fit_to_image(poses, *self.size, alone=alone, margin=_MARGIN)

    def draw(self, photo: np.ndarray, keypoints: Any) -> Drawing:
        """Draws the person of a photo in a pose.

        Args:
            photo: uint8 [H, W, 3] of the model's size.
            keypoints: 18 rows (x, y, visible) in pixels of that size.

        Raises:
            ValueError: not such keypoints, or none of them lies in the image.
        """
        checked = check_keypoints(keypoints)
        with self._turn:
            drawn = self.model.batch(photo[None], checked[None])
        refined = None if drawn.refined is None else drawn.refined[0]
        return Drawing(drawn.coarse[0], refined)


def check_keypoints(keypoints: Any) -> np.ndarray:
    """Takes 18 rows of three numbers, and nothing else; returns float32 [18, 3]."""
    rule = "keypoints: expected 18 rows of three numbers, x, y and visible (0 or 1)."
    try:
        points = np.asarray(keypoints, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(rule) from error
    if points.shape != (len(pose.JOINTS), 3) or not np.isfinite(points).all():
        raise ValueError(rule)
    return points


def middle(original: crop.Size, size: crop.Size) -> crop.Frame:
    """The largest middle part of a photo that has the shape of an image.

    Args:
        original: (height, width) of the photo.
        size: (height, width) of the image.
    """
    rows, columns = original
    width = min(columns, rows * size[1] / size[0])
    height = min(rows, columns * size[0] / size[1])
    left, top = (columns - width) / 2, (rows - height) / 2
    source = crop.Box(left, top, left + width, top + height)
    return crop.Frame(source, crop.Box(0, 0, size[1], size[0]))


def first_pose(studio: Studio) -> np.ndarray:
    """The pose that the page begins with, [18, 3]."""
    poses = pose_library.read("catalogue")
    return studio.fit_poses(poses["hands_on_hips"][None])[0]


def examples(studio: Studio, folder: str) -> dict[str, np.ndarray]:
    """Photos for visitors without one.

    Args:
        studio: fits them.
        folder: of photos, the first by name are taken; empty for drawn people.

    Returns:
        Name -> uint8 [H, W, 3].

    Raises:
        ValueError: no such folder, or a photo in it that cannot be read or, where
            people are looked for, shows nobody or several.
    """
    if not folder:
        return _drawn_people(*studio.size)
    if not pathlib.Path(folder).is_dir():
        raise ValueError(f"--examples_dir={folder}: there is no such folder.")
    files = sorted(
        path
        for path in pathlib.Path(folder).iterdir()
        if path.suffix.lower() in photo_files.SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        raise ValueError(
            f"--examples_dir={folder}: holds no photo "
            f"({', '.join(photo_files.SUFFIXES)})."
        )
    try:
        return {
            path.stem: studio.fit_photo(path.read_bytes(), path.name)[0]
            for path in files[:_MOST_EXAMPLES]
        }
    except ValueError as error:
        raise ValueError(f"--examples_dir={folder}: {error}") from error


def _drawn_people(height: int, width: int) -> dict[str, np.ndarray]:
    """Procedural people, each in the picture that shows most of the body."""
    people = {}
    for number in range(_EXAMPLES):
        takes = [
            pictures.photograph(0, _FIRST_IDENTITY + number, i, height, width)[1]
            for i in range(4)
        ]
        best = max(takes, key=lambda take: take.keypoints[:, 2].sum())
        people[f"Drawn person {number + 1}"] = best.image
    return people
