"""The text files of NTED and PIDM: a photo's 18 points, one `x y` a line.

A third column, if there is one, is the confidence: 0 means missing. A negative
coordinate means missing, too. Such a file does not name its photo: `pose/a/b.txt` is
the pose of `a/b`.
"""

import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import shown


def is_row(line: str) -> bool:
    """Whether a line is two or three numbers."""
    fields = line.split()
    return len(fields) in (2, 3) and all(map(_is_number, fields))


def entries(path: pathlib.Path, text: str, name: str) -> Iterator[base.Entry]:
    """Yields the one pose of a file; `name` is the photo's."""
    yield base.Entry(str(path), functools.partial(_parse, text, name))


def _parse(text: str, name: str) -> base.Found:
    lines = enumerate(base.lines_of(text), start=1)
    rows = [(number, line.split()) for number, line in lines if line.strip()]
    if len(rows) != base.NUM_KEYPOINTS:
        expected = f"{base.NUM_KEYPOINTS}: one per point"
        raise ValueError(f"{len(rows)} lines, expected {expected}")
    columns = len(rows[0][1])
    points = np.stack([_numbers(number, fields, columns) for number, fields in rows])
    present = points[:, 2] > 0 if columns == 3 else None
    pose = base.from_coordinates(points[:, 0], points[:, 1], present)
    if columns == 3:
        pose[:, 2] *= points[:, 2]
    return base.one(name, pose)


def _numbers(line: int, fields: list[str], columns: int) -> np.ndarray:
    if len(fields) != columns or columns not in (2, 3):
        raise ValueError(
            f"line {line} has {len(fields)} columns, expected x y, or x y confidence, "
            "the same in every line"
        )
    bad = [field for field in fields if not _is_number(field)]
    if bad:
        raise ValueError(f"line {line}: {shown(bad[0])} is not a number")
    return base.numbers(f"line {line}", [float(field) for field in fields])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
