"""Keypoint files: one array [18, 3] per photo, whatever format it was written in.
 Every reader returns float32 [18, 3] = (x, y, visible) in pixels of the photo, in
OpenPose COCO-18 order; a missing point is (0, 0, 0). `read` recognises the format; a
new format is one more reader and one more branch there.
"""

import json
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pg2_jax import files

HEADER = ("name", "keypoints_y", "keypoints_x")
NUM_KEYPOINTS = 18
# A coordinate above this is a damaged file, not a large photo.
MAX_COORDINATE = 100_000

# Position in BODY_25 of each COCO-18 point: BODY_25 adds the mid hip (8) and six foot
# points (19-24).
_BODY_25_TO_COCO_18 = (*range(8), *range(9, 19))

PathLike = str | os.PathLike[str]


def read(path: PathLike) -> dict[str, np.ndarray]:
    """Reads a keypoint file in any supported format, recognised by its first character.

    Args:
        path: an annotation csv, or the OpenPose JSON of one photo.

    Returns:
        Photo name -> float32 [18, 3], in file order. OpenPose JSON does not name its
        photo: its one entry is named after the file, without the suffixes `.json` and
        `_keypoints`.

    Raises:
        ValueError: naming file, line, value and rule.
        OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    if _text(path).lstrip().startswith("{"):
        return {path.stem.removesuffix("_keypoints"): read_openpose_json(path)}
    return read_csv(path)


def read_csv(
    path: PathLike, problems: list[str] | None = None
) -> dict[str, np.ndarray]:
    """Reads a `name:keypoints_y:keypoints_x` file, the format of the Market-1501
    annotations.

    The y list comes first. The separator may be ":" or ": ", the header may be repeated
    further down, and blank lines are ignored. A point with any negative coordinate is
    missing.

    Args:
        path: the csv file, UTF-8.
        problems: bad rows are appended here, one message each, and left out of the
            result; without it the first bad row raises.

    Returns:
        Photo name -> float32 [18, 3], in row order. Points may lie outside the photo:
        its size is not known here.

    Raises:
        ValueError: a bad row (only without `problems`), a wrong header, an empty file.
        OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    annotations: dict[str, np.ndarray] = {}
    first_line: dict[str, int] = {}
    for number, line in _rows(path):
        try:
            name, keypoints = _parse_row(line)
            if name in annotations:
                raise ValueError(
                    f"{name!r} is already in line {first_line[name]}; names may not "
                    "repeat"
                )
        except ValueError as error:
            message = f"{path}:{number}: {error}"
            if problems is None:
                raise ValueError(message) from error
            problems.append(message)
            continue
        annotations[name] = keypoints
        first_line[name] = number
    return annotations


def line_numbers(path: PathLike) -> dict[str, int]:
    """Returns photo name -> line number of an annotation csv, for messages about its
    rows."""
    return {
        line.rsplit(":", 2)[0].strip(): number
        for number, line in _rows(pathlib.Path(path))
    }


def read_openpose_json(path: PathLike) -> np.ndarray:
    """Reads the person of one OpenPose output file.

    Accepts the keys `pose_keypoints_2d` and `pose_keypoints` with 18 (COCO) or 25
    (BODY_25) points. Confidence 0 or a negative coordinate means missing. Of several
    people the one with the largest sum of confidences is taken.

    Args:
        path: the JSON file of one photo.

    Returns:
        float32 [18, 3].

    Raises:
        ValueError: not JSON, no person, wrong number of values, something that is not a
        number. OSError: the file cannot be read.
    """
    path = pathlib.Path(path)
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}:{error.lineno}: not valid JSON: {error.msg}"
        ) from error
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not people:
        raise ValueError(
            f'{path}: holds no person: OpenPose JSON has a list "people" with at least '
            "one entry"
        )
    candidates = [
        _parse_person(f"{path}: person {index}", person)
        for index, person in enumerate(people)
    ]
    points = max(candidates, key=lambda candidate: candidate[:, 2].sum())
    return _from_coordinates(points[:, 0], points[:, 1], points[:, 2] > 0)


