"""What all readers share: entries with a place for messages, checked names and numbers.

A reader yields one `Entry` per photo. What is wrong with one photo is raised when its
entry is parsed, so that the others can still be read.
"""

import codecs
import json
import os
import pathlib
import reprlib
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import MIN_CONFIDENCE, people

NUM_KEYPOINTS = 18
# A coordinate above this is a damaged file, not a large photo.
MAX_COORDINATE = 100_000
# Several times what the largest files of the field hold.
MAX_BYTES = 2**31
MAX_TRACK = 2**53
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MOST_SHOWN = 80

Size = tuple[int, int]


class File(NamedTuple):
    """A text file, and what it does not say itself."""

    path: pathlib.Path
    inside: pathlib.PurePath  # of the folder that is read: it names a nameless photo
    photo_size: Size | None  # (height, width) of its photos
    in_folder: bool = False  # among files of other photos, where one may show nobody


class Found(NamedTuple):
    """The people on one photo, none or several, as a file has them."""

    name: str  # of the photo
    # float32 [P, 18, 3] = (x, y, confidence), a missing point (0, 0, 0).
    people: np.ndarray
    ranks: Sequence[tuple[float, ...]] = ()  # for `people.order`
    size: Size | None = None  # (height, width) of the photo, if known
    tracks: Sequence[int | None] = ()  # who is who through a video, if it says so


# Poses [18, 3] by photo name, to be written.
Poses = Mapping[str, np.ndarray]
# Where a photo's pose is, for messages, and what reads it or raises a ValueError.
Entry = tuple[str, Callable[[], Found]]


class Pose(NamedTuple):
    """A parsed entry."""

    place: str  # where it was read
    keypoints: np.ndarray  # float32 [18, 3] = (x, y, visible) of whom the photo shows
    people: np.ndarray  # all people, [P, 18, 3], by `people.order`
    size: Size | None = None  # (height, width) of the photo, if known
    tracks: Sequence[int | None] = ()  # the people's numbers through a video


def collect(
    entries: Iterable[Entry],
    problems: list[str] | None = None,
    min_confidence: float = MIN_CONFIDENCE,
) -> tuple[dict[str, Pose], int]:
    """Parses entries: photo name -> pose, in their order, and how many points are
    missing because they are less sure than `min_confidence`. Bad entries and bad names
    go to `problems`, one message each; without it the first one raises."""
    poses: dict[str, Pose] = {}
    unsure = 0
    for place, parse in entries:
        try:
            found = parse()
            check_name(found.name)
            if found.name in poses:
                twice = f"{found.name!r} is already in {poses[found.name].place}"
                raise ValueError(f"{twice}; names may not repeat")
        except ValueError as error:
            message = f"{place}: {error}"
            if problems is None:
                raise ValueError(message) from error
            problems.append(message)
        else:
            poses[found.name], doubtful = _pose(place, found, min_confidence)
            unsure += doubtful
    return poses, unsure


def _pose(place: str, found: Found, min_confidence: float) -> tuple[Pose, int]:
    confidence = found.people[..., 2:]
    kept = (confidence > 0) & (confidence >= min_confidence)
    everyone = np.where(kept, found.people, 0)
    everyone[..., 2:] = kept
    unsure = int((confidence > 0).sum() - kept.sum())
    order = people.order(everyone, found.ranks)
    everyone = everyone[order]
    tracks = [found.tracks[i] if found.tracks else None for i in order]
    chosen = everyone[0] if order else np.zeros((NUM_KEYPOINTS, 3), np.float32)
    return Pose(place, chosen, everyone, found.size, tracks), unsure


def check_name(name: str) -> None:
    """Refuses a photo name that leaves its folder, or does not fit a text file."""
    parts = name.split("/")
    if not name or name != name.strip():
        rule = "a name is not empty and has no outer space"
    elif {"Cc", "Cs", "Zl", "Zp"}.intersection(map(unicodedata.category, name)):
        rule = "a name has no control characters"
    elif "\\" in name or any(not part or part.startswith(".") for part in parts):
        rule = "a name is a relative path with /, no part empty or beginning with a dot"
    else:
        return
    raise ValueError(f"the photo name {shown(name)} is refused: {rule}")


