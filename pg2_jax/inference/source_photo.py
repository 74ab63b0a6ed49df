"""The photo of a person, brought to the size of the model."""

import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pg2_jax import errors, files, pose
from pg2_jax.estimators.person_finder import PersonFinder
from pg2_jax.inference import paste_back, retarget, target_pose
from pg2_jax.photos import crop, photo_files

# A photo this near to the model's shape is taken whole.
_MOST_DISTORTION = 1.1
# By which legs and arms are seen: knees and ankles, elbows and wrists.
_LIMBS = {
    limbs: [i for i, name in enumerate(pose.JOINTS) if name.endswith(ends)]
    for limbs, ends in {"legs": ("knee", "ankle"), "arms": ("elbow", "wrist")}.items()
}
_HIPS = [i for i, name in enumerate(pose.JOINTS) if name.endswith("hip")]
_FARTHEST = 2.5  # longer sides of the photo from its middle that a joint may be
# What a warning says of a photo where the model `needs_source_pose`.
JOINTS_UNKNOWN = (
    "where the person's joints are is not known, so that the model cannot move the "
    "photo's own pixels."
)
_REMEDY = (
    "the joints (`source_pose`), or install an estimator: pip install 'pg2_jax[pose]'"
)


class Source(NamedTuple):
    """The photo of a person."""

    photo: Image.Image  # the whole upright photo, RGB
    image: np.ndarray  # uint8 [H, W, 3] of the model's size
    frame: crop.Frame  # which part of the photo that is
    pose: np.ndarray | None  # float32 [18, 3] in pixels of `image`; None if unknown
    pasted_back: bool  # whether the generated image will go back into the photo

    def pasted(
        self, generated: np.ndarray, target_pose: np.ndarray, complete: bool = False
    ) -> np.ndarray:
        """The whole photo with the person of a generated image, see
        `paste_back.blend`."""
        seen = self.photo, self.image, self.frame
        return paste_back.blend(*seen, generated, self.pose, target_pose, complete)


def read_source(
    image: Any,
    joints: Any,
    size: crop.Size,
    finder: PersonFinder,
    fit: str = "auto",
    pasted_back: bool = False,
    needs_joints: bool = False,
    person: int = 0,
) -> Source:
    """Reads the photo of a person, see `photo_files.to_photo`, and brings it to the
    model's (height, width). With the fit "auto" one of that size is taken as it is. Of
    any other the part around the person is taken, where the joints are known; they are
    looked for if the photo has another shape and an estimator is installed. Else a
    photo within 10 % of the model's shape is taken whole, and one of another shape
    letterboxed, with a warning, or refused if the image will be pasted back. "crop",
    "letterbox" and "stretch" are those of `crop`. A model that `needs_joints` has them
    looked for in every photo.

    The joints are in pixels of the photo: an array [18, 3], an annotation file, what
    `target_pose.read_poses` made of one, a mapping of photos' names to arrays, or None.
    `person` says which of several people is looked for, see `PersonFinder`.
    """
    photo, name, reduction = photo_files.to_photo(image)
    original = (photo.height, photo.width)
    fits = has_shape(original, size)
    body = None
    if joints is not None:
        body = _joints_of(joints, name, original, reduction)
    elif (fit == "crop" or person) or (
        finder.is_installed() and (needs_joints or (fit == "auto" and not fits))
    ):
        body = finder(photo, name, " Or give the joints (`source_pose`).", person)
    if fit == "auto":
        if body is not None:
            check_shown(body, name, original)
        known = body is not None and original != size
        fit = "crop" if known else "stretch" if fits else "letterbox"
        if fit == "letterbox":
            _check_letterbox(name, original, size, pasted_back)
    if body is not None and (turned := retarget.turned(body)):
        errors.warn(
            f"{name}: the person {turned}; if the photo was taken so, turn it upright "
            "first, for it does not say itself how it was held."
        )
    if body is None and needs_joints:
        errors.warn(f"{name}: {JOINTS_UNKNOWN} Give {_REMEDY}.")
    frame = frame_of(fit, name, original, size, body)
    stored = photo if original == size else crop.apply(photo, frame, size)
    if body is not None:
        body, _ = crop.move_keypoints(body, original, frame, size)
    return Source(photo, np.asarray(stored), frame, body, pasted_back)


def check_shown(body: np.ndarray, name: str, original: crop.Size) -> None:
    """Refuses a person [18, 3] of whom a photo shows head and shoulders alone: whatever
    is generated from that has two heads, or none."""
    seen, _ = retarget.drop_outside(body, *original)
    if not (seen[_HIPS + _LIMBS["legs"], 2] > 0).any():
        raise ValueError(
            f"{name}: the photo shows the person above the hips alone, too little for "
            "another pose. Choose one from head to hips at least."
        )


def _check_letterbox(
    name: str, original: crop.Size, size: crop.Size, pasted_back: bool
) -> None:
    """Warns of a photo that lacks joints to crop to, or refuses to paste back."""
    if pasted_back:
        raise ValueError(
            f"{name}: to paste the image back (`paste_back`) it must be known where in "
            f"the photo the person is. Give {_REMEDY}."
        )
    errors.warn(
        f"{name} is {original[1]} wide and {original[0]} high, the model's images are "
        f"{size[1]} x {size[0]}: it was letterboxed, which makes the person small. "
        f"Crop it to the person, give {_REMEDY}."
    )


