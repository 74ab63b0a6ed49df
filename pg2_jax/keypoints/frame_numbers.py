"""The frames of a video by the numbers in their names: their order, and gaps.

Tools that list people, such as AlphaPose, leave out a frame that shows nobody, and some
list frames in the order of their names as text: 0, 1, 10, 11, 2.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import base

# Of the steps from one frame to the next so many are 1 where every frame counts.
_MOST_STEPS = 0.75
# A longer way to the next frame, in frames that there are, is no gap in a video.
_LONGEST = 10


class _Numbered(NamedTuple):
    """Names that differ in one number alone."""

    before: str
    digits: dict[str, str]  # by name
    after: str


def in_order(
    poses: Mapping[str, base.Pose], *, by_name: bool = False
) -> tuple[dict[str, base.Pose], list[str]]:
    """The frames as they follow each other, and what was done to them, in words. Names
    that differ in one number alone are frames. If they lie as text is sorted, they are
    sorted by number; where nearly all numbers follow each other, the missing ones
    become frames without people. All other poses stay as they are, which is said if
    their order is `by_name`, and not that of a file."""
    notes: list[str] = []
    listed, names = list(poses), _numbered(list(poses))
    if names is None:
        if by_name and len(listed) > 1:
            notes.append(
                "the names differ in more than one number, or in none; the order is "
                f"{_ends(listed)}."
            )
        return dict(poses), notes
    by_number = sorted(listed, key=files.natural_order)
    if listed == sorted(listed) and listed != by_number:
        listed = by_number
        notes.append(f"the frames are taken by their numbers: {_ends(listed)}.")
    numbers = [int(names.digits[name]) for name in listed]
    steps = np.diff(numbers)
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    are_frames = (steps > 0).all() and (steps == 1).mean() >= _MOST_STEPS
    ordered = {name: poses[name] for name in listed}
    if not are_frames or not 0 < missing <= _LONGEST * len(numbers):
        return ordered, notes
    notes.append(f"frames are missing: {missing} of {missing + len(numbers)}.")
    return _filled(ordered, names), notes


def _ends(names: Sequence[str]) -> str:
    middle = ["..."] if len(names) > 4 else []
    return ", ".join([*names[:3], *middle, *names[3:][-1:]])


def _numbered(names: Sequence[str]) -> _Numbered | None:
    parts = [re.split(r"(\d+)", name) for name in names]
    if len(names) < 2 or len({len(each) for each in parts}) > 1:
        return None
    differ = [i for i, x in enumerate(zip(*parts, strict=True)) if len(set(x)) > 1]
    if len(differ) != 1 or differ[0] % 2 == 0:
        return None
    at = differ[0]
    digits = {name: each[at] for name, each in zip(names, parts, strict=True)}
    if len(set(map(int, digits.values()))) < len(names):
        return None  # 1 and 01 are one number.
    return _Numbered("".join(parts[0][:at]), digits, "".join(parts[0][at + 1 :]))


def _filled(poses: Mapping[str, base.Pose], names: _Numbered) -> dict[str, base.Pose]:
    """The frames, in their order, with empty ones at the numbers that are missing."""
    nobody = np.zeros((base.NUM_KEYPOINTS, 3), np.float32)
    filled: dict[str, base.Pose] = {}
    widths = {len(digits) for digits in names.digits.values()}
    width = widths.pop() if len(widths) == 1 else 0
    expected = int(names.digits[next(iter(poses))])
    for name, pose in poses.items():
        number = int(names.digits[name])
        for missing in range(expected, number):
            empty = f"{names.before}{missing:0{width}d}{names.after}"
            filled[empty] = base.Pose(pose.place, nobody, nobody[None][:0], pose.size)
        filled[name] = pose
        expected = number + 1
    return filled
