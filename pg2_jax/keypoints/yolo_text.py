"""The text files of YOLO's poses, as ultralytics' `save_txt` writes them.

A person is a line: class, box (4), 17 points of x, y and confidence or of x, y alone,
then perhaps the score, with `save_conf`, and the number through a video. All are
fractions of the photo, whose size no file says. Such a file does not name its photo:
`labels/a.txt` is of `a`.
"""

import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from pg2_jax.keypoints import base, person_points

_POINTS, _BEFORE = 17, 5
# Columns of x, y, confidence and of x, y, without what follows the points.
_COUNTS = {_BEFORE + _POINTS * columns: columns for columns in (3, 2)}


def is_row(line: str) -> bool:
    """Whether a line could be a person: so many numbers, the box of fractions."""
    try:
        values = [float(field) for field in line.split()]
    except ValueError:
        return False
    box = values[1:_BEFORE]
    return _columns(len(values)) > 0 and all(0 <= value <= 1 for value in box)


def entries(
    path: pathlib.Path, text: str, name: str, photo_size: base.Size | None
) -> Iterator[base.Entry]:
    """Yields the one photo of a file; `name` is the photo's, (height, width)
    `photo_size` its size."""
    parse = functools.partial(_parse, text, name, photo_size)
    yield base.Entry(str(path), parse)


def _columns(count: int) -> int:
    """The columns of a point in a line of so many numbers, 0 for another line."""
    return next((_COUNTS[n] for n in range(count - 2, count + 1) if n in _COUNTS), 0)


def _parse(text: str, name: str, size: base.Size | None) -> base.Found:
    people, scores, tracks = [], [], []
    for number, line in enumerate(base.lines_of(text), start=1):
        if not line.strip():
            continue
        if not is_row(line):
            raise ValueError(
                f"line {number} is no person of YOLO's: class, box and 17 points"
            )
        values = [float(field) for field in line.split()]
        columns = _columns(len(values))
        end = _BEFORE + _POINTS * columns
        rows = np.reshape(values[_BEFORE:end], (_POINTS, columns)).tolist()
        layout = person_points.Layout(fractions=True)
        pose = person_points.read(f"line {number}", {"keypoints": rows}, layout, size)
        assert pose is not None  # There are rows.
        people.append(pose)
        # The score is no whole number, the number through a video is one.
        after = values[end:]
        scores.append(next((value for value in after if value % 1), 1.0))
        tracks.append(
            base.track_in({"idx": next((v for v in after if not v % 1), None)})
        )
    ranks = [(score,) for score in scores]
    return base.Found(name, np.stack(people), ranks, size, tracks)