def poses_as_shown(poses: np.ndarray, body: np.ndarray | None, fit: str) -> np.ndarray:
    """Poses [N, 18, 3] without the legs, or arms, that the photo does not show, with a
    warning, where the fit is "auto": the model has no pixels for them, and makes them
    up badly. `body` is the source person, [18, 3] or None."""
    if fit != "auto" or body is None or not retarget.has_torso(body[None]):
        return poses
    for limbs, joints in _LIMBS.items():
        kept = poses.copy()
        kept[:, joints] = 0
        lost = (poses[:, joints, 2] > 0).any()
        if (body[joints, 2] > 0).any() or not lost or not retarget.has_torso(kept):
            continue
        errors.warn(
            f"the person in the photo shows no {limbs}: they are left out of the "
            "poses. `pose_fit=body` or `pose_fit=image` keeps them."
        )
        poses = kept
    return poses


def has_shape(original: crop.Size, size: crop.Size) -> bool:
    """Whether a photo of (height, width) has the model's shape within 10 %."""
    distortion = (original[1] * size[0]) / (original[0] * size[1])
    return 1 / _MOST_DISTORTION <= distortion <= _MOST_DISTORTION


def frame_of(
    fit: str, name: str, original: crop.Size, size: crop.Size, joints: np.ndarray | None
) -> crop.Frame:
    """The part of a photo that is used, by a rule of `crop` other than "none"; "crop"
    itself asks for the joints, [18, 3] in pixels of the photo. Of a person without legs
    it reaches to where the feet would be."""
    errors.check_choice("fit", fit, ["auto", *crop.RULES[1:]])
    try:
        if fit == "crop" and joints is not None:
            return _around(joints, original, size)
        return crop.frame(fit, original, size, joints)
    except ValueError as error:
        raise ValueError(
            f"{name}: too little of a person is known to crop to: {error}."
        ) from error


def _around(joints: np.ndarray, original: crop.Size, size: crop.Size) -> crop.Frame:
    seen, _ = retarget.drop_outside(joints, *original)
    feet = retarget.expected_feet(seen)
    if (seen[_LIMBS["legs"], 2] > 0).any() or feet is None:
        return crop.frame("crop", original, size, joints)
    seen[_LIMBS["legs"][-1]] = *np.clip(feet, 0, (original[1] - 1, np.inf)), 1
    # As if the photo went on; what it does not have repeats its edge.
    tall = feet[1] - seen[seen[:, 2] > 0, 1].min()
    room = max(original[0], math.ceil(feet[1] + crop.MARGIN * tall)), original[1]
    whole = crop.Box(0, 0, original[1], original[0])
    return crop.cut(crop.frame("crop", room, size, seen), whole)


def _joints_of(
    joints: Any, name: str, original: crop.Size, reduction: int
) -> np.ndarray:
    """The joints of a photo of that size, which was read at a part of its file's."""
    place = "source_pose"
    if isinstance(joints, str | os.PathLike):
        place = os.fspath(joints)
        joints = target_pose.annotated(joints)
    if isinstance(joints, target_pose.Poses):
        place, joints = joints.place, joints.poses
    if isinstance(joints, Mapping):
        try:
            called, joints = target_pose.pose_of_photo(joints, name)
        except ValueError as error:
            if place == "source_pose":
                raise ValueError(f"{place}{error}") from error
            raise errors.ArgumentError("source_pose", place, f"{error}") from error
        of, photo = pathlib.PurePath(called), pathlib.PurePath(name)
        # It may have been converted, and not all formats name photos.
        both = photo_files.is_photo(of) and photo_files.is_photo(photo)
        if both and files.same_name(of.stem) != files.same_name(photo.stem):
            errors.warn(
                f"{place}: its joints are those of {of.name}, and are used for "
                f"{photo.name} all the same; check that they belong to it "
                "(`source_pose`)."
            )
    with errors.said_of(place):
        points = target_pose.checked_pose(joints)
    points = points / np.array([reduction, reduction, 1], np.float32)
    _check_places(points, place, name, original)
    return points


def _check_places(
    points: np.ndarray, place: str, name: str, original: crop.Size
) -> None:
    """Refuses joints [18, 3] that are not those of a photo of that size."""
    size = (
        f"the photo, which is {original[1]} wide and {original[0]} high (`source_pose`)"
    )
    if not retarget.drop_outside(points, *original)[0][:, 2].any():
        raise ValueError(f"{place}: no joint of {name} lies inside {size}.")
    # Estimators guess legs that a photo cuts off, but not so far.
    middle, reach = np.array(original[::-1]) / 2, _FARTHEST * max(original)
    far = (np.abs(points[:, :2] - middle) > reach).any(axis=1) & (points[:, 2] > 0)
    if far.any():
        first = int(np.flatnonzero(far)[0])
        joint, (x, y) = pose.JOINTS[first].replace("_", " "), points[first, :2]
        raise ValueError(
            f"{place}: the {joint} of {name} is at x = {x:g}, y = {y:g}, far outside "
            f"{size}."
        )
