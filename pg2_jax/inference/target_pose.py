"""Poses: from files, photos, arrays and the library, into the model's image."""

import difflib
import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image

from pg2_jax import errors, pose
from pg2_jax.estimators.person_finder import PersonFinder
from pg2_jax.inference import pose_library, retarget
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import arrays, crop, photo_files

FITS = ("auto", "body", "image", "none")


class Poses(NamedTuple):
    """Poses as they were handed in."""

    poses: dict[str, np.ndarray]  # name -> float32 [18, 3]
    place: str  # for messages
    # Whether the unit is that of an annotation, of which it is said what image it
    # belongs to; otherwise they must be fitted.
    pixels: bool
    alone: bool = False  # whether they are no sequence


def read_poses(given: Any, name: str, finder: PersonFinder) -> Poses:
    """Reads one or several poses; unreadable ones, or an unknown name, are a
    ValueError.

    `given` is what this has returned; an array [18, 3] or [N, 18, 3]; a mapping of such
    by name; an annotation file or folder in any format of `keypoint_files`; a photo, a
    file or a Pillow image, whose person the finder looks for; a set of `pose_library`,
    or one pose of it, such as "catalogue/back". A name takes this one of several.
    """
    if isinstance(given, Poses):
        return given
    if isinstance(given, str | os.PathLike):
        return _from_path(given, name, finder)
    if isinstance(given, Image.Image):
        photo, place = arrays.to_photo(given)
        return _of_photo(photo, "pose", place, finder)
    if not isinstance(given, Mapping):
        try:
            several = np.ndim(given) == 3
        except ValueError:
            several = False  # Lists of different lengths.
        listed = given if several else [given]
        given = {f"{i:02d}": points for i, points in enumerate(listed)}
    named = {str(key): checked_pose(value) for key, value in given.items()}
    if not named:
        raise ValueError("There is no pose.")
    return Poses(_chosen(named, name, "the poses"), "the pose", pixels=True)


def checked_pose(points: Any) -> np.ndarray:
    """A pose as float32 [18, 3]; what is none is a ValueError."""
    try:
        array = np.asarray(points, np.float32)
    except (TypeError, ValueError):
        array = np.zeros((), np.float32)
    if array.shape != (18, 3):
        known = {17: "COCO's 17", 25: "BODY_25's", 33: "BlazePose's"}
        shape = str(list(array.shape)) if array.ndim else ""
        if array.ndim and len(array) in known:
            shape += f", {known[len(array)]} points"
        raise ValueError(
            "A pose is an array [18, 3] of (x, y, visible) in OpenPose's COCO-18 "
            f"order; got {shape or type(points).__name__}."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "A pose holds a number that is not finite; a missing point is (0, 0, 0)."
        )
    return array


def fit_poses(
    poses: Poses,
    size: crop.Size,
    body: np.ndarray | None,
    fit: str,
    pose_size: crop.Size | None,
    *,
    mirror: bool = False,
) -> dict[str, np.ndarray]:
    """Brings poses into the model's image of (height, width) `size`: name -> float32
    [18, 3] in its pixels; points outside are missing.

    The fit "body" gives them size and place of the source person, whose joints [18, 3]
    are `body` (`retarget.fit_to_body`); "image" fits them as if a photo had been
    cropped to the pose (`fit_to_image`); with "none" pixels are those of the model, or
    of an image of (height, width) `pose_size`; "auto" is body if `body` has a torso,
    else image for poses of photos and of the library, and none for others. Most points
    outside, or a fit that cannot be done, is a ValueError.
    """
    errors.check_choice("pose_fit", fit, FITS)
    stacked = np.stack(list(poses.poses.values()))
    if mirror:
        width = (pose_size or size)[1]
        stacked = np.asarray(pose.flip_keypoints(jnp.asarray(stacked), width))
    if fit == "auto":
        fit = "none" if poses.pixels else "image"
        if body is not None and retarget.has_torso(np.stack([body])):
            fit = "body" if retarget.has_torso(stacked) else fit
    if fit == "none":
        return _scaled(poses, stacked, size, pose_size or size)
    if fit == "body" and body is None:
        rule = " needs the joints of the source person (source_pose)."
        raise errors.ArgumentError("pose_fit", fit, rule)
    try:
        if body is not None and fit == "body":
            stacked = retarget.fit_to_body(stacked, body)
        else:
            stacked = retarget.fit_to_image(stacked, *size, alone=poses.alone)
    except ValueError as error:
        raise ValueError(f"{poses.place}: {error}") from error
    return _cut(poses, stacked, size)


