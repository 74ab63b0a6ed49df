"""JSON as pose estimators write it: the people of one photo, or frame after frame.

| tool | a photo | a person |
| --- | --- | --- |
| OpenPose 1.0 to 1.7, ControlNet, DWPose, ComfyUI | "people" | "pose_keypoints_2d" or "pose_keypoints" |
| AlphaPose for OpenPose and CMU-Pose | "people" or "bodies", by photo | "pose_keypoints_2d", "joints" |
| PoseFlow | the list of people, by photo | "keypoints", "idx" |
| MMPose | "instances", or the list of people alone | "keypoints", "keypoint_scores" |
| rtmlib's arrays | "keypoints" [P, K, 2], "scores" [P, K] | |
| MoveNet, PoseNet (tfjs) | the list of people, or [1, 1, 17, 3] = (y, x, score) | "keypoints" of {x, y, score, name} |
| ultralytics | the list of people | "keypoints" of lists x, y, visible |
| OpenPifPaf | the list of people, of a video "predictions" | "keypoints" |
| MediaPipe | "landmarks", "pose_landmarks" or "poseLandmarks" | 33 of {x, y, visibility} |

A list of photos, or one in each line of the file, is one of frames, counted from 0; a
list of 18 rows, or of several such, is our own array as JSON. Points are those of any skeleton of
`layouts`, with a confidence or without. Pixels are those of the photo; fractions of it
need its size, which the photo says as "canvas_height" and "canvas_width" or the like.
Of several people the largest complete one is taken (`people.order`), of those about as
large the surest; a person without points is passed over.

No photo is named in most of these files. The file's stem, without `_keypoints`, names
it; files written here also hold "image_name", because the stem lacks the suffix.
"""  # noqa: E501

import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from pg2_jax.keypoints import base, layouts
from pg2_jax.keypoints.base import shown

_PEOPLE = (
    "people",
    "predictions",
    "bodies",
    "instances",
    "landmarks",
    "pose_landmarks",
    "poseLandmarks",
)
_LANDMARKS = _PEOPLE[4:]
_FLAT = ("pose_keypoints_2d", "pose_keypoints", "joints")
_POINTS = (*_FLAT, "keypoints", "landmark")
_CONFIDENCES = ("score", "visibility", "confidence")
_SCORES = ("keypoint_scores", "keypoints_visible", "scores")
_SIZES = (
    ("canvas_height", "canvas_width"),
    ("image_height", "image_width"),
    ("img_h", "img_w"),
    ("height", "width"),
)
KNOWN = (
    'OpenPose, ControlNet and DWPose ("people"), AlphaPose ("image_id" and '
    '"keypoints", or "bodies"), MMPose ("instances", or "keypoints" and '
    '"keypoint_scores"), COCO ("images" and "annotations"), MediaPipe ("landmarks"), '
    'MoveNet and ultralytics ("keypoints" with x and y)'
)


class _Photo(NamedTuple):
    """One photo or frame, not yet checked."""

    people: Any
    name: str = ""
    size: base.Size | None = None
    # Whether its coordinates are fractions, even where none shows it.
    fractions: bool = False


def entries(
    path: pathlib.Path,
    content: Any,
    name: str,
    *,
    may_be_empty: bool,
    photo_size: base.Size | None = None,
) -> Iterator[base.Entry]:
    """Yields the photos of a file. `name` is that of a photo which the file does not
    name; frames have their number behind it. A photo without people may be empty in a
    folder of files and among other frames: no person. (height, width) `photo_size` is
    that of photos whose size the file does not say."""
    photos = list(_photos(path, content))
    for number, photo in enumerate(photos):
        place, own = str(path), name
        if len(photos) > 1:
            place, own = f"{path}: frame {number}", f"{name}_{number:06d}"
        photo = photo._replace(size=photo.size or photo_size, name=photo.name or own)
        may_be = may_be_empty or len(photos) > 1
        yield base.Entry(place, functools.partial(_parse, photo, may_be))


