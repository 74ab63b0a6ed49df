"""What the demo does for its visitors, one after the other; no web here."""

import contextlib
import pathlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from pg2_jax import pose
from pg2_jax.errors import counted
from pg2_jax.estimators import person_finder
from pg2_jax.inference import full_resolution, pose_library, retarget, source_photo
from pg2_jax.inference.batch import Generated
from pg2_jax.inference.pose_transfer import PoseTransfer
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import crop, photo_files

# Around a pose, of its longer side.
MARGIN = 0.06
# A phone's photo of 108 megapixels is decoded smaller, as long as its longer side has
# so many pixels: more than any model or estimator sees of it.
_LONGEST = 2048
# Of the longer side of a picture at the photo's own resolution, which takes a second.
_LARGE = 512

_MOVES_PIXELS = (
    "Keeps clothes and background. Hands, faces and loose clothes come out soft, and "
    "what the photo hides is invented."
)
_GENERATES = (
    "Generates every pixel anew. People, clothes and views that are not in its "
    "training photos come out blurred."
)
_NO_JOINTS = (
    f"{source_photo.JOINTS_UNKNOWN.capitalize()} A pose estimator on this server would "
    "find them."
)


class Person(NamedTuple):
    """A photo of the model's size."""

    image: np.ndarray  # uint8 [H, W, 3]
    keypoints: np.ndarray | None  # float32 [18, 3] in its pixels; None if not known
    note: str = ""  # what was done to the photo, in words, and the warning
    warning: str = ""  # why the picture may be worse than others, in words
    people: int = 0  # whom an estimator found in the photo; 0 where none looked
    # The same at the photo's own resolution, uint8 [h, w, 3], if that is higher and the
    # model moves its pixels.
    large: np.ndarray | None = None

    @property
    def large_keypoints(self) -> np.ndarray | None:
        """The joints in pixels of the large photo; None where one of both lacks."""
        if self.large is None or self.keypoints is None:
            return None
        scale = len(self.large) / len(self.image)
        return self.keypoints * np.array([scale, scale, 1], np.float32)


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
        model: PoseTransfer,
        max_waiting: int,
        finder: person_finder.PersonFinder | None,
    ):
        self.model, self.size, self.finder = model, model.image_size, finder
        # Visitors have no use for the binary formats that researchers convert from.
        photos = photo_files.SUFFIXES if finder else ()
        self.pose_suffixes = (".json", ".csv", ".txt", *photos)
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

    def fit_photo(
        self, content: bytes, name: str, keypoints: Any = None, number: int = 0
    ) -> Person:
        """Brings the file of a photo to the model's size; the name is for messages.

        One of the model's shape, within 10 %, is taken whole. Of another the part
        around the person is taken if the keypoints are known, else the middle. They
        are 18 rows (x, y, visible) in pixels of the photo; those that are not given
        are looked for where there is a finder and they are of use: those of the person
        of that number, see `PersonFinder`.
        """
        joints = None
        if keypoints is not None:
            joints = check_keypoints(keypoints, "source_keypoints")
        with self._turn:
            read = photo_files.decode(content, name, _LONGEST)
            if joints is None or not joints[:, 2].any():
                return self._fit(read, name, None, number)
            joints = joints / (read.reduction, read.reduction, 1)
            size = read.image.height, read.image.width
            if not retarget.drop_outside(joints, *size)[0][:, 2].any():
                raise ValueError("source_keypoints: no point lies inside the photo.")
            return self._fit(read, name, joints, number)

    def _fit(
        self,
        read: photo_files.Upright,
        name: str,
        joints: np.ndarray | None,
        number: int,
    ) -> Person:
        photo, people, large = read.image, 0, None
        original = photo.height, photo.width
        whole = source_photo.has_shape(original, self.size)
        needed = self.model.architecture.needs_source_pose
        if joints is None and self.finder and (needed or not whole or number):
            found = self.finder.everybody(photo, name)
            people, joints = len(found), person_finder.chosen(found, number, name)
        note = f"The photo has {photo.width} x {photo.height} pixels"
        if read.reduction > 1:
            note += f" at 1/{read.reduction} of its size, at which it was read"
        warnings = []
        if joints is not None:
            source_photo.check_shown(joints, name, original)
        if joints is None and not whole:
            warnings.append("Its middle is used.")
            size = self.size[::-1]
            image = np.asarray(ImageOps.fit(photo, size, Image.Resampling.LANCZOS))
        else:
            note += "" if whole else "; the part around the person is used"
            rule = "stretch" if whole else "crop"
            frame = source_photo.frame_of(rule, name, original, self.size, joints)
            image = np.asarray(crop.apply(photo, frame, self.size))
        if joints is not None:
            if turned := retarget.turned(joints):
                warnings.append(f"The person {turned}: is the photo turned?")
            joints, _ = crop.move_keypoints(joints, original, frame, self.size)
            if self.model.keeps_resolution:
                large = full_resolution.photo_of(photo, frame, self.size, _LARGE)
        elif needed:
            warnings.append(_NO_JOINTS)
        note = " ".join([f"{note}.", *warnings])
        return Person(image, joints, note, " ".join(warnings), people, large)

    def read_pose(self, content: bytes, name: str) -> tuple[np.ndarray, str]:
        """The pose of a file, float32 [18, 3] in pixels of the model's image, and which
        of several it is, in words. Of a text file it is the first that shows anybody,
        as it is if all of its points lie in the image, else moved and scaled into it;
        of a photo, where there is a finder, the person's."""
        name = pathlib.PurePath(name).name
        suffix = pathlib.PurePath(name).suffix.lower()
        if suffix not in self.pose_suffixes:
            needed = " A photo would need a pose estimator on this server."
            raise ValueError(
                f"{name}: a pose is a file ending in {', '.join(self.pose_suffixes)}, "
                "such as the JSON file that OpenPose writes for a photo."
                f"{'' if self.finder else needed}"
            )
        if self.finder and suffix in photo_files.SUFFIXES:
            with self._turn:
                photo = photo_files.decode(content, name, _LONGEST).image
                return self.fit_poses(self.finder(photo, name)[None])[0], ""
        poses = keypoint_files.decode(content, name)
        seen = ((row, points) for row, points in poses.items() if points[:, 2].any())
        row, joints = next(seen, ("", None))
        if joints is None:
            raise ValueError(f"{name}: no pose in it has a joint.")
        if retarget.drop_outside(joints, *self.size)[1]:
            joints = self.fit_poses(joints[None])[0]
        several = f"Took {row}, the first of {len(poses):,}."
        return joints, several if len(poses) > 1 else ""

    def about(self) -> str:
        """What the model can and cannot do, and its training data, in one line."""
        height, width = self.size
        can = _MOVES_PIXELS if self.model.architecture.needs_source_pose else _GENERATES
        data = self.model.config.get("data") or {}
        if not (count := data.get("counts", {}).get("train", {})):
            return f"{can} Images of {height}x{width} pixels; training data not known."
        images = counted(count["images"], "image")
        people = counted(count["people"], "person", "people")
        return f"{can} Trained on {images} of {people}, {height}x{width} pixels."

    def fit_poses(
        self, poses: np.ndarray, body: np.ndarray | None = None
    ) -> np.ndarray:
        """Gives poses [N, 18, 3] the size and place of the joints `body` [18, 3], moved
        into the image; the size that people have in Market-1501's photos if the body
        is not known or the poses would not fit into the image."""
        if body is not None and all(map(retarget.has_torso, (body[None], poses))):
            fitted = retarget.fit_to_body(poses, body)
            visible = fitted[..., 2] > 0
            first, last = (
                side(fitted[visible, :2], axis=0) for side in (np.min, np.max)
            )
            room = np.array(self.size[::-1]) - 1
            if (last - first <= room).all():
                fitted[visible, :2] += np.clip(0, -first, room - last)
                return fitted
        return retarget.fit_to_image(poses, *self.size, margin=MARGIN)

    def catalogue(self, body: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The single poses of the library, in the model's image; see `fit_poses`."""
        poses = pose_library.read("catalogue").items()
        return {name: self.fit_poses(one[None], body)[0] for name, one in poses}

    def generate(self, person: Person, keypoints: Any) -> Generated:
        """A batch of one: a person in a pose in pixels of the model's image."""
        poses, known = check_keypoints(keypoints)[None], person.keypoints
        sources = None if known is None else known[None]
        with self._turn:
            return self.model.batch(person.image[None], poses, source_poses=sources)

    def generate_large(self, person: Person, keypoints: Any) -> np.ndarray:
        """The same from the large photo, which must be there: uint8 [h, w, 3]."""
        checked = check_keypoints(keypoints)
        with self._turn:
            generated = self.model(
                person.large,
                checked,
                source_pose=person.large_keypoints,
                pose_fit="none",
                fit="stretch",
                max_side=_LARGE,
            )
        assert generated.large is not None, "the photo is larger than the model's"
        return generated.large


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
