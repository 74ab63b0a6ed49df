"""The wide csv of prasunroy/pose-transfer: one column per coordinate.

    file_id,img_h,img_w,p0_x,p0_y,...,p17_x,p17_y

x comes first; -1 for a missing point. file_id is the photo's name without its suffix.
The separator may be ";" or a tab, too; a column with the number of the row, as pandas
writes it, may stand before file_id.
"""

import csv
import functools
import itertools
import pathlib
import re
from collections.abc import Iterator

from pg2_jax import errors
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import shown

HEADER = (
    "file_id",
    "img_h",
    "img_w",
    *(f"p{point}_{axis}" for point in range(base.NUM_KEYPOINTS) for axis in "xy"),
)


_HEADER_START = re.compile(
    r'((?:"?(?:index|Unnamed: 0)?"?[,;\t])?)\s*"?file_id"?([,;\t]?)'
)


def is_header(line: str) -> bool:
    """Whether a line begins as the header does."""
    return bool(_HEADER_START.match(line.strip(" ")))


def entries(path: pathlib.Path, text: str) -> Iterator[base.Entry]:
    """Yields the rows of a file."""
    lines = base.lines_of(text)
    match = _HEADER_START.match(lines[0].strip(" "))
    assert match, "is_header was asked"
    form = match[2] or ",", bool(match[1])
    with errors.said_of(f"{path}:1"):
        header = [name.strip() for name in _fields(lines[0], *form)]
    columns = itertools.zip_longest(header, HEADER, fillvalue="")
    for column, (name, expected) in enumerate(columns, start=1):
        if name != expected:
            what = f"column {column} is {shown(name)}"
            raise ValueError(f"{path}:1: {what}, expected {expected!r}")
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            parse = functools.partial(_parse_row, line, *form)
            yield base.Entry(f"{path}:{number}", parse)


def _fields(line: str, separator: str, numbered: bool) -> list[str]:
    try:
        fields = next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"{shown(line)} is not a csv row: {error}") from error
    return fields[1:] if numbered else fields


def _parse_row(line: str, separator: str, numbered: bool) -> base.Found:
    fields = _fields(line, separator, numbered)
    if len(fields) != len(HEADER):
        raise ValueError(f"the row has {len(fields)} columns, expected {len(HEADER)}")
    values = list(map(_number, HEADER[1:], fields[1:]))
    height, width = values[:2]
    if min(height, width) < 1:
        raise ValueError(f"img_h and img_w are {height} and {width}, expected >= 1")
    points = base.numbers("the row", values[2:]).reshape(-1, 2)
    pose = base.from_coordinates(points[:, 0], points[:, 1])
    size = int(height), int(width)
    return base.Found(fields[0].strip(), pose[None], size=size)


def _number(column: str, field: str) -> float:
    try:
        return float(base.numbers(column, [float(field)])[0])
    except ValueError as error:
        what = f"{column} is {shown(field)}"
        raise ValueError(f"{what}, expected a finite number") from error
