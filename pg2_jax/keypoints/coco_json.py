"""COCO's keypoint JSON: 17 points, without a neck, for any number of photos.

Either a whole file, {"images": [...], "annotations": [...]}, or a list of results,
[{"image_id": ..., "keypoints": [...], "score": ...}, ...]. Points are (x, y, v): v > 0
means present, so that points which were labelled though hidden (v = 1) count.

The neck is the midpoint of the shoulders when both are present, and missing otherwise.
Of several people on a photo the one with the highest "score" is taken; without scores
the one with the most points present, then with the largest "area", then the first.
"""

import functools
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeGuard

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import shown

_PAIRS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
# nose, left_eye, right_eye, ..., left_ankle, right_ankle.
KEYPOINTS = ("nose", *(f"{side}_{n}" for n in _PAIRS for side in ("left", "right")))
NECK = 1
_MOST_AREA = 1e12
SHOULDERS = (2, 5)
# Position in COCO's 17 of each COCO-18 point; the neck's place is filled afterwards.
COCO_17_TO_18 = (0, 0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_COCO_18_TO_17 = [0, *np.argsort(COCO_17_TO_18)[2:].tolist()]
# COCO's own figure, counted from 1.
_SKELETON = (
    *[(16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7)],
    *[(6, 8), (7, 9), (8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5)],
    *[(4, 6), (5, 7)],
)


def from_coco_17(points: np.ndarray) -> np.ndarray:
    """COCO's 17 points [17, 3] = (x, y, v), v > 0 where present -> float32 [18, 3] =
    (x, y, visible), with the derived neck."""
    moved = np.asarray(points, np.float32)[list(COCO_17_TO_18)]
    shoulders = moved[list(SHOULDERS)]
    present = (shoulders[:, 2] > 0) & (shoulders[:, :2] >= 0).all(axis=1)
    moved[NECK] = *shoulders[:, :2].mean(axis=0), present.all()
    return base.from_coordinates(moved[:, 0], moved[:, 1], moved[:, 2] > 0)


def lost_necks(annotations: Mapping[str, np.ndarray]) -> int:
    """Counts the poses whose neck changes on the way through COCO's 17 points: it was
    not the midpoint of both shoulders."""
    return sum(
        not np.array_equal(
            keypoints[NECK], from_coco_17(keypoints[_COCO_18_TO_17])[NECK]
        )
        for keypoints in annotations.values()
    )


def entries(path: os.PathLike[str], content: Any) -> Iterator[base.Entry]:
    """Yields the poses of a file, one per photo that has an annotated person."""
    if isinstance(content, dict):
        people = _list_of_dicts(path, content, "annotations")
        names = _image_names(path, _list_of_dicts(path, content, "images"))
        are_people = _categories(path, content)
    else:
        people, names, are_people = content, None, None
        if not all(isinstance(person, dict) for person in people):
            raise ValueError(f"{path}: expected a list of results, each an object")
    grouped: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
    others = 0
    for index, person in enumerate(people):
        category = person.get("category_id")
        if are_people is None or (_is_id(category) and are_people.get(category)):
            image = _id(f"{path}: annotation {index}", person, "image_id")
            grouped.setdefault(image, []).append((index, person))
        elif _is_id(category) and category in are_people:
            others += 1
        else:
            refuse = functools.partial(_refuse_category, category)
            yield base.Entry(f"{path}: annotation {index}", refuse)
    if others:
        print(
            f"note: {path}: annotations of other categories than people, passed over: "
            f"{others:,}",
            file=sys.stderr,
        )
    for image, persons in grouped.items():
        place = f"{path}: annotations {', '.join(str(i) for i, _ in persons[:5])}"
        yield base.Entry(place, functools.partial(_parse, image, persons, names))


def write(path: str | os.PathLike[str], annotations: Mapping[str, np.ndarray]) -> None:
    """Writes a file that `entries` and pycocotools read, whole or not at all.

    The neck has no place in it (see `lost_necks`), nor have the photos' sizes, which
    annotations do not know. Present points get v = 2; bounding box and area are those
    of the points.
    """
    images, people = [], []
    for number, (name, keypoints) in enumerate(annotations.items(), start=1):
        base.check_name(name)
        base.check_pose(name, keypoints)
        images.append({"id": number, "file_name": name})
        people.append(_format_person(number, keypoints[_COCO_18_TO_17]))
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": KEYPOINTS,
        "skeleton": _SKELETON,
    }
    content = {"images": images, "annotations": people, "categories": [category]}
    text = json.dumps(content, ensure_ascii=False) + "\n"
    files.write_text(path, text)


