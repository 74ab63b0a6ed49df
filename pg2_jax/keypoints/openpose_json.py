"""OpenPose's JSON: one file per photo, with every person found on it.

Keys `pose_keypoints_2d` or, in old files, `pose_keypoints`; 18 points (COCO) or 25
(BODY_25), each (x, y, confidence). Confidence 0 or a negative coordinate means missing.
Of several people the one with the largest sum of confidences is taken.

A file does not name its photo. Its stem, without `_keypoints`, does; files written here
also hold "image_name", because the stem lacks the photo's suffix.
"""

import functools
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import shown

SUFFIX = "_keypoints.json"
# Position in BODY_25 of each COCO-18 point: BODY_25 adds the mid hip (8) and six foot
# points (19-24).
_BODY_25_TO_COCO_18 = (*range(8), *range(9, 19))


def photo_name(path: pathlib.PurePath) -> str:
    """The photo's name as a file's path gives it: without suffix."""
    return (path.parent / path.stem.removesuffix("_keypoints")).as_posix()


def entries(
    path: pathlib.Path, content: dict[str, Any], name: str, *, may_be_empty: bool
) -> Iterator[base.Entry]:
    """Yields the one pose of a file; `name` is the photo's unless the file tells it. A
    file without people may be empty in a folder of files: 18 missing points."""
    yield base.Entry(str(path), functools.partial(_parse, content, name, may_be_empty))


def write_folder(
    folder: str | os.PathLike[str], annotations: Mapping[str, np.ndarray]
) -> None:
    """Writes poses [18, 3] by photo name as a folder of one file per photo, which
    appears whole or not at all; it must not exist, or be empty. Two photos of one stem
    are a ValueError."""
    places: dict[pathlib.PurePosixPath, str] = {}
    for name, keypoints in annotations.items():
        base.check_name(name)
        base.check_pose(name, keypoints)
        place = pathlib.PurePosixPath(name).with_suffix("")
        if place in places:
            raise ValueError(
                f"{name!r} and {places[place]!r} would both be {place}{SUFFIX}"
            )
        places[place] = name
    with files.replacing_folder(folder) as built:
        for place, name in places.items():
            file = built / f"{place}{SUFFIX}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_format(name, annotations[name]), encoding="utf-8")


def write_file(path: str | os.PathLike[str], name: str, keypoints: np.ndarray) -> None:
    """Writes the file of one photo's pose [18, 3], whole or not at all."""
    base.check_name(name)
    base.check_pose(name, keypoints)
    files.write_text(path, _format(name, keypoints))


def _format(name: str, keypoints: np.ndarray) -> str:
    points = [base.plain_number(value) for value in np.ravel(keypoints)]
    people = [{"person_id": [-1], "pose_keypoints_2d": points}]
    if not np.asarray(keypoints)[:, 2].any():
        people = []
    content = {"version": 1.3, "image_name": name, "people": people}
    return json.dumps(content, ensure_ascii=False) + "\n"


def _parse(
    content: dict[str, Any], name: str, may_be_empty: bool
) -> tuple[str, np.ndarray]:
    name = content.get("image_name", name)
    if not isinstance(name, str):
        raise ValueError(f'"image_name" is {shown(name)}, expected text')
    people = content.get("people")
    if people == [] and may_be_empty:
        return name, np.zeros((base.NUM_KEYPOINTS, 3), np.float32)
    if not isinstance(people, list) or not people:
        raise ValueError(
            'holds no person: OpenPose JSON has a list "people" with at least one entry'
        )
    candidates = [_parse_person(i, person) for i, person in enumerate(people)]
    points = max(candidates, key=lambda candidate: candidate[:, 2].sum())
    return name, base.from_coordinates(points[:, 0], points[:, 1], points[:, 2] > 0)


def _parse_person(index: int, person: Any) -> np.ndarray:
    person = person if isinstance(person, dict) else {}
    key = "pose_keypoints_2d" if "pose_keypoints_2d" in person else "pose_keypoints"
    values = person.get(key)
    if not isinstance(values, list):
        raise ValueError(
            f'person {index}: expected a list "pose_keypoints_2d" or "pose_keypoints"'
        )
    if len(values) not in (18 * 3, 25 * 3):
        raise ValueError(
            f"person {index}: {key} has {len(values)} values, expected 18 x 3 or "
            "25 x 3 (BODY_25)"
        )
    points = base.numbers(f"person {index}: {key}", values).reshape(-1, 3)
    # OpenPose writes fractions of the photo with --keypoint_scale.
    places = points[points[:, 2] > 0, :2]
    if places.size and places.max() <= 1 and (places % 1 > 0).any():
        raise ValueError(
            f"person {index}: all coordinates are at most 1, fractions of the photo; "
            "expected pixels (OpenPose's keypoint_scale 0)"
        )
    return points[list(_BODY_25_TO_COCO_18)] if len(points) == 25 else points
