"""The pickles of PG2's authors: peaks with subsets, and row, column, visible.

`all_peaks_dic_*.p` maps a photo's name to 18 lists of (x, y, score, id), the candidates
for each point, and `subsets_dic_*.p` beside it to one row per person: 18 candidate ids
(-1 for none), a score and a count. The person with the highest score is taken, as in
the authors' `_get_valid_peaks` for Market-1501; without any person, the first candidate
of each kind, which their DeepFashion code takes in any case, by mistake.

`PoseRCV/*.pickle` maps a photo's name to an array [18, 3] = (row, column, visible).
"""

import functools
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from pg2_jax import errors, restricted_pickle
from pg2_jax.keypoints import base
from pg2_jax.keypoints.base import Entry, Found, shown

_PEAKS, _SUBSETS = "all_peaks_dic", "subsets_dic"
# Photo name -> [N, 20], the people, as far as the file can be trusted.
_Subsets = dict[str, Any] | None


def looks_like_pickle(content: bytes) -> bool:
    """Whether a file begins as the pickle of a dict does, in any protocol."""
    return bool(re.match(rb"\x80[\x02-\x05]|\(d|\}q|\}\(", content))


def entries(path: pathlib.Path, content: bytes) -> Iterator[Entry]:
    """Yields the poses of a file; beside peaks their file of subsets is looked for."""
    poses = _load(path, content)
    first = next(iter(poses.values()))
    if isinstance(first, np.ndarray) and first.ndim == 2 and first.shape[1] == 20:
        peaks = f"the file of peaks, {path.name.replace(_SUBSETS, _PEAKS)}"
        rule = f"give {peaks}, which lies beside it"
        raise ValueError(f"{path}: holds the subsets of people; {rule}")
    beside = path.with_name(path.name.replace(_PEAKS, _SUBSETS))
    subsets = None
    if isinstance(first, list) and beside != path and beside.exists():
        loaded = _load(beside, base.content_of(beside))
        subsets = {_key(name): people for name, people in loaded.items()}
    for key, value in poses.items():
        place = f"{path}: record {shown(key)}"
        yield place, functools.partial(_parse, key, value, subsets)


def _load(path: pathlib.Path, content: bytes) -> dict[Any, Any]:
    with errors.said_of(path):
        value = restricted_pickle.load(content)
        if not isinstance(value, dict) or not value:
            rule = "expected a dict of photo names"
            raise ValueError(f"the pickle holds {shown(value)}, {rule}")
    return value


def _key(name: Any) -> str:
    """A name as text: Python 2 wrote bytes."""
    if isinstance(name, str):
        return name
    if not isinstance(name, bytes):
        raise ValueError(f"the photo name {shown(name)} is not text")
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _parse(key: Any, value: Any, subsets: _Subsets) -> Found:
    name = _key(key)
    if isinstance(value, list):
        return Found(name, _from_peaks(name, value, subsets)[None])
    if not isinstance(value, np.ndarray) or value.shape != (base.NUM_KEYPOINTS, 3):
        is_array = isinstance(value, np.ndarray)
        held = f"an array of shape {value.shape}" if is_array else shown(value)
        rule = "an array [18, 3] of row, column, visible, or 18 lists of peaks"
        raise ValueError(f"{held}, expected {rule}")
    flat = base.numbers("the array", value.ravel().tolist())
    rows, columns, visible = flat.reshape(-1, 3).T
    return Found(name, base.from_coordinates(columns, rows, visible != 0)[None])


def _from_peaks(name: str, value: list[Any], subsets: _Subsets) -> np.ndarray:
    if len(value) != base.NUM_KEYPOINTS:
        raise ValueError(f"{len(value)} lists of peaks, expected {base.NUM_KEYPOINTS}")
    for joint, candidates in enumerate(value):
        _check_peaks(joint, candidates)
    ids = _ids(name, value, subsets)
    places = np.full((base.NUM_KEYPOINTS, 2), -1, np.float32)
    for joint, candidates in enumerate(value):
        mine = candidates[:1]
        if ids is not None:
            # The last one, as the authors' loop leaves it; ids do not repeat.
            mine = [peak for peak in candidates if peak[3] in ids][-1:]
        for x, y, _, _ in mine:
            places[joint] = x, y
    return base.from_coordinates(*places.T)


def _check_peaks(joint: int, candidates: Any) -> None:
    if not isinstance(candidates, list):
        raise ValueError(f"the peaks of point {joint} are {shown(candidates)}, no list")
    for peak in candidates:
        if not isinstance(peak, tuple | list) or len(peak) != 4:
            held = f"point {joint} has the peak {shown(peak)}"
            raise ValueError(f"{held}, expected (x, y, score, id)")
        base.numbers(f"a peak of point {joint}", peak)


def _ids(name: str, peaks: list[Any], subsets: _Subsets) -> set[float] | None:
    """The ids of the chosen person's points, None to take the first ones."""
    if subsets is None:
        if max(map(len, peaks)) > 1:
            rule = f"no file {_SUBSETS}*.p beside this one, which says whose they are"
            raise ValueError(f"several candidates for a point, and {rule}")
        return None
    people = subsets.get(name)
    if not isinstance(people, np.ndarray):
        raise ValueError(f"the file {_SUBSETS}*.p has no array of this name")
    if people.size == 0:
        return None
    if people.ndim != 2 or people.shape[1] != 20:
        raise ValueError(f"subsets of shape {people.shape}, expected [N, 20]")
    rows = base.numbers("the subsets", people.ravel().tolist()).reshape(people.shape)
    best = rows[rows[:, -2].argmax()]
    return set(best[: base.NUM_KEYPOINTS].tolist()) if best[-2] > -1 else None