def _photos(path: pathlib.Path, content: Any) -> Iterator[_Photo]:
    """The photos of a file by the rules above; another content is a ValueError."""
    if isinstance(content, dict):
        for key in ("instance_info", "predictions"):  # MMPose, its demo and its API
            if isinstance(content.get(key), list):
                content = content[key]
                break
    if isinstance(content, dict):
        if _is_photo(content) or _is_person(content):
            yield _photo(content)
            return
        if content and all(_is_photo(x) or _is_people(x) for x in content.values()):
            for name, photo in content.items():
                yield _photo(photo)._replace(name=name)
            return
    if _is_array(content):
        content = [{"keypoints": content}]
    elif isinstance(content, list) and content and all(map(_is_array, content)):
        content = [[{"keypoints": points}] for points in content]
    if isinstance(content, list) and np.shape(_nested(content)) == (1, 1, 17, 3):
        turned = np.array(content)[0, 0][:, [1, 0, 2]]
        yield _Photo([{"keypoints": turned.tolist()}], fractions=True)
        return
    if isinstance(content, list):
        if not content:
            yield _Photo([])
            return
        if all(map(_is_point, content)):
            yield _Photo([content], fractions=True)
            return
        if all(map(_is_person, content)):
            yield _Photo(content, fractions=all(isinstance(x, list) for x in content))
            return
        if all(_is_photo(x) or _is_people(x) for x in content):
            for photo in content:
                yield _photo(photo)
            return
    raise ValueError(f"{path}: JSON of no known tool: {_held(content)}; known: {KNOWN}")


def _nested(content: list[Any]) -> Any:
    """The content if it could be a small array of numbers, else an empty list."""
    depth, inner = 0, content
    while isinstance(inner, list) and len(inner) == 1 and depth < 2:
        inner, depth = inner[0], depth + 1
    rows = isinstance(inner, list) and all(isinstance(x, list) for x in inner)
    is_small = depth == 2 and rows and all(len(x) == 3 for x in inner)
    return content if is_small else []


def _photo(content: Any) -> _Photo:
    if isinstance(content, list):
        return _Photo(content)
    size = next(filter(None, (base.size_in(content, *keys) for keys in _SIZES)), None)
    key = next((key for key in _PEOPLE if key in content), None)
    people = [content] if key is None else content[key]
    name, number = content.get("image_name", ""), content.get("frame_id")
    if isinstance(number, int) and not name:
        name = f"{number:06d}"
    return _Photo(people, name, size, fractions=key in _LANDMARKS)


def _is_photo(value: Any) -> bool:
    return isinstance(value, dict) and any(key in value for key in _PEOPLE)


def _is_people(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_person, value))


def _is_person(value: Any) -> bool:
    if isinstance(value, dict):
        return any(key in value for key in _POINTS)
    return isinstance(value, list) and len(value) > 0 and all(map(_is_point, value))


def _is_array(value: Any) -> bool:
    """Whether it is a pose [18, 3]. Fewer points might be MoveNet's, (y, x, score)."""
    if not isinstance(value, list) or len(value) != 18:
        return False
    are_rows = all(isinstance(row, list) and len(row) == 3 for row in value)
    return are_rows and not any(
        isinstance(x, list | dict) for row in value for x in row
    )


def _is_point(value: Any) -> bool:
    return isinstance(value, dict) and "x" in value and "y" in value


def _held(content: Any) -> str:
    """What a file holds, in a few words."""
    if isinstance(content, list):
        return f"a list of {len(content):,}, the first of it {_held(content[0])}"
    if isinstance(content, dict):
        keys = ", ".join(shown(key) for key in list(content)[:8])
        return f"an object with the keys {keys or 'none'}"
    return shown(content)


def _parse(photo: _Photo, may_be_empty: bool) -> base.Found:
    if not isinstance(photo.name, str):
        raise ValueError(f'"image_name" is {shown(photo.name)}, expected text')
    people = photo.people
    if isinstance(people, dict):
        people = [people]
    if isinstance(people, list) and people and all(map(_is_point, people)):
        people = [people]
    if not isinstance(people, list):
        raise ValueError(
            f"holds no person: the people are {shown(people)}, expected a list"
        )
    people = [one for person in people for one in _split(person)]
    found = [
        (pose, _score(person), base.track_in(person))
        for index, person in enumerate(people)
        if (pose := _points(f"person {index}", person, photo)) is not None
    ]
    if not found and not may_be_empty:
        raise ValueError("holds no person, or none with the points of a body")
    if not found:
        nobody = np.zeros((0, base.NUM_KEYPOINTS, 3), np.float32)
        return base.Found(photo.name, nobody, size=photo.size)
    poses = np.stack([pose for pose, _, _ in found])
    scored = all(score is not None for _, score, _ in found)
    ranks = [
        (score if scored and score is not None else float(pose[:, 2].sum()),)
        for pose, score, _ in found
    ]
    tracks = [track for _, _, track in found]
    return base.Found(photo.name, poses, ranks, photo.size, tracks)