def _format_person(number: int, points: np.ndarray) -> dict[str, Any]:
    present = points[:, 2] > 0
    values = np.where(present[:, None], points * [1, 1, 2], 0)
    box = [0.0, 0.0, 0.0, 0.0]
    if present.any():
        low, high = points[present, :2].min(axis=0), points[present, :2].max(axis=0)
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


def _list_of_dicts(
    path: os.PathLike[str], content: dict[str, Any], key: str
) -> list[dict[str, Any]]:
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
        raise ValueError(f'{path}: expected a list "{key}" of objects')
    return values


def _image_names(
    path: os.PathLike[str], images: list[dict[str, Any]]
) -> dict[int | str, str]:
    names: dict[int | str, str] = {}
    for index, image in enumerate(images):
        identity, name = image.get("id"), image.get("file_name")
        if not _is_id(identity) or not isinstance(name, str):
            raise ValueError(
                f'{path}: image {index} has "id" {shown(identity)} and "file_name" '
                f"{shown(name)}, expected a number or text, and text"
            )
        if identity in names:
            raise ValueError(f"{path}: image {index} repeats the id {shown(identity)}")
        names[identity] = name
    return names


def _is_id(value: Any) -> TypeGuard[int | str]:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _categories(
    path: os.PathLike[str], content: dict[str, Any]
) -> dict[int | str, bool] | None:
    """Whether each category is of people, None when the file has none."""
    if "categories" not in content:
        return None
    are_people = {}
    for index, category in enumerate(_list_of_dicts(path, content, "categories")):
        identity = _id(f"{path}: category {index}", category, "id")
        are_people[identity] = (
            category.get("name") == "person" or "keypoints" in category
        )
        names = category.get("keypoints", list(KEYPOINTS))
        if names != list(KEYPOINTS):
            raise ValueError(
                f"{path}: the category {shown(category.get('name'))} has the keypoints "
                f"{shown(names)}, expected COCO's 17: nose, left_eye, ..., right_ankle"
            )
    return are_people


def _refuse_category(category: Any) -> NoReturn:
    raise ValueError(
        f'"category_id" is {shown(category)}, expected the id of one of the '
        '"categories"'
    )


def _id(what: str, record: dict[str, Any], key: str) -> int | str:
    value = record.get(key)
    if not _is_id(value):
        raise ValueError(
            f'{what} has "{key}" {shown(value)}, expected a number or text'
        )
    return value


def _parse(
    image: int | str,
    persons: list[tuple[int, dict[str, Any]]],
    names: dict[int | str, str] | None,
) -> tuple[str, np.ndarray]:
    if names is None:
        # A list of results names a photo by its number, as COCO's own files are named.
        name = f"{image:012d}" if isinstance(image, int) else image
    elif image in names:
        name = names[image]
    else:
        raise ValueError(f'no entry of "images" has the id {shown(image)}')
    poses = [_points(index, person) for index, person in persons]
    scores, areas = (
        [_optional_number(index, person, key) for index, person in persons]
        for key in ("score", "area")
    )
    if None in scores:
        scores = [0.0] * len(scores)
    present = [int((points[:, 2] > 0).sum()) for points in poses]
    ranks = zip(scores, present, [area or 0.0 for area in areas], strict=True)
    best = max(enumerate(ranks), key=lambda ranked: ranked[1])[0]
    return name, from_coco_17(poses[best])


def _points(index: int, person: dict[str, Any]) -> np.ndarray:
    values, what = person.get("keypoints"), f"annotation {index}: keypoints"
    if not isinstance(values, list) or len(values) != 51:
        held = f"{len(values)} values" if isinstance(values, list) else shown(values)
        raise ValueError(f"{what} has {held}, expected 17 x 3")
    return base.numbers(what, values).reshape(17, 3)


def _optional_number(index: int, person: dict[str, Any], key: str) -> float | None:
    value = person.get(key)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # An int may be too large for a float; NaN is not below anything.
    if not is_number or not abs(value) < _MOST_AREA:
        raise ValueError(
            f"annotation {index}: {key} is {shown(value)}, expected a number below "
            f"{_MOST_AREA:.0e}"
        )
    return float(value)
