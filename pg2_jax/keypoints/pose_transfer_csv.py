"""The csv that pose transfer projects share: `name:keypoints_y:keypoints_x`.

    0002_c1s1_000451_03.jpg: [14, 25, ...]: [31, 30, ...]

The y list comes first; 18 points each, -1 for a missing one. The separator is ":" with
or without spaces, or ",", as the header says. The header may be repeated further down,
and blank lines are ignored.
"""

import csv
import functools
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import shown

HEADER = ("name", "keypoints_y", "keypoints_x")
_LIST = r'\s*,\s*"?(\[[^][]*\])"?\s*'
_WITH_COMMAS = re.compile(rf"(.+?){_LIST}{_LIST}")


def entries(path: pathlib.Path, text: str) -> Iterator[base.Entry]:
    """Yields the rows of a file, whose first line must be the header."""
    lines = base.lines_of(text)
    separator = _separator(lines[0])
    if separator is None:
        raise ValueError(
            f"{path}:1: the header is {lines[0][:80]!r}, expected {':'.join(HEADER)!r}"
        )
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() and _separator(line) is None:
            yield base.Entry(
                f"{path}:{number}", functools.partial(_parse_row, line, separator)
            )


def write(path: str | os.PathLike[str], annotations: Mapping[str, np.ndarray]) -> None:
    """Writes poses [18, 3] by photo name so that `entries` reads them, whole or not at
    all."""
    rows = [":".join(HEADER)]
    for name, keypoints in annotations.items():
        try:
            base.check_name(name)
            if ":" in name:
                raise ValueError(f"the photo name {shown(name)} is refused: it has a :")
            base.check_pose(name, keypoints)
        except ValueError as error:
            raise ValueError(f"cannot be written to {path}: {error}") from error
        rows.append(
            f"{name}: {_format_list(keypoints, 1)}: {_format_list(keypoints, 0)}"
        )
    files.write_text(path, "\n".join(rows) + "\n")


def _separator(line: str) -> str | None:
    for separator in ":,":
        fields = (field.strip().strip('"') for field in line.split(separator))
        if tuple(fields) == HEADER:
            return separator
    return None


def _parse_row(line: str, separator: str) -> base.Found:
    fields = line.rsplit(":", 2) if separator == ":" else _comma_fields(line)
    if len(fields) != 3 or not fields[0].strip():
        form = f"name{separator} [y0, ...]{separator} [x0, ...]"
        raise ValueError(f"{shown(line)} is not a row of the form '{form}'")
    ys, xs = _parse_list(HEADER[1], fields[1]), _parse_list(HEADER[2], fields[2])
    return base.one(fields[0].strip(), base.from_coordinates(xs, ys))


def _comma_fields(line: str) -> list[str]:
    try:
        fields = next(csv.reader([line], skipinitialspace=True, strict=True), [])
    except csv.Error:
        fields = []
    if len(fields) == 3:
        return fields
    # Programs quote the lists; people who write the file by hand do not.
    match = _WITH_COMMAS.fullmatch(line)
    return list(match.groups()) if match else []


def _parse_list(column: str, text: str) -> np.ndarray:
    text = text.strip()
    try:
        values = base.parse_json(column, text)
    except ValueError as error:
        raise ValueError(f"{column} {shown(text)} is not a list of numbers") from error
    if not isinstance(values, list) or len(values) != base.NUM_KEYPOINTS:
        held = f"{len(values)} values" if isinstance(values, list) else shown(values)
        raise ValueError(
            f"{column} has {held}, expected a list of {base.NUM_KEYPOINTS}"
        )
    return base.numbers(column, values)


def _format_list(keypoints: np.ndarray, column: int) -> str:
    return json.dumps(
        [
            base.plain_number(point[column]) if point[2] > 0 else -1
            for point in keypoints
        ]
    )