def _scaled(
    poses: Poses, stacked: np.ndarray, size: crop.Size, pose_size: crop.Size
) -> dict[str, np.ndarray]:
    """Poses in pixels of an image of `pose_size` in those of the model; refuses one of
    which most lies outside that image."""
    (height, width), scaled = pose_size, {}
    scale = np.array([size[1] / width, size[0] / height, 1], np.float32)
    for name, points in zip(poses.poses, stacked, strict=True):
        kept, outside = retarget.drop_outside(points, height, width)
        inside = int(kept[:, 2].sum())
        what = (
            f"{poses.place}: {name}: {outside} points lie outside an image of "
            f"{height}x{width} and"
        )
        if outside >= inside:
            raise ValueError(
                f"{what} {inside} inside. Say with pose_size which image the pose is "
                'of, or fit it to the image with the pose fit "image".'
            )
        if outside:
            warnings.warn(
                f"{what} are left out; pose_size says which image the pose is of.",
                stacklevel=5,
            )
        scaled[name] = retarget.drop_outside(kept * scale, *size)[0]
    return scaled


def _cut(poses: Poses, stacked: np.ndarray, size: crop.Size) -> dict[str, np.ndarray]:
    """Poses that have their place in the model's image, without what lies outside."""
    fitted, cut = {}, []
    for name, points in zip(poses.poses, stacked, strict=True):
        fitted[name], outside = retarget.drop_outside(points, *size)
        if not fitted[name].any():
            raise ValueError(
                f"{poses.place}: {name}: all joints lie outside the image of "
                f'{size[0]}x{size[1]}. The pose fit "image" shows the whole pose.'
            )
        if outside:
            cut.append(f"{name} ({errors.counted(outside, 'joint')})")
    if cut:
        warnings.warn(
            f"{poses.place}: the body is so large in the image that {len(cut)} of "
            f"{len(fitted)} poses reach beyond it; the joints outside are left out: "
            f"{', '.join(cut[:3])}{', ...' if cut[3:] else ''}. "
            'The pose fit "image" shows whole poses.',
            stacklevel=5,
        )
    return fitted


def pose_of_photo(poses: Mapping[str, np.ndarray], photo: str, place: str) -> Any:
    """The pose of a photo: that of its name, or the only one; `place` says in messages
    where the poses are from. Several, none of them of that name, are a ValueError."""
    full = pathlib.PurePath(photo)
    for name in (photo, f"{full.parent.name}/{full.name}", full.name, full.stem):
        if name in poses:
            return poses[name]
    if len(poses) == 1:
        return next(iter(poses.values()))
    raise ValueError(f"{place} holds {len(poses)} poses, none of them of {full.name}.")


def _from_path(given: str | os.PathLike[str], name: str, finder: PersonFinder) -> Poses:
    path, text = pathlib.Path(given).expanduser(), os.fspath(given)
    library, _, one = text.partition("/")
    if not path.exists():
        if library in pose_library.NAMES:
            named = pose_library.read(library)
            alone = library in pose_library.SINGLE
            return Poses(_chosen(named, one or name, library), text, False, alone)
        sets = ", ".join(pose_library.NAMES)
        raise ValueError(
            f"{text}: there is no such file or folder, and no such set of poses "
            f"({sets})."
        )
    if path.suffix.lower() in photo_files.SUFFIXES:
        return _of_photo(photo_files.load(path).image, path.stem, text, finder)
    return Poses(_chosen(annotated(path), name, text), text, pixels=True)


def _of_photo(photo: Image.Image, name: str, place: str, finder: PersonFinder) -> Poses:
    points = finder(photo, place, " Or give the pose as a keypoint file.")
    return Poses({name: points}, place, pixels=False)


def annotated(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The poses of an annotation file or folder, without those that show nobody, of
    which it warns. A file that cannot be read, or shows nobody, is a ValueError."""
    poses = keypoint_files.read(pathlib.Path(path).expanduser())
    seen = {name: points for name, points in poses.items() if points[:, 2].any()}
    if not seen:
        raise ValueError(f"{path}: no person was found in any photo of this file.")
    if len(seen) < len(poses):
        missing = [name for name in poses if name not in seen]
        warnings.warn(
            f"{path}: {len(missing)} of {len(poses)} poses have no joint and are left "
            f"out: {', '.join(missing[:3])}" + (", ..." if missing[3:] else "."),
            stacklevel=5,
        )
    return seen


def _chosen(
    poses: dict[str, np.ndarray], name: str, place: str
) -> dict[str, np.ndarray]:
    if not name:
        return poses
    if name not in poses:
        close = difflib.get_close_matches(name, poses, n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise errors.ArgumentError("pose_name", name, f" is not in {place}.{hint}")
    return {name: poses[name]}
