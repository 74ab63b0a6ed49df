"""JSON as pose estimators write it: the people of one photo, or frame after frame.

| tool | a photo | a person |
| --- | --- | --- |
| OpenPose 1.0 to 1.7, ControlNet, DWPose, ComfyUI | "people" | "pose_keypoints_2d" or "pose_keypoints" |
| AlphaPose for OpenPose and CMU-Pose | "people" or "bodies", by photo | "pose_keypoints_2d", "joints" |
| PoseFlow | the list of people, by photo | "keypoints", "idx" |
| MMPose | "instances", or the list of people alone | "keypoints", "keypoint_scores" |
| rtmlib's arrays | "keypoints" [P, K, 2], "scores" [P, K] | |
| MoveNet, PoseNet (tfjs) | the list of people | "keypoints" of {x, y, score, name} |
| MoveNet's own array | [1, 1, 17, 3] or [1, 6, 56] | 17 of y, x, score |
| ultralytics | the list of people | "keypoints" of lists x, y, visible |
| OpenPifPaf | the list of people, of a video "predictions" | "keypoints" |
| MediaPipe | "landmarks", "pose_landmarks" or "poseLandmarks" | 33 of {x, y, visibility} |

A list of photos, or one in each line of the file, is one of frames, counted from 0; a
list of 18 rows, or of several such, is our own array as JSON. Points are those of any
skeleton of `layouts`, with a confidence or without. Pixels are those of the photo;
fractions of it need its size, which the photo says as "canvas_height" and
"canvas_width" or the like. Of several people the largest complete one is taken
(`people.order`), of those about as large the surest; a person without points is passed
over. AlphaPose's neck for OpenPose and CMU-Pose is the 18th point of its skeleton,
which is one only with COCO's: it is put between the shoulders.

Where the file does not name a photo, its stem does, without `_keypoints`. Files written
here hold "image_name", because the stem lacks the suffix.
"""  # noqa: E501

import functools
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pg2_jax.keypoints import base, coco_json, layouts, person_points
from pg2_jax.keypoints.base import Entry, Found, Size, shown
from pg2_jax.keypoints.person_points import Layout, held, is_point