def _split(person: Any) -> list[Any]:
    """The people of one object: rtmlib's arrays hold several."""
    points = person.get("keypoints") if isinstance(person, dict) else None
    several = isinstance(points, list) and all(isinstance(x, list) for x in points)
    if not several or not points or not all(isinstance(x, list) for x in points[0]):
        return [person]
    scores = next((person[key] for key in _SCORES if key in person), None)
    if not isinstance(scores, list) or len(scores) != len(points):
        return [{"keypoints": own} for own in points]
    return [
        {"keypoints": own, "keypoint_scores": sure}
        for own, sure in zip(points, scores, strict=True)
    ]


def _score(person: Any) -> float | None:
    values = person if isinstance(person, Mapping) else {}
    for key in ("score", "bbox_score", "confidence"):
        value = values.get(key)
        if isinstance(value, int | float) and abs(value) < base.MAX_COORDINATE:
            return float(value)
    return None


def _points(what: str, person: Any, photo: _Photo) -> np.ndarray | None:
    """A person's points, float32 [18, 3] = (x, y, confidence) in pixels; None without
    any."""
    key, values = "points", person
    if isinstance(person, dict):
        found = next((k for k in _POINTS if k in person), None)
        if found is None:
            raise ValueError(
                f"{what}: expected one of the keys {', '.join(_POINTS)}; there is "
                f"{_held(person)}"
            )
        key, values = found, person[found]
    what = f"{what}: {key}"
    if values is None or values == []:
        return None
    if isinstance(values, dict):
        values = _columns(what, values)
    if not isinstance(values, list):
        raise ValueError(f"{what} is {shown(values)}, expected a list")
    if all(isinstance(value, dict) for value in values):
        pose = _from_objects(what, values)
    elif all(isinstance(value, list) for value in values):
        scores = [person[k] for k in _SCORES if k in person] or [None]
        pose = _from_rows(what, values, scores[0])
    else:
        pose = layouts.from_flat(what, values)
    fractions = photo.fractions or key.startswith("landmark")
    return _in_pixels(what, pose, fractions, photo.size)


def _columns(what: str, values: dict[str, Any]) -> list[list[Any]]:
    """Lists x, y and visible or confidence as rows."""
    third = next((k for k in ("visible", *_CONFIDENCES) if k in values), None)
    columns = [values.get(key) for key in ("x", "y", third) if key is not None]
    lists = [column for column in columns if isinstance(column, list)]
    if len(lists) < len(columns) or len({len(each) for each in lists}) > 1:
        raise ValueError(f"{what} is {_held(values)}, expected lists x and y")
    return [list(row) for row in zip(*lists, strict=True)]


def _from_rows(what: str, rows: list[list[Any]], scores: Any) -> np.ndarray:
    columns = min(len(rows[0]), 3) if scores is None else 2
    if any(len(row) < columns for row in rows) or columns < 2:
        raise ValueError(f"{what} has rows of {len(rows[0])}, expected x, y or more")
    if scores is not None:
        if not isinstance(scores, list) or len(scores) != len(rows):
            raise ValueError(f"{what}: expected {len(rows)} scores of its points")
        rows = [[*row[:2], sure] for row, sure in zip(rows, scores, strict=True)]
        columns = 3
    flat = [value for row in rows for value in row[:columns]]
    points = base.numbers(what, base.without_gaps(flat, columns)).reshape(-1, columns)
    if points.shape[1] == 2:
        points = layouts.with_confidence(points)
    # What these tools have not found they put at the origin, however sure.
    points[:, 2] *= (points[:, :2] != 0).any(axis=1)
    return layouts.to_coco_18(what, points)


def _from_objects(what: str, points: list[dict[str, Any]]) -> np.ndarray:
    places: list[np.ndarray] = []
    names: list[str] = []
    for point in points:
        place = point.get("position", point)  # PoseNet
        if not _is_point(place):
            raise ValueError(f"{what} holds {_held(point)}, expected x and y")
        sure = next((point[key] for key in _CONFIDENCES if key in point), 1)
        row = base.without_gaps([place["x"], place["y"], sure], 3)
        places.append(base.numbers(what, row))
        name = point.get("name", point.get("part"))
        names += [name] if isinstance(name, str) else []
    named = names if len(names) == len(points) else None
    return layouts.to_coco_18(what, np.stack(places), named)


def _in_pixels(
    what: str, pose: np.ndarray, fractions: bool, size: base.Size | None
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
