"""The points of the field's skeletons as OpenPose's COCO-18.

Which skeleton it is, their number tells: COCO's 17, COCO-18, BODY_25, Halpe's 26, 68
(with hands) and 136, COCO-WholeBody's 133, or 134 with OpenPose's neck, BlazePose's 33;
or their names. Where a skeleton has no neck it is the midpoint of the shoulders, as
sure as the less sure of them.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from pg2_jax.keypoints import base

_PAIRS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
# COCO's names: nose, left_eye, right_eye, ..., left_ankle, right_ankle.
KEYPOINTS = ("nose", *(f"{side}_{n}" for n in _PAIRS for side in ("left", "right")))
NECK = 1
SHOULDERS = (2, 5)
# Position in COCO's 17 of each COCO-18 point; the neck's place is filled afterwards.
COCO_17_TO_18 = (0, 0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_HALPE_NECK = 18
_HALPE = (0, _HALPE_NECK, *COCO_17_TO_18[2:])
# BODY_25 adds the mid hip (8) and six foot points (19-24).
_BODY_25 = (*range(8), *range(9, 19))
# What rtmlib and DWPose make of COCO-WholeBody begins with COCO-18.
_COCO_18 = tuple(range(18))
_BLAZEPOSE = (0, 0, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
# Number of points -> position of each COCO-18 point, and whether there is a neck.
_PLACES = {
    17: (COCO_17_TO_18, False),
    18: (_COCO_18, True),
    25: (_BODY_25, True),
    26: (_HALPE, True),
    33: (_BLAZEPOSE, False),
    68: (_HALPE, True),
    133: (COCO_17_TO_18, False),
    134: (_COCO_18, True),
    136: (_HALPE, True),
}
COUNTS = ", ".join(map(str, _PLACES))


def from_flat(what: str, values: Sequence[Any]) -> np.ndarray:
    """`points_of` a known skeleton, whose number of values tells the columns; another
    number is a ValueError that `what` begins."""
    for columns in (3, 2):
        count, rest = divmod(len(values), columns)
        if not rest and count in _PLACES:
            return points_of(what, values, columns)
    rule = f"expected 18 x 3, or x, y and confidence of {COUNTS} points"
    raise ValueError(f"{what} has {len(values)} values, {rule}")


def points_of(what: str, values: Sequence[Any], columns: int) -> np.ndarray:
    """x, y and confidence of one point after the other, or x and y alone, as float32
    [K, 3]. A point without a place, null or NaN twice, is missing. Where there is no
    confidence it is 1, but 0 at the origin, where tools that write none put what they
    have not found."""
    filled = list(values)
    for start in range(0, len(filled), columns):
        if all(x is None or x != x for x in filled[start : start + 2]):
            filled[start : start + columns] = [0] * columns
    points = base.numbers(what, filled).reshape(-1, columns)
    if columns == 2:
        return np.column_stack([points, (points != 0).any(axis=1)])
    return points


def to_coco_18(
    what: str, points: np.ndarray, names: Sequence[str] | None = None
) -> np.ndarray:
    """Points [K, 3] = (x, y, confidence) as float32 [18, 3]; missing ones, of no
    confidence or with a negative coordinate, are (0, 0, 0). A number, or names, of no
    known skeleton are a ValueError."""
    places, has_neck = _PLACES.get(len(points), ((), False))
    if names is not None:
        places, has_neck = _named(what, names), False
    if not places:
        raise ValueError(f"{what} has {len(points)} points, expected {COUNTS}")
    x, y, confidence = np.asarray(points, np.float32)[list(places)].T
    pose = base.from_coordinates(x, y, confidence)
    return pose if has_neck else with_middle_neck(pose)


def with_middle_neck(pose: np.ndarray) -> np.ndarray:
    """A pose [18, 3] whose neck is the midpoint of the shoulders, as sure as the less
    sure of them, or missing with one of them."""
    moved, shoulders = pose.copy(), pose[list(SHOULDERS)]
    sure = shoulders[:, 2].min()
    moved[NECK] = (*shoulders[:, :2].mean(axis=0), sure) if sure > 0 else 0
    return moved


def _named(what: str, names: Sequence[str]) -> tuple[int, ...]:
    plain = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in names]
    missing = [name for name in KEYPOINTS if name not in plain]
    if missing:
        raise ValueError(f"{what} names no point {missing[0]}, expected COCO's 17")
    places = [plain.index(name) for name in KEYPOINTS]
    return tuple(places[i] for i in COCO_17_TO_18)