def numbers(what: str, values: Sequence[Any]) -> np.ndarray:
    """Finite numbers up to `MAX_COORDINATE` as a float32 array, or a ValueError."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{what} holds {shown(value)}, which is not a number")
        if not abs(value) <= MAX_COORDINATE:  # Nor is NaN.
            rule = f"expected a finite number of at most {MAX_COORDINATE}"
            raise ValueError(f"{what} holds {shown(value)}, {rule}")
    return np.array(values, np.float32)


def numbers_in(record: Any, *keys: str) -> list[float]:
    """The numbers that a JSON object has under some of these keys, also in a list."""
    found = []
    for key in keys:
        value = record.get(key) if isinstance(record, dict) else None
        while isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(value)
    return found


def track_in(record: Any) -> int | None:
    """The number of a person through a video, None where a tool says none: "idx" of
    AlphaPose and PoseFlow, which may lie in lists, "track_id" of ultralytics,
    "person_id" of OpenPose, [-1] without its tracker, "id_" of OpenPifPaf."""
    for value in numbers_in(record, "idx", "track_id", "person_id", "id_"):
        if 0 <= value < MAX_TRACK and value == int(value):
            return int(value)
    return None


def size_in(record: dict[str, Any], height: str, width: str) -> Size | None:
    """(height, width) by two keys of a JSON object; None for what no photo can have."""
    sides = numbers_in(record, height, width)
    if len(sides) < 2 or not all(1 <= side <= MAX_COORDINATE for side in sides):
        return None
    return int(sides[0]), int(sides[1])


def from_coordinates(
    xs: np.ndarray, ys: np.ndarray, confidence: np.ndarray | None = None
) -> np.ndarray:
    """Coordinates [18] each -> float32 [18, 3] = (x, y, confidence), 1 unless it is
    given. A point with a negative coordinate, or of no confidence, is (0, 0, 0)."""
    sure = np.ones(len(xs)) if confidence is None else confidence
    points = np.stack([xs, ys, sure], axis=1).astype(np.float32)
    present = (points >= 0).all(axis=1) & (points[:, 2] > 0)
    # + 0 turns -0.0 into 0.0.
    return np.where(present[:, None], points + np.float32(0), 0)


def check_pose(name: str, keypoints: np.ndarray) -> None:
    """Refuses a pose, or the photo name it goes by, that no format can hold."""
    check_name(name)
    shape, wanted = np.shape(keypoints), (NUM_KEYPOINTS, 3)
    if shape != wanted:
        raise ValueError(f"{name}: keypoints have shape {shape}, expected {wanted}")
    values = np.asarray(keypoints, np.float64)
    if not np.isin(values[:, 2], (0, 1)).all():
        raise ValueError(f"{name}: visible must be 0 or 1, got {values[:, 2]}")
    places = values[values[:, 2] == 1, :2]
    inside = ((places >= 0) & (places <= MAX_COORDINATE)).all(axis=1)
    if not inside.all():
        rule = f"a visible point lies outside 0 .. {MAX_COORDINATE}"
        raise ValueError(f"{name}: {rule}: {places[~inside][0]}")


def plain_number(value: float) -> int | float:
    """A coordinate as text files hold it: an int where it is whole, else the shortest
    decimal that is read as the same float32."""
    value = float(str(np.float32(value)))
    return int(value) if value.is_integer() else value


def shown(value: Any) -> str:
    """A short `repr` for a message."""
    # The plain repr of a container can be exponentially long.
    plain = isinstance(value, str | bytes | int | float | None)
    try:
        text = repr(value) if plain else reprlib.repr(value)
    except ValueError:  # An int of more digits than Python prints.
        return f"a very large {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def content_of(
    path: files.PathLike, what: str = "annotations", most: int = MAX_BYTES
) -> bytes:
    """Reads a file of at most `most` bytes; a folder, pipe or device, which might not
    end, is refused as no file with `what`."""
    # Opening a named pipe would wait for ever, and a device never ends.
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path}: not a file with {what}")
    if status.st_size > most:
        raise ValueError(f"{path}: {status.st_size:,} bytes, at most {most:,} are read")
    return pathlib.Path(path).read_bytes()


def text_of(path: pathlib.Path, content: bytes) -> str:
    """Decodes a text file, which is not empty."""
    # Spreadsheet programs put a byte order mark in front.
    form = "utf-16" if content.startswith(UTF_16_MARKS) else "utf-8-sig"
    try:
        text = content.decode(form)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        value = error.object[error.start : error.start + 1]
        kind = form.removesuffix("-sig").upper()
        raise ValueError(f"{path}:{line}: byte {value!r} is not {kind} text") from error
    if not text.strip():
        raise ValueError(f"{path}: the file is empty")
    return text


def lines_of(text: str) -> list[str]:
    """Splits at line ends only; `splitlines` also splits inside unusual names."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def parse_json_lines(path: pathlib.Path, text: str) -> Any:
    """Parses JSON, or a file with an object in each line, as a list of them."""
    lines = {i: line for i, line in enumerate(lines_of(text), start=1) if line.strip()}
    *whole, _ = lines.values()
    if not whole or not all(line[0] + line.strip()[-1] == "{}" for line in whole):
        return parse_json(path, text)
    return [parse_json(f"{path}:{number}", line) for number, line in lines.items()]


def parse_json(where: str | pathlib.Path, text: str) -> Any:
    """Parses JSON; `where` is the file, for the message."""
    try:
        # Python refuses ints of thousands of digits; as a float it is merely infinite.
        return json.loads(
            text, parse_int=lambda n: int(n) if len(n) <= 1000 else float(n)
        )
    except json.JSONDecodeError as error:
        reason = f"not valid JSON: {error.msg}"
        raise ValueError(f"{where}:{error.lineno}: {reason}") from error
    except RecursionError as error:
        raise ValueError(f"{where}: JSON that is nested too deeply") from error
