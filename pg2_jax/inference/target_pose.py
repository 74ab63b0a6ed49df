"""Poses: from files, photos, arrays and the library."""

import difflib
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pg2_jax import errors, files
from pg2_jax.estimators.person_finder import PersonFinder
from pg2_jax.inference import pose_library
from pg2_jax.keypoints import (
    MIN_CONFIDENCE,
    base,
    frame_numbers,
    keypoint_files,
    people,
)
from pg2_jax.photos import crop, photo_files


class Poses(NamedTuple):
    """Poses as they were handed in."""

    poses: dict[str, np.ndarray]  # name -> float32 [18, 3]
    place: str  # for messages
    # Whether the unit is that of an annotation, of which it is said what image it
    # belongs to; otherwise they must be fitted.
    pixels: bool
    alone: bool = False  # whether they are no sequence
    # (height, width) of the images that they are of, by name, where the file says it.
    sizes: Mapping[str, crop.Size] = {}


def read_poses(
    given: Any,
    name: str,
    finder: PersonFinder,
    pose_person: int = 1,
    size: crop.Size | None = None,
    min_confidence: float = MIN_CONFIDENCE,
    *,
    sequence: bool = False,
) -> Poses:
    """Reads one or several poses.

    `given` is what this has returned; an array [18, 3] or [N, 18, 3]; a mapping of such
    by name; an annotation file or folder in any format of `keypoint_files`; a photo, a
    file or a Pillow image, whose person the finder looks for; a set of `pose_library`,
    or one pose of it, such as "catalogue/back". A name takes this one of several. Of
    several people in a file `pose_person` chooses, counted from 1, the largest; a
    `sequence` is of one person, who is followed through its frames, and keeps those
    that do not show them. `size` is that of the image where the file holds fractions of
    one, and joints that an estimator is less sure of than `min_confidence` are missing.
    """
    if isinstance(given, Poses):
        return given
    if isinstance(given, Image.Image):
        photo, place, _ = photo_files.to_photo(given)
        return _of_photo(photo, "pose", place, finder)
    if not isinstance(given, str | os.PathLike):
        return Poses(_chosen(_named(given), name, "the poses"), "the pose", pixels=True)
    path, text = pathlib.Path(given).expanduser(), os.fspath(given)
    if not path.exists():
        return _of_library(text, name, "poses" if sequence else "pose")
    if photo_files.is_photo(path):
        return _of_photo(photo_files.to_photo(text)[0], path.stem, text, finder)
    placed = keypoint_files.read_placed(
        path, photo_size=size, min_confidence=min_confidence
    )
    if sequence:
        placed, notes = frame_numbers.in_order(placed, by_name=path.is_dir())
        for note in notes:
            errors.warn(f"{text}: {note}")
    poses = _of_person(placed, text, pose_person, sequence)
    sizes = {name: found.size for name, found in placed.items() if found.size}
    return Poses(_chosen(poses, name, text), text, pixels=True, sizes=sizes)


def _named(given: Any) -> dict[str, np.ndarray]:
    """Arrays, or a mapping of them, as poses by name."""
    if not isinstance(given, Mapping):
        try:
            several = np.ndim(given) == 3
        except ValueError:
            several = False  # Lists of different lengths.
        listed = given if several else [given]
        given = {f"{i:02d}": points for i, points in enumerate(listed)}
    if not given:
        raise ValueError("There is no pose.")
    return {str(key): checked_pose(value) for key, value in given.items()}


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


def pose_of_photo(poses: Mapping[str, np.ndarray], photo: str) -> tuple[str, Any]:
    """The pose of a photo, with the name that it has among the poses: that of the
    photo, or the only one. Else a ValueError, to be said of where they are from."""
    full = pathlib.PurePath(photo)
    by_name = {files.same_name(name): name for name in poses}
    for name in (photo, f"{full.parent.name}/{full.name}", full.name, full.stem):
        if (found := by_name.get(files.same_name(name))) is not None:
            return found, poses[found]
    if len(poses) != 1:
        raise ValueError(f" holds {len(poses)} poses, none of them of {full.name}.")
    return next(iter(poses.items()))