_LANDMARKS = ("landmarks", "pose_landmarks", "poseLandmarks")
_PEOPLE = ("people", "predictions", "bodies", "instances", *_LANDMARKS)
_SIZES = (
    *[("canvas_height", "canvas_width"), ("image_height", "image_width")],
    *[("img_h", "img_w"), ("height", "width")],
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
    layout: Layout = Layout()


def entries(file: base.File, text: str) -> Iterator[Entry]:
    """Yields the photos of a file, those of COCO's form by `coco_json`. Of several
    frames that the file does not name each has its number behind the name. A photo may
    be empty in a folder of files and among other frames: no person."""
    content = base.parse_json_lines(file.path, text)
    if coco_json.is_coco(content):
        yield from coco_json.entries(file.path, content)
        return
    photos = _photos(file.path, content)
    # OpenPifPaf writes "photo.jpg.predictions.json".
    stem = file.inside.stem.removesuffix("_keypoints").removesuffix(".predictions")
    for number, photo in enumerate(photos):
        place, name = str(file.path), (file.inside.parent / stem).as_posix()
        if len(photos) > 1:
            place, name = f"{place}: frame {number}", f"{name}_{number:06d}"
        photo = photo._replace(name=photo.name or name)
        may_be_empty = file.in_folder or len(photos) > 1
        yield place, functools.partial(_parse, photo, file.photo_size, may_be_empty)


def _photos(path: pathlib.Path, content: Any) -> list[_Photo]:
    """The photos of a file by the rules above; another content is a ValueError."""
    match content:
        case {"meta_info": {"keypoint_id2name": dict(names)} as meta}:
            _refuse_other_points(path, list(names.values()), meta.get("dataset_name"))
    match content:
        # MMPose, its demo and its API.
        case {"instance_info": list(photos)} | {"predictions": list(photos)}:
            content = photos
    if _is_array(content):
        content = [{"keypoints": content}]
    elif isinstance(content, list) and content and all(map(_is_array, content)):
        content = [[{"keypoints": points}] for points in content]
    if isinstance(content, dict):
        if _is_photo(content) or _is_person(content):
            return [_photo(content)]
        if content and all(map(_is_frame, content.values())):
            return [_photo(x)._replace(name=name) for name, x in content.items()]
    if isinstance(content, list):
        if photo := _movenet(content):
            return [photo]
        frames = [photo for x in content if (photo := _movenet(x))]
        if frames and len(frames) == len(content):
            return frames
        if all(map(is_point, content)):
            return [_Photo(content, layout=Layout(fractions=True))]
        if all(map(_is_person, content)):
            fractions = all(isinstance(x, list) for x in content)
            return [_Photo(content, layout=Layout(fractions=fractions))]
        if all(map(_is_frame, content)):
            return [_photo(x) for x in content]
    raise ValueError(f"{path}: JSON of no known tool: {held(content)}; known: {KNOWN}")


def _movenet(content: Any) -> _Photo | None:
    """The photo of MoveNet's own array, rows (y, x, score): of one person, [1, 1, 17,
    3], or of several, [1, 6, 56], whose last five numbers are a box and its score."""
    match content:
        case [[rows]] if person_points.are_rows(rows, 17, 3):
            people = [[value for row in rows for value in row]]
        case [[_, *_] as people] if person_points.are_rows(people, len(people), 56):
            pass
        case _:
            return None
    found = [
        {
            "keypoints": [[row[i + 1], row[i], row[i + 2]] for i in range(0, 51, 3)],
            "score": row[-1],
        }
        for row in people
    ]
    return _Photo(found, layout=Layout(fractions=True))


def _photo(content: Any) -> _Photo:
    if isinstance(content, list):
        return _Photo(content)
    size = next(filter(None, (base.size_in(content, *keys) for keys in _SIZES)), None)
    key = next((key for key in _PEOPLE if key in content), None)
    by_alphapose = str(content.get("version")).startswith("AlphaPose")
    people = [content] if key is None else content[key]
    name, number = content.get("image_name", ""), content.get("frame_id")
    if isinstance(number, int) and not name:
        name = f"{number:06d}"
    return _Photo(people, name, Layout(size, key in _LANDMARKS, not by_alphapose))


def _is_photo(value: Any) -> bool:
    return isinstance(value, dict) and any(key in value for key in _PEOPLE)


def _is_frame(value: Any) -> bool:
    people = isinstance(value, list) and all(map(_is_person, value))
    return people or _is_photo(value)


def _is_person(value: Any) -> bool:
    if isinstance(value, dict):
        return any(key in value for key in person_points.KEYS)
    return isinstance(value, list) and len(value) > 0 and all(map(is_point, value))


def _is_array(value: Any) -> bool:
    """Whether it is a pose [18, 3]. Fewer points might be MoveNet's, (y, x, score)."""
    return person_points.are_rows(value, 18, 3)


def _refuse_other_points(path: pathlib.Path, names: list[Any], dataset: Any) -> None:
    """Refuses 17 points that are not COCO's by what MMPose's demos say of the points,
    such as those of Human3.6M and of animals."""
    if len(names) == 17 and names != list(layouts.KEYPOINTS):
        raise ValueError(
            f"{path}: the points are {shown(names)} ({dataset}), expected COCO's 17: "
            "nose, left_eye, ..., right_ankle"
        )


def _parse(photo: _Photo, photo_size: Size | None, may_be_empty: bool) -> Found:
    if not isinstance(photo.name, str):
        raise ValueError(f'"image_name" is {shown(photo.name)}, expected text')
    people = photo.people
    if isinstance(people, dict):
        people = [people]
    if isinstance(people, list) and people and all(map(is_point, people)):
        people = [people]
    if not isinstance(people, list):
        held = f"the people are {shown(people)}, expected a list"
        raise ValueError(f"holds no person: {held}")
    poses, scores, tracks = [], [], []
    several = (one for person in people for one in _split(person))
    for index, person in enumerate(several):
        what = f"person {index}"
        pose = person_points.read(what, person, photo.layout, photo_size)
        if pose is not None:
            poses.append(pose)
            scores.append(_score(person))
            tracks.append(_track(person))
    if not poses and not may_be_empty:
        raise ValueError("holds no person, or none with the points of a body")
    everyone = np.reshape(poses, (-1, base.NUM_KEYPOINTS, 3)).astype(np.float32)
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        known = everyone[..., 2].sum(axis=1).tolist()
    ranks = [(score,) for score in known]
    size = photo.layout.size or photo_size
    return Found(photo.name, everyone, ranks, size, tracks)


def _split(person: Any) -> list[Any]:
    """The people of one object: rtmlib's arrays hold several."""
    match person:
        case {"keypoints": [[[*_], *_], *_] as points}:
            scores = next((person[k] for k in person_points.SCORES if k in person), 0)
            if not isinstance(scores, list) or len(scores) != len(points):
                scores = [None] * len(points)
            people = zip(points, scores, strict=True)
            return [{"keypoints": own, "keypoint_scores": sure} for own, sure in people]
    return [person]


def _track(person: Any) -> int | None:
    """The person's number through a video; an "id" beside points that are objects is
    MoveNet's, of JavaScript."""
    match person:
        case {"keypoints": [{"x": _, "y": _}, *_], "id": number}:
            return base.track_in({"track_id": number})
    return base.track_in(person)


def _score(person: Any) -> float | None:
    scores = base.numbers_in(person, "score", "bbox_score", "confidence", "scores")
    return next((float(x) for x in scores if abs(x) < base.MAX_COORDINATE), None)
