"""The points of one person as pose estimators write them in JSON.

They stand one after the other, in rows, in columns or as objects; in pixels of the
photo or in fractions of it.
"""

from typing import Any, NamedTuple

import numpy as np

from pg2_jax.keypoints import layouts
from pg2_jax.keypoints.base import Size, shown

_FLAT = ("pose_keypoints_2d", "pose_keypoints", "joints")
KEYS = (*_FLAT, "keypoints", "landmark")
SCORES = ("keypoint_scores", "keypoints_visible", "scores")
_CONFIDENCES = ("score", "visibility", "confidence")


class Layout(NamedTuple):
    """What a file says of the points of a photo."""

    size: Size | None = None  # (height, width)
    # Whether the coordinates are fractions, even where none shows it.
    fractions: bool = False
    # Whether the neck is what it says, see `estimator_json`.
    own_neck: bool = True


def read(
    what: str, person: Any, layout: Layout, photo_size: Size | None
) -> np.ndarray | None:
    """A person's points, float32 [18, 3] = (x, y, confidence) in pixels; None without
    any. (height, width) `photo_size` is used where the file says none; other points are
    a ValueError that `what` begins."""
    key, values = "points", person
    if isinstance(person, dict):
        found = [key for key in KEYS if key in person]
        if not found:
            rule = f"expected one of the keys {', '.join(KEYS)}"
            raise ValueError(f"{what}: {rule}; there is {held(person)}")
        key, values = found[0], person[found[0]]
    what = f"{what}: {key}"
    if values is None or values == []:
        return None
    if isinstance(values, dict):
        values = _columns(what, values)
    if not isinstance(values, list):
        raise ValueError(f"{what} is {shown(values)}, expected a list")
    names = None
    if all(isinstance(value, dict) for value in values):
        points = _from_objects(what, values)
        names = [value.get("name", value.get("part")) for value in values]
    elif all(isinstance(value, list) for value in values):
        scores = [person[k] for k in SCORES if k in person] or [None]
        points = _from_rows(what, values, scores[0])
    else:
        points = layouts.from_flat(what, values)
        if key in _FLAT and layout.size is None:
            _refuse_signed(what, points)
    is_named = names and all(isinstance(name, str) for name in names)
    pose = layouts.to_coco_18(what, points, names if is_named else None)
    if not layout.own_neck:
        pose = layouts.with_middle_neck(pose)
    fractions = layout.fractions or key.startswith("landmark")
    return _in_pixels(what, pose, fractions, layout.size or photo_size)


def is_point(value: Any) -> bool:
    """Whether it is an object with a place."""
    return isinstance(value, dict) and "x" in value and "y" in value


def are_rows(value: Any, count: int, columns: int) -> bool:
    """Whether it is so many rows of so many numbers, or of what is no list."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(row, list) and len(row) == columns for row in value)
        and not any(isinstance(x, list | dict) for row in value for x in row)
    )


def held(content: Any) -> str:
    """What a file holds, in a few words."""
    if isinstance(content, list):
        first = f", the first of it {held(content[0])}" if content else ""
        return f"a list of {len(content):,}{first}"
    if isinstance(content, dict):
        keys = ", ".join(shown(key) for key in list(content)[:8])
        return f"an object with the keys {keys or 'none'}"
    return shown(content)


def _columns(what: str, values: dict[str, Any]) -> list[list[Any]]:
    """Lists x, y and visible or confidence as rows."""
    sure = [values[k] for k in ("visible", *_CONFIDENCES) if k in values]
    try:
        columns = zip(values["x"], values["y"], *sure[:1], strict=True)
        return [list(row) for row in columns]
    except (KeyError, TypeError, ValueError) as error:
        rule = "expected lists x and y"
        raise ValueError(f"{what} is {held(values)}, {rule}") from error


def _from_rows(what: str, rows: list[list[Any]], scores: Any) -> np.ndarray:
    if scores is not None and any(len(row) > 2 for row in rows):
        raise ValueError(
            f"{what} has rows of {max(map(len, rows))} beside their scores: places in "
            "space, as of MMPose's 3D models; expected x, y in the photo"
        )
    columns = min(len(rows[0]), 3) if scores is None else 2
    if any(len(row) < columns for row in rows) or columns < 2:
        raise ValueError(f"{what} has rows of {len(rows[0])}, expected x, y or more")
    if scores is not None:
        if not isinstance(scores, list) or len(scores) != len(rows):
            raise ValueError(f"{what}: expected {len(rows)} scores of its points")
        rows = [[*row, sure] for row, sure in zip(rows, scores, strict=True)]
        columns = 3
    flat = [value for row in rows for value in row[:columns]]
    points = layouts.points_of(what, flat, columns)
    # What these tools have not found they put at the origin, however sure.
    points[:, 2] *= (points[:, :2] != 0).any(axis=1)
    return points


def _from_objects(what: str, points: list[dict[str, Any]]) -> np.ndarray:
    flat: list[Any] = []
    for point in points:
        place = point.get("position", point)  # PoseNet
        if not is_point(place):
            raise ValueError(f"{what} holds {held(point)}, expected x and y")
        # MediaPipe has null where a model tells no visibility.
        told = (point[key] for key in _CONFIDENCES if point.get(key) is not None)
        flat += [place["x"], place["y"], next(told, 1)]
    return layouts.points_of(what, flat, 3)


def _refuse_signed(what: str, points: np.ndarray) -> None:
    """Refuses coordinates from -1 to 1, which could be taken for fractions whose
    negative ones are missing."""
    places = points[points[:, 2] > 0, :2]
    if len(places) and -1 <= places.min() < 0 and places.max() <= 1:
        raise ValueError(
            f"{what}: coordinates from -1 to 1 (OpenPose's keypoint_scale 4 or 6); "
            "expected pixels (keypoint_scale 0), or fractions of the photo (3)"
        )


def _in_pixels(
    what: str, pose: np.ndarray, fractions: bool, size: Size | None
) -> np.ndarray:
    places = pose[pose[:, 2] > 0, :2]
    if not fractions:
        # Whoever leaves the photo has fractions above 1; they need its size anyway.
        most = 1 if size is None else 2
        fractions = bool(places.size and places.max() <= most and (places % 1).any())
    if not fractions:
        return pose
    if size is None:
        raise ValueError(
            f"{what}: all coordinates are fractions of the photo, whose size the file "
            "does not say; expected pixels (OpenPose's keypoint_scale 0), or the "
            "photo's size (pose_size, photo_size)"
        )
    return (pose * [size[1], size[0], 1]).astype(np.float32)