def _of_library(text: str, name: str, argument: str) -> Poses:
    """A set of poses, or "set/pose"; the argument is for the message."""
    library, _, one = text.partition("/")
    if library not in pose_library.NAMES:
        sets = ", ".join(pose_library.NAMES)
        rule = f": there is no such file or folder, and no such set of poses ({sets})"
        hints = [
            f"{each}/{text}"
            for each in pose_library.SINGLE
            if text in pose_library.read(each)
        ]
        rule += f"; did you mean {hints[0]}?" if hints else "."
        raise errors.ArgumentError(argument, text, rule)
    poses = pose_library.read(library)
    if one:
        within = {f"{library}/{each}": points for each, points in poses.items()}
        chosen = _chosen(within, text, library, argument)
        poses = {one: chosen[text]}
    else:
        poses = _chosen(poses, name, library)
    return Poses(poses, text, pixels=False, alone=library in pose_library.SINGLE)


def _of_person(
    placed: Mapping[str, base.Pose], place: str, number: int, sequence: bool
) -> dict[str, np.ndarray]:
    """The poses of the person who is meant; in a sequence with empty frames."""
    frames = [found.people for found in placed.values()]
    most = max(map(len, frames))
    if not most:
        raise ValueError(f"{place}: no person was found in any photo of this file.")
    if not 1 <= number <= most:
        rule = f" must be from 1 to {most}: {place} shows no more people at once."
        raise errors.ArgumentError("pose_person", number, rule)
    several = sum(len(people) > 1 for people in frames)
    if sequence and several:
        errors.warn(
            f"{place}: several people in {several} of {len(frames)} frames; "
            f"followed is number {number} by size of the first frame with so many "
            "(`pose_person`)."
        )
    if sequence:
        tracks = [found.tracks for found in placed.values()]
        mine = people.follow(frames, number, tracks)
    else:
        mine = [x[number - 1] if len(x) >= number else None for x in frames]
    nobody = np.zeros((18, 3), np.float32)
    whole = [nobody if points is None else points for points in mine]
    poses = dict(zip(placed, whole, strict=True))
    return poses if sequence else _seen(poses, place)


def _of_photo(photo: Image.Image, name: str, place: str, finder: PersonFinder) -> Poses:
    points = finder(photo, place, " Or give the pose as a keypoint file.", None)
    return Poses({name: points}, place, pixels=False)


def annotated(
    path: files.PathLike, min_confidence: float = MIN_CONFIDENCE
) -> dict[str, np.ndarray]:
    """The poses of an annotation file or folder that show somebody."""
    there = pathlib.Path(path).expanduser()
    poses = keypoint_files.read(there, min_confidence=min_confidence)
    return _seen(poses, os.fspath(path))


def _seen(poses: dict[str, np.ndarray], place: str) -> dict[str, np.ndarray]:
    """The poses that show somebody; warns of others, refuses none."""
    seen = {name: points for name, points in poses.items() if points[:, 2].any()}
    if not seen:
        raise ValueError(f"{place}: no person was found in any photo of this file.")
    if len(seen) < len(poses):
        missing = [name for name in poses if name not in seen]
        errors.warn(
            f"{place}: {len(missing)} of {len(poses)} poses have no joint and are left "
            f"out: {errors.few(missing)}."
        )
    return seen


def _chosen(
    poses: dict[str, np.ndarray], name: str, place: str, argument: str = "pose_name"
) -> dict[str, np.ndarray]:
    if not name:
        return poses
    if name not in poses:
        close = difflib.get_close_matches(name, poses, n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise errors.ArgumentError(argument, name, f" is not in {place}.{hint}")
    return {name: poses[name]}
