"""COCO's keypoint JSON, for any number of photos.

Either a whole file, {"images": [...], "annotations": [...]}, or a list of results,
[{"image_id": ..., "keypoints": [...], "score": ...}, ...], as COCO's own tools,
AlphaPose, MMPose and ultralytics write it. Points are (x, y, v) of a skeleton that
`layouts` knows. In a whole file v > 0 means present, so that points which were labelled
though hidden (v = 1) count; in results, or where one v is no whole number, it is a
confidence.

Of several people on a photo the largest complete one is taken (`people.order`), of
those about as large the one with the highest "score"; without scores the one with the
most points present, then with the largest "area", then the first. An annotation without
keypoints, such as a box, or of a crowd, is ignored.
"""

import functools
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any, NoReturn, TypeGuard

import numpy as np

from pg2_jax import errors, files
from pg2_jax.keypoints import base, layouts
from pg2_jax.keypoints.base import Entry, Found, Size, shown
from pg2_jax.keypoints.layouts import COCO_17_TO_18, KEYPOINTS, NECK

_Id = int | str
# The name of a photo and its (height, width).
_Photo = tuple[str, Size | None]

_MOST_AREA = 1e12
_COCO_18_TO_17 = [0, *np.argsort(COCO_17_TO_18)[2:].tolist()]
# COCO's own figure, counted from 1.
_SKELETON = (
    *[(16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7)],
    *[(6, 8), (7, 9), (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5)],
    *[(4, 6), (5, 7)],
)


def lost_necks(annotations: base.Poses) -> int:
    """Counts the poses whose neck changes on the way through COCO's 17 points: it was
    not the midpoint of both shoulders."""
    return sum(
        not np.array_equal(pose[NECK], layouts.with_middle_neck(pose)[NECK])
        for pose in annotations.values()
    )


def is_coco(content: Any) -> bool:
    """Whether parsed JSON is a whole COCO file or a list of results."""
    if isinstance(content, list):
        return any(isinstance(x, dict) and "image_id" in x for x in content)
    return isinstance(content, dict) and "annotations" in content


def entries(path: pathlib.Path, content: Any) -> Iterator[Entry]:
    """Yields the poses of a file, one per photo that has an annotated person."""
    photos: dict[_Id, _Photo] | None = None
    are_people: dict[_Id, bool] | None = None
    with errors.said_of(path):
        if isinstance(content, dict):
            persons = _objects(content, "annotations")
            photos = _photos(_objects(content, "images"))
            if "categories" in content:
                are_people = _are_people(_objects(content, "categories"))
        elif all(isinstance(person, dict) for person in content):
            persons = content
        else:
            raise ValueError("expected a list of results, each an object")
    grouped: dict[_Id, list[tuple[int, dict[str, Any]]]] = {}
    others = pointless = 0
    for index, person in enumerate(persons):
        place, category = f"{path}: annotation {index}", person.get("category_id")
        if are_people is not None:
            if not _is_id(category) or category not in are_people:
                yield place, functools.partial(_refuse_category, category)
                continue
            if not are_people[category]:
                others += 1
                continue
        image = _id(place, person, "image_id")
        if photos is None and isinstance(person.get("file_name"), str):
            # ultralytics' number is 7 for 7.jpg and for 0007.jpg.
            image = person["file_name"]
        if person.get("keypoints") in (None, []) or person.get("iscrowd") == 1:
            pointless += 1
        else:
            grouped.setdefault(image, []).append((index, person))
    ignored = {
        "of other categories than people": others,
        "without keypoints, or of crowds": pointless,
    }
    for what, count in ignored.items():
        if count:
            note = f"note: {path}: annotations {what}, ignored: {count:,}"
            print(note, file=sys.stderr)
    for image, group in grouped.items():
        place = f"{path}: annotations {', '.join(str(i) for i, _ in group[:5])}"
        yield place, functools.partial(_parse, image, group, photos)


def write(path: files.PathLike, annotations: base.Poses) -> None:
    """Writes a file that `entries` and pycocotools read, whole or not at all. It has no
    neck (see `lost_necks`) and no sizes of photos, which annotations do not know.
    Present points get v = 2; bounding box and area are those of the points."""
    images, people = [], []
    for number, (name, keypoints) in enumerate(annotations.items(), start=1):
        base.check_pose(name, keypoints)
        images.append({"id": number, "file_name": name})
        people.append(_format_person(number, keypoints[_COCO_18_TO_17]))
    category = {"id": 1, "name": "person", "supercategory": "person"}
    category |= {"keypoints": KEYPOINTS, "skeleton": _SKELETON}
    content = {"images": images, "annotations": people, "categories": [category]}
    files.write_text(path, json.dumps(content, ensure_ascii=False) + "\n")


