"""The MATLAB files of layumi/market1501_body_point: 14 points per photo.

Variable `pp`, [28, N]: a column per photo, 14 x and then 14 y, counted from 1. In
order: top of the head, neck, right shoulder, elbow, wrist, left ones, right hip, knee,
ankle, left ones. COCO-18 has no place for the top of the head; nose, eyes and ears are
missing.

The file holds no names. Column i belongs to photo i of the folder that was annotated,
its *.jpg files in the order of their names.
"""

import functools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from pg2_jax.keypoints import mat_file
from pg2_jax.keypoints.base import NUM_KEYPOINTS, Entry, from_coordinates, numbers

_VARIABLE = "pp"
_NUM_POINTS = 14
# Neck to left ankle have the same order in both; the first point is the head's top.
_POINTS = slice(1, _NUM_POINTS)


def looks_like_matlab(content: bytes) -> bool:
    """Whether a file begins as MATLAB's files of version 5 to 7.3 do."""
    return content.startswith(b"MATLAB ")


def entries(
    path: pathlib.Path, content: bytes, photos: Sequence[str] | None
) -> Iterator[Entry]:
    """Yields the poses of a file.

    Args:
        path: the file, for messages.
        content: its content.
        photos: names of the photos in the annotated folder.

    Raises:
        ValueError: it cannot be read, or does not fit the photos.
    """
    table = _load(path, content)
    if photos is None:
        raise ValueError(
            f"{path}: MATLAB files of 14 points do not name their photos: the folder "
            "of photos is needed (photos)"
        )
    names = sorted(name for name in photos if name.lower().endswith(".jpg"))
    if len(names) != table.shape[1]:
        raise ValueError(
            f"{path}: {table.shape[1]:,} poses for {len(names):,} photos *.jpg; they "
            "belong together by their number alone, so these are not its photos"
        )
    for column, name in enumerate(names):
        parse = functools.partial(_parse, name, table[:, column].tolist())
        yield Entry(f"{path}: column {column + 1}", parse)


def _load(path: pathlib.Path, content: bytes) -> np.ndarray:
    try:
        table = mat_file.matrix(content, _VARIABLE)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if table is None or table.shape[:-1] != (2 * _NUM_POINTS,):
        found = "none" if table is None else table.shape
        raise ValueError(
            f"{path}: expected the variable {_VARIABLE!r}, numbers [28, N]; found "
            f"{found}"
        )
    return table


def _parse(name: str, values: list[float]) -> tuple[str, np.ndarray]:
    xs, ys = numbers("the column", values).reshape(2, _NUM_POINTS)
    points = np.full((NUM_KEYPOINTS, 2), -1, np.float32)
    points[_POINTS] = np.stack([xs, ys], axis=1)[_POINTS] - 1
    return name, from_coordinates(points[:, 0], points[:, 1])
