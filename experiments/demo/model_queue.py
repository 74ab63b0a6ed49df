"""What the demo does for its visitors, one after the other; no web here."""

import contextlib
import pathlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from pg2_jax import pose
from pg2_jax.estimators import person_finder
from pg2_jax.inference import batch, pose_library, pose_transfer, retarget, source_photo
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import crop, photo_files

# Text only: visitors have no use for the formats that researchers convert from.
POSE_SUFFIXES = (".json", ".csv", ".txt")
# Around a pose, of its longer side.
_MARGIN = 0.06


_NO_JOINTS = (
    " Where the person's joints are is not known; with them, which a pose estimator on "
    "this server would find, the picture keeps more of the photo."
)


class Person(NamedTuple):
    """A photo of the model's size."""

    image: np.ndarray  # uint8 [H, W, 3]
    keypoints: np.ndarray | None  # float32 [18, 3] in its pixels; None if not known
    note: str = ""  # what was done to the photo, in words


class Busy(Exception):
    """So many requests are waiting that one more would wait too long."""


class ModelQueue:
    """A model, and a queue in front of it that has an end.

    One request at a time decodes, looks for a person, or generates: the networks take
    all cores anyway, and memory stays that of one photo and a copy. `finder` is opened;
    None where there is no estimator.
    """

    def __init__(
        self,
        model: pose_transfer.PoseTransfer,
        max_waiting: int,
        finder: person_finder.PersonFinder | None,
    ):
        self.model = model
        self.size = model.image_size
        self.finder = finder
        self._places = threading.BoundedSemaphore(max_waiting + 1)
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue; raises Busy if all are taken."""
        if not self._places.acquire(blocking=False):
            raise Busy("Too many requests are waiting. Try again in a moment.")
        try:
            yield
        finally:
            self._places.release()

    def fit_photo(self, content: bytes, name: str, keypoints: Any = None) -> Person:
        """Brings the file of a photo to the model's size; the name is for messages.

        One of the model's shape, within 10 %, is taken whole. Of another the part
        around the person is taken if the keypoints are known, else the middle. They
        are 18 rows (x, y, visible) in pixels of the photo; those that are not given
        are looked for where there is a finder and they are of use.
        """
        joints = None
        if keypoints is not None:
            joints = check_keypoints(keypoints, "source_keypoints")
        with self._turn:
            photo = photo_files.decode(content, name).image
            if joints is None or not joints[:, 2].any():
                return self._fit(photo, name, None)
            inside, _ = retarget.drop_outside(joints, photo.height, photo.width)
            if not inside[:, 2].any():
                raise ValueError("source_keypoints: none lies inside the photo.")
            return self._fit(photo, name, joints)

    def _fit(self, photo: Image.Image, name: str, joints: np.ndarray | None) -> Person:
        original = photo.height, photo.width
        whole = source_photo.has_shape(original, self.size)
        needed = self.model.architecture.needs_source_pose
        words = f"The photo has {photo.width} x {photo.height} pixels"
        if joints is None and self.finder is not None and (needed or not whole):
            joints = self.finder(photo, name)
        missing = _NO_JOINTS if needed and joints is None else ""
        if joints is None and not whole:
            size = self.size[::-1]
            middle = ImageOps.fit(photo, size, Image.Resampling.LANCZOS)
            note = f"{words}; its middle is used.{missing}"
            return Person(np.asarray(middle), None, note)
        rule, used = "crop", "; the part around the person is used"
        if whole:
            rule, used = "stretch", ""
        frame = source_photo.frame_of(rule, name, original, self.size, joints)
        image = np.asarray(crop.apply(photo, frame, self.size))
        if joints is not None:
            joints, _ = crop.move_keypoints(joints, original, frame, self.size)
        return Person(image, joints, f"{words}{used}.{missing}")

    def read_pose(self, content: bytes, name: str) -> np.ndarray:
        """The pose of a file, float32 [18, 3] in pixels of the model's image: the first
        of a text file of keypoints, as it is if all of its points lie in the image,
        else moved and scaled into it; of a photo, where there is a finder, the
        person's."""
        name = pathlib.PurePath(name).name
        suffix = pathlib.PurePath(name).suffix.lower()
        if suffix not in self.pose_suffixes:
            raise ValueError(
                f"{name}: a pose is a file ending in {', '.join(self.pose_suffixes)}, "
                "such as the JSON file that OpenPose writes for a photo."
            )
        if self.finder is not None and suffix in photo_files.SUFFIXES:
            with self._turn:
                joints = self.finder(photo_files.decode(content, name).image, name)
            return self.fit_poses(joints[None])[0]
        joints = next(iter(keypoint_files.decode(content, name).values()))
        _, outside = retarget.drop_outside(joints, *self.size)
        return self.fit_poses(joints[None])[0] if outside else joints

    @property
    def pose_suffixes(self) -> tuple[str, ...]:
        """Of the files that `read_pose` takes."""
        photos = () if self.finder is None else photo_files.SUFFIXES
        return POSE_SUFFIXES + photos

    def fit_poses(self, poses: np.ndarray, *, alone: bool = False) -> np.ndarray:
        """Gives poses [N, 18, 3] the size that people have in Market-1501's photos."""
        return retarget.fit_to_image(poses, *self.size, alone=alone, margin=_MARGIN)

    def catalogue(self) -> dict[str, np.ndarray]:
        """The single poses of the library, in the model's image."""
        poses = pose_library.read("catalogue")
        fitted = self.fit_poses(np.stack(list(poses.values())), alone=True)
        return dict(zip(poses, fitted, strict=True))

    def generate(self, person: Person, keypoints: Any) -> batch.Generated:
        """A person in a pose, 18 rows (x, y, visible) in pixels of the model's image: a
        batch of one."""
        checked = check_keypoints(keypoints)
        known = person.keypoints
        sources = None if known is None else known[None]
        with self._turn:
            return self.model.batch(
                person.image[None], checked[None], source_poses=sources
            )


def check_keypoints(keypoints: Any, name: str = "keypoints") -> np.ndarray:
    """Takes 18 rows of three numbers, and nothing else; returns float32 [18, 3]."""
    rule = f"{name}: expected 18 rows of three numbers, x, y and visible (0 or 1)."
    try:
        points = np.asarray(keypoints, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(rule) from error
    if points.shape != (len(pose.JOINTS), 3) or not np.isfinite(points).all():
        raise ValueError(rule)
    return points
