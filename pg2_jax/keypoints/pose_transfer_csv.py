"""The csv files of pose transfer projects, in two forms, a row per photo.

    name:keypoints_y:keypoints_x
    0002_c1s1_000451_03.jpg: [14, 25, ...]: [31, 30, ...]

has the y list first. The wide form, of prasunroy/pose-transfer, has a column per
coordinate, x first; file_id is the photo's name without its suffix:

    file_id,img_h,img_w,p0_x,p0_y,...,p17_x,p17_y

Both have 18 points, -1 for a missing one. The separator is ":" with or without spaces,
",", ";", "|" or a tab, as the header says; before the name there may be a column with
the number of the row, as pandas writes it. The header may be repeated further down, and
blank lines are ignored.
"""

import contextlib
import csv
import functools
import itertools
import json
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pg2_jax import errors, files
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import Entry, Found, shown

HEADER = ("name", "keypoints_y", "keypoints_x")
_WIDE = (
    *("file_id", "img_h", "img_w"),
    *(f"p{i}_{axis}" for i in range(base.NUM_KEYPOINTS) for axis in "xy"),
)
SEPARATORS = (":", ",", ";", "\t", "|")
_INDEX = (*SEPARATORS, '"', "index", "Unnamed")
_LIST = r'\s*,\s*"?(\[[^][]*\])"?\s*'
_WITH_COMMAS = re.compile(rf"(.+?){_LIST}{_LIST}")


class _Form(NamedTuple):
    """What a header says of the rows."""

    separator: str
    numbered: bool  # whether a column with the number of the row comes first
    is_wide: bool


def entries(path: pathlib.Path, text: str) -> Iterator[Entry]:
    """Yields the rows of a file, whose first line must be the header."""
    lines = base.lines_of(text)
    form = _form(lines[0])
    with errors.said_of(f"{path}:1"):
        if form is None:
            held = f"{lines[0][:80]!r}{_found(lines[0])}"
            raise ValueError(f"the header is {held}, expected {':'.join(HEADER)!r}")
        if form.is_wide:
            _check_wide(_cells(lines[0], form))
    parse_row = _parse_wide if form.is_wide else _parse_lists
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() and _form(line) is None:
            yield f"{path}:{number}", functools.partial(parse_row, line, form)


def write(path: files.PathLike, annotations: base.Poses) -> None:
    """Writes poses [18, 3] by photo name so that `entries` reads them, or nothing."""
    rows = [":".join(HEADER)]
    for name, keypoints in annotations.items():
        with errors.said_of(f"cannot be written to {path}"):
            base.check_pose(name, keypoints)
            if ":" in name:
                raise ValueError(f"the photo name {shown(name)} is refused: it has a :")
        ys, xs = _format_list(keypoints, 1), _format_list(keypoints, 0)
        rows.append(f"{name}: {ys}: {xs}")
    files.write_text(path, "\n".join(rows) + "\n")


def _format_list(keypoints: np.ndarray, column: int) -> str:
    values = [base.plain_number(p[column]) if p[2] > 0 else -1 for p in keypoints]
    return json.dumps(values)


def _form(line: str) -> _Form | None:
    """The form that a header announces, None of another line."""
    for separator in SEPARATORS:
        fields = tuple(field.strip().strip('"') for field in line.split(separator))
        # What pandas calls the column of the index, "Unnamed: 0", has a colon.
        if fields[-3:] == HEADER and (len(fields) == 3 or line.startswith(_INDEX)):
            return _Form(separator, len(fields) > 3, is_wide=False)
        if fields[0] == _WIDE[0] or (_WIDE[0] in fields and line.startswith(_INDEX)):
            return _Form(separator, fields[0] != _WIDE[0], is_wide=True)
    return None


def _found(header: str) -> str:
    """By which separator a wrong header has columns, in words."""
    separator = max(SEPARATORS, key=header.count)
    if separator not in header:
        return ", without a separator"
    return f", {header.count(separator) + 1} columns separated by {separator!r}"


def _cells(line: str, form: _Form) -> list[str]:
    rows = csv.reader(
        [line], delimiter=form.separator, skipinitialspace=True, strict=True
    )
    try:
        return next(rows, [])[form.numbered :]
    except csv.Error as error:
        raise ValueError(f"{shown(line)} is not a csv row: {error}") from error


def _check_wide(header: list[str]) -> None:
    columns = itertools.zip_longest(map(str.strip, header), _WIDE, fillvalue="")
    for number, (name, expected) in enumerate(columns, start=1):
        if name != expected:
            raise ValueError(f"column {number} is {shown(name)}, expected {expected!r}")


def _parse_wide(line: str, form: _Form) -> Found:
    name, *cells = _cells(line, form) or [""]
    if len(cells) + 1 != len(_WIDE):
        raise ValueError(f"the row has {len(cells) + 1} columns, expected {len(_WIDE)}")
    height, width, *places = map(_number, _WIDE[1:], cells)
    if min(height, width) < 1:
        raise ValueError(f"img_h and img_w are {height} and {width}, expected >= 1")
    pose = base.from_coordinates(np.array(places[::2]), np.array(places[1::2]))
    return Found(name.strip(), pose[None], size=(int(height), int(width)))


def _number(column: str, cell: str) -> float:
    try:
        return float(base.numbers(column, [float(cell)])[0])
    except ValueError as error:
        what = f"{column} is {shown(cell)}"
        raise ValueError(f"{what}, expected a finite number") from error


def _parse_lists(line: str, form: _Form) -> Found:
    cells = line.rsplit(":", 2)
    if form.separator != ":":
        cells = []
        with contextlib.suppress(ValueError):
            cells = _cells(line, form)
    elif form.numbered:
        cells[0] = cells[0].partition(":")[2]
    if form.separator == "," and len(cells) != 3:
        # Programs quote the lists; people who write the file by hand do not.
        row = line.partition(",")[2] if form.numbered else line
        if match := _WITH_COMMAS.fullmatch(row):
            cells = list(match.groups())
    if len(cells) != 3 or not cells[0].strip():
        shape = f"{form.separator} ".join(["name", "[y0, ...]", "[x0, ...]"])
        raise ValueError(f"{shown(line)} is not a row of the form '{shape}'")
    ys, xs = _parse_list(HEADER[1], cells[1]), _parse_list(HEADER[2], cells[2])
    return Found(cells[0].strip(), base.from_coordinates(xs, ys)[None])


def _parse_list(column: str, text: str) -> np.ndarray:
    text = text.strip()
    try:
        values = base.parse_json(column, text)
    except ValueError as error:
        raise ValueError(f"{column} {shown(text)} is not a list of numbers") from error
    if not isinstance(values, list) or len(values) != base.NUM_KEYPOINTS:
        held = f"{len(values)} values" if isinstance(values, list) else shown(values)
        wanted = f"a list of {base.NUM_KEYPOINTS}"
        raise ValueError(f"{column} has {held}, expected {wanted}")
    return base.numbers(column, values)