def _format_person(number: int, points: np.ndarray) -> dict[str, Any]:
    present = points[:, 2] > 0
    values = np.where(present[:, None], points * [1, 1, 2], 0)
    seen = points[present, :2] if present.any() else np.zeros((1, 2))
    low, high = seen.min(axis=0), seen.max(axis=0)
    box = [*low.tolist(), *(high - low).tolist()]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": int(present.sum()),
        "keypoints": [base.plain_number(value) for value in values.ravel()],
        "bbox": [base.plain_number(value) for value in box],
        "area": base.plain_number(box[2] * box[3]),
    }


def _objects(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
        raise ValueError(f'expected a list "{key}" of objects')
    return values


def _photos(images: list[dict[str, Any]]) -> dict[_Id, _Photo]:
    photos: dict[_Id, _Photo] = {}
    for index, image in enumerate(images):
        what = f"image {index}"
        identity, name = _id(what, image, "id"), image.get("file_name")
        if not isinstance(name, str):
            raise ValueError(f'{what} has "file_name" {shown(name)}, expected text')
        if identity in photos:
            raise ValueError(f"{what} repeats the id {shown(identity)}")
        photos[identity] = name, base.size_in(image, "height", "width")
    return photos


def _is_id(value: Any) -> TypeGuard[_Id]:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _are_people(categories: list[dict[str, Any]]) -> dict[_Id, bool]:
    """Whether each category is of people."""
    are_people = {}
    for index, category in enumerate(categories):
        identity, name = _id(f"category {index}", category, "id"), category.get("name")
        are_people[identity] = name == "person" or "keypoints" in category
        points = category.get("keypoints") or list(KEYPOINTS)
        if points != list(KEYPOINTS):
            raise ValueError(
                f"the category {shown(name)} has the keypoints {shown(points)}, "
                "expected COCO's 17: nose, left_eye, ..., right_ankle"
            )
    return are_people


def _refuse_category(category: Any) -> NoReturn:
    rule = 'expected the id of one of the "categories"'
    raise ValueError(f'"category_id" is {shown(category)}, {rule}')


def _id(what: str, record: dict[str, Any], key: str) -> _Id:
    value = record.get(key)
    if not _is_id(value):
        held = f'{what} has "{key}" {shown(value)}'
        raise ValueError(f"{held}, expected a number or text")
    return value


def _parse(
    image: _Id,
    persons: list[tuple[int, dict[str, Any]]],
    photos: dict[_Id, _Photo] | None,
) -> Found:
    size = None
    if photos is None:
        # A list of results names a photo by its number, as COCO's own files are named.
        name = f"{image:012d}" if isinstance(image, int) else image
    elif image in photos:
        name, size = photos[image]
    else:
        raise ValueError(f'no entry of "images" has the id {shown(image)}')
    poses = [_points(index, person, photos is None) for index, person in persons]
    scores = [_optional_number(index, person, "score") for index, person in persons]
    areas = [_optional_number(index, person, "area") for index, person in persons]
    if None in scores:
        scores = [None] * len(scores)
    ranks = [
        (score or 0.0, float((points[:, 2] > 0).sum()), area or 0.0)
        for score, points, area in zip(scores, poses, areas, strict=True)
    ]
    tracks = [base.track_in(person) for _, person in persons]
    return Found(name, np.stack(poses), ranks, size, tracks)


def _points(index: int, person: dict[str, Any], are_results: bool) -> np.ndarray:
    """The points [18, 3] = (x, y, confidence) of an annotation."""
    values, what = person.get("keypoints"), f"annotation {index}: keypoints"
    if not isinstance(values, list):
        raise ValueError(f"{what} has {shown(values)}, expected 17 x 3 numbers")
    points = layouts.to_coco_18(what, layouts.from_flat(what, values))
    if not are_results and (np.mod(points[:, 2], 1) == 0).all():
        points[:, 2] = points[:, 2] > 0
    return points


def _optional_number(index: int, person: dict[str, Any], key: str) -> float | None:
    value = person.get(key)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # An int may be too large for a float; NaN is not below anything.
    if not is_number or not abs(value) < _MOST_AREA:
        rule = f"expected a number below {_MOST_AREA:.0e}"
        raise ValueError(f"annotation {index}: {key} is {shown(value)}, {rule}")
    return float(value)