def write_csv(path: PathLike, annotations: dict[str, np.ndarray]) -> None:
    """Writes annotations in the format that `read_csv` reads; the file appears whole or
    not at all.

    Args:
        path: the csv file to write.
        annotations: photo name -> [18, 3] = (x, y, visible). Whole coordinates are
            written as integers, a missing point as -1.

    Raises:
        ValueError: a name or an array that the format cannot hold.
    """
    rows = [":".join(HEADER)]
    for name, keypoints in annotations.items():
        if not name.strip() or name != name.strip() or "\n" in name or ":" in name:
            raise ValueError(
                f"{name!r} cannot be written to {path}: a name holds no colon, newline "
                "or outer space"
            )
        if np.shape(keypoints) != (NUM_KEYPOINTS, 3):
            raise ValueError(
                f"{name}: keypoints have shape {np.shape(keypoints)}, expected "
                f"{(NUM_KEYPOINTS, 3)}"
            )
        rows.append(
            f"{name}: {_format_list(keypoints, 1)}: {_format_list(keypoints, 0)}"
        )
    with files.replacing(path) as temporary:
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _text(path: pathlib.Path) -> str:
    try:
        # utf-8-sig: spreadsheet programs put a byte order mark in front.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        value = error.object[error.start : error.start + 1]
        raise ValueError(f"{path}:{line}: byte {value!r} is not UTF-8 text") from error
    if not text.strip():
        raise ValueError(f"{path}: the file is empty")
    return text


def _rows(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    lines = _text(path).splitlines()
    if not _is_header(lines[0]):
        raise ValueError(
            f"{path}:1: the header is {lines[0][:80]!r}, expected {':'.join(HEADER)!r}"
        )
    for number, line in enumerate(lines[1:], start=2):
        if line.strip() and not _is_header(line):
            yield number, line


def _is_header(line: str) -> bool:
    return tuple(field.strip() for field in line.split(":")) == HEADER


def _parse_row(line: str) -> tuple[str, np.ndarray]:
    fields = line.rsplit(":", 2)
    if len(fields) != 3 or not fields[0].strip():
        raise ValueError(
            f"{line[:80]!r} is not a row of the form 'name: [y0, ...]: [x0, ...]'"
        )
    ys, xs = _parse_list(HEADER[1], fields[1]), _parse_list(HEADER[2], fields[2])
    return fields[0].strip(), _from_coordinates(xs, ys, np.ones(NUM_KEYPOINTS, bool))


def _parse_list(column: str, text: str) -> np.ndarray:
    text = text.strip()
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{column} {text[:80]!r} is not a list of numbers: {error.msg}"
        ) from error
    if not isinstance(values, list) or len(values) != NUM_KEYPOINTS:
        found = f"{len(values)} values" if isinstance(values, list) else repr(values)
        raise ValueError(f"{column} has {found}, expected a list of {NUM_KEYPOINTS}")
    return _numbers(column, values)


def _numbers(what: str, values: list[Any]) -> np.ndarray:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{what} holds {value!r}, which is not a number")
        if not math.isfinite(value) or abs(value) > MAX_COORDINATE:
            raise ValueError(
                f"{what} holds {value!r}, expected a finite number of at most "
                f"{MAX_COORDINATE}"
            )
    return np.array(values, np.float32)


def _from_coordinates(
    xs: np.ndarray, ys: np.ndarray, present: np.ndarray
) -> np.ndarray:
    visible = present & (xs >= 0) & (ys >= 0)
    return np.where(visible[:, None], np.stack([xs, ys, visible], axis=1), 0).astype(
        np.float32
    )


def _parse_person(where: str, person: Any) -> np.ndarray:
    keys = [
        key
        for key in ("pose_keypoints_2d", "pose_keypoints")
        if isinstance(person, dict) and key in person
    ]
    if not keys or not isinstance(person[keys[0]], list):
        raise ValueError(
            f'{where}: expected a list "pose_keypoints_2d" or "pose_keypoints"'
        )
    values = person[keys[0]]
    if len(values) not in (18 * 3, 25 * 3):
        raise ValueError(
            f"{where}: {keys[0]} has {len(values)} values, expected 18 x 3 or "
            "25 x 3 (BODY_25)"
        )
    points = _numbers(f"{where}: {keys[0]}", values).reshape(-1, 3)
    return points if len(points) == NUM_KEYPOINTS else points[list(_BODY_25_TO_COCO_18)]


def _format_list(keypoints: np.ndarray, column: int) -> str:
    values = [float(point[column]) if point[2] > 0 else -1.0 for point in keypoints]
    return json.dumps([int(value) if value.is_integer() else value for value in values])
