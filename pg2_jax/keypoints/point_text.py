"""Text files of a photo's points, those of NTED and PIDM and those of YOLO.

NTED and PIDM have 18 points, one `x y` a line. A third column, if there is one, is the
confidence: 0 means missing, as a negative coordinate does.

YOLO, by ultralytics' `save_txt`, has a person a line: class, box (4), 17 points of x, y
and confidence or of x, y alone, then perhaps the score, with `save_conf`, and the
number through a video. All are fractions of the photo, whose size no file says.

The photo's name is the file's: `pose/a/b.txt` is the pose of `a/b`.
"""

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from pg2_jax.keypoints import base, person_points
from pg2_jax.keypoints.base import Entry, Found, Size, shown

_YOLO_POINTS, _BEFORE = 17, 5


def is_row(line: str) -> bool:
    """Whether a line is two or three numbers, or could be one of YOLO's people."""
    values = _values(line)
    return len(values) in (2, 3) or _yolo_columns(values) > 0


def entries(file: base.File, text: str) -> Iterator[Entry]:
    """Yields the one photo of a file."""
    name = file.inside.with_suffix("").as_posix()
    parse = functools.partial(_parse, text, name)
    if _yolo_columns(_values(text.split("\n", 1)[0])):
        parse = functools.partial(_parse_yolo, text, name, file.photo_size)
    yield str(file.path), parse


def _values(line: str) -> list[float]:
    """The numbers of a line, none if there is anything else in it."""
    try:
        return [float(field) for field in line.split()]
    except ValueError:
        return []


def _yolo_columns(values: Sequence[float]) -> int:
    """The columns of a point in a line of YOLO's, whose box is of fractions; 0 for
    another line."""
    if all(0 <= value <= 1 for value in values[1:_BEFORE]):
        for columns in (2, 3):
            if 0 <= len(values) - _BEFORE - _YOLO_POINTS * columns <= 2:
                return columns
    return 0


def _lines(text: str) -> list[tuple[int, str]]:
    lines = enumerate(base.lines_of(text), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def _parse(text: str, name: str) -> Found:
    rows = [(number, line.split()) for number, line in _lines(text)]
    if len(rows) != base.NUM_KEYPOINTS:
        expected = f"{base.NUM_KEYPOINTS}: one per point"
        raise ValueError(f"{len(rows)} lines, expected {expected}")
    points = []
    for number, fields in rows:
        if not len(fields) == len(rows[0][1]) in (2, 3):
            rule = "expected x y, or x y confidence, the same in every line"
            raise ValueError(f"line {number} has {len(fields)} columns, {rule}")
        bad = [field for field in fields if not _values(field)]
        if bad:
            raise ValueError(f"line {number}: {shown(bad[0])} is not a number")
        points.append(base.numbers(f"line {number}", list(map(float, fields))))
    return Found(name, base.from_coordinates(*np.transpose(points))[None])


def _parse_yolo(text: str, name: str, size: Size | None) -> Found:
    people, ranks, tracks = [], [], []
    layout = person_points.Layout(fractions=True)
    for number, line in _lines(text):
        values = _values(line)
        columns = _yolo_columns(values)
        if not columns:
            rule = "is no person of YOLO's: class, box and 17 points"
            raise ValueError(f"line {number} {rule}")
        end = _BEFORE + _YOLO_POINTS * columns
        rows = np.reshape(values[_BEFORE:end], (_YOLO_POINTS, columns)).tolist()
        pose = person_points.read(f"line {number}", {"keypoints": rows}, layout, size)
        assert pose is not None  # There are rows.
        people.append(pose)
        # The score is no whole number, the number through a video is one.
        after = values[end:]
        ranks.append((next((value for value in after if value % 1), 1.0),))
        track = next((value for value in after if not value % 1), None)
        tracks.append(base.track_in({"idx": track}))
    return Found(name, np.stack(people), ranks, size, tracks)
