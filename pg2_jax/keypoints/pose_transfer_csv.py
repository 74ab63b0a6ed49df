"""The csv that pose transfer projects share: `name:keypoints_y:keypoints_x`.

    0002_c1s1_000451_03.jpg: [14, 25, ...]: [31, 30, ...]

The y list comes first; 18 points each, -1 for a missing one. The separator is ":" with
or without spaces, ",", ";", "|" or a tab, as the header says; before the name there may
be a column with the number of the row, as pandas writes it. The header may be repeated
further down, and blank lines are ignored.
"""

import csv
import functools
import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from pg2_jax import errors, files
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import shown

HEADER = ("name", "keypoints_y", "keypoints_x")
SEPARATORS = (":", ",", ";", "\t", "|")
_INDEX = (*SEPARATORS, '""', "index", "Unnamed")
_LIST = r'\s*,\s*"?(\[[^][]*\])"?\s*'
_WITH_COMMAS = re.compile(rf"(.+?){_LIST}{_LIST}")


class _Form(NamedTuple):
    separator: str
    numbered: bool  # whether a column with the number of the row comes first


def entries(path: pathlib.Path, text: str) -> Iterator[base.Entry]:
    """Yields the rows of a file, whose first line must be the header."""
    lines = base.lines_of(text)
    form = _form(lines[0])
    if form is None:
        raise ValueError(
            f"{path}:1: the header is {lines[0][:80]!r}{_found(lines[0])}, expected "
            f"{':'.join(HEADER)!r}"
        )
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() and _form(line) is None:
            parse = functools.partial(_parse_row, line, form)
            yield base.Entry(f"{path}:{number}", parse)


def write(path: files.PathLike, annotations: Mapping[str, np.ndarray]) -> None:
    """Writes poses [18, 3] by photo name so that `entries` reads them, or nothing."""
    rows = [":".join(HEADER)]
    for name, keypoints in annotations.items():
        with errors.said_of(f"cannot be written to {path}"):
            base.check_name(name)
            if ":" in name:
                raise ValueError(f"the photo name {shown(name)} is refused: it has a :")
            base.check_pose(name, keypoints)
        ys, xs = _format_list(keypoints, 1), _format_list(keypoints, 0)
        rows.append(f"{name}: {ys}: {xs}")
    files.write_text(path, "\n".join(rows) + "\n")


def _form(line: str) -> _Form | None:
    for separator in SEPARATORS:
        fields = tuple(field.strip().strip('"') for field in line.split(separator))
        if fields == HEADER:
            return _Form(separator, numbered=False)
        # What pandas calls the column of the index, "Unnamed: 0", has a colon.
        if fields[-3:] == HEADER and line.startswith(_INDEX):
            return _Form(separator, numbered=True)
    return None


def _found(header: str) -> str:
    """By which separator a wrong header has columns, in words."""
    separator = max(SEPARATORS, key=header.count)
    if separator not in header:
        return ", without a separator"
    return f", {header.count(separator) + 1} columns separated by {separator!r}"


def _parse_row(line: str, form: _Form) -> base.Found:
    fields = line.rsplit(":", 2)
    if form.separator != ":":
        fields = _fields(line, form)
    elif form.numbered:
        fields[0] = fields[0].partition(":")[2]
    if len(fields) != 3 or not fields[0].strip():
        shape = f"{form.separator} ".join(["name", "[y0, ...]", "[x0, ...]"])
        raise ValueError(f"{shown(line)} is not a row of the form '{shape}'")
    ys, xs = _parse_list(HEADER[1], fields[1]), _parse_list(HEADER[2], fields[2])
    return base.one(fields[0].strip(), base.from_coordinates(xs, ys))


def _fields(line: str, form: _Form) -> list[str]:
    separator, first = form.separator, int(form.numbered)
    rows = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    try:
        fields = next(rows, [])
    except csv.Error:
        fields = []
    if len(fields) == 3 + first:
        return fields[first:]
    # Programs quote the lists; people who write the file by hand do not.
    match = _WITH_COMMAS.fullmatch(line.partition(",")[2] if first else line)
    return list(match.groups()) if match and separator == "," else []


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


def _format_list(keypoints: np.ndarray, column: int) -> str:
    values = [base.plain_number(p[column]) if p[2] > 0 else -1 for p in keypoints]
    return json.dumps(values)
