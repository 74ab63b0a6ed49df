"""The MATLAB files of layumi/market1501_body_point: 14 points per photo.

Variable `pp`, [28, N] (in HDF5, and so here, [N, 28]): a column per photo, 14 x and
then 14 y, counted from 1: top of the head, neck, right shoulder, elbow, wrist, left
ones, right hip, knee, ankle, left ones. COCO-18 has no place for the top of the head;
nose, eyes and ears are missing. There are no names: column i is photo i of the folder
that was annotated, its *.jpg files in the order of their names.
"""

import functools
import io
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from pg2_jax import errors
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import Entry, Found

_NUM_POINTS = 14


def entries(
    path: pathlib.Path, content: bytes, photos: Sequence[str] | None
) -> Iterator[Entry]:
    """Yields the poses of a file; `photos` are the names in the annotated folder."""
    with errors.said_of(path):
        if not content.startswith(b"MATLAB 7.3"):
            # scipy, which reads them, ends the whole program on some damaged files.
            kind = "a MATLAB file of version 5 to 7"
            raise ValueError(f"{kind}; save it with -v7.3 to read it here")
        if photos is None:
            raise ValueError(
                "MATLAB files of 14 points do not name their photos: the folder of "
                "photos is needed, which data_prep/convert_keypoints.py takes"
            )
        names = sorted(name for name in photos if name.lower().endswith(".jpg"))
        table = _load(content, len(names))
    for number, (name, values) in enumerate(zip(names, table, strict=True), start=1):
        parse = functools.partial(_parse, name, values.tolist())
        yield f"{path}: column {number}", parse


def _load(content: bytes, photos: int) -> np.ndarray:
    try:
        import h5py
    except ImportError as error:
        rule = "MATLAB files need h5py: pip install 'pg2_jax[matlab]'"
        raise ValueError(rule) from error
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            table = file.get("pp")
            shape: tuple[int, ...] = getattr(table, "shape", ())  # A group has none.
            is_pp = shape[1:] == (2 * _NUM_POINTS,) and table.dtype.kind in "fiu"
            # Before it is read: a small file can announce a giant table.
            values = table[()] if is_pp and shape[0] == photos else None
    except Exception as error:
        # Damaged files make HDF5 do nearly anything wrong.
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"not a whole MATLAB file: {reason}") from error
    if not is_pp:
        rule = "expected the variable 'pp', numbers [28, N]"
        raise ValueError(f"{rule}; found {shape[::-1] or 'none'}")
    if values is None:
        raise ValueError(
            f"{shape[0]:,} poses for {photos:,} photos *.jpg; they belong together by "
            "their number alone, so these are not its photos"
        )
    return values


def _parse(name: str, values: list[float]) -> Found:
    points = base.numbers("the column", values).reshape(2, _NUM_POINTS)
    places = np.full((2, base.NUM_KEYPOINTS), -1, np.float32)
    # Neck to left ankle have the same order in both; the first point is the head's top.
    places[:, 1:_NUM_POINTS] = points[:, 1:] - 1
    return Found(name, base.from_coordinates(*places)[None])
