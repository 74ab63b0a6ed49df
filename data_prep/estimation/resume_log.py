"""The results of an estimation so far, so that an interrupted one resumes."""

import json
import os
import pathlib
import sys
from typing import Any, NamedTuple

import numpy as np

from pg2_jax import files
from pg2_jax.estimators.base import Person

# The size in bytes and the time of change of a photo: whether it is still the same.
Stamp = tuple[int, int]


class Record(NamedTuple):
    """The people in one photo; `problem` says why nothing could be found out, if so."""

    name: str
    stamp: Stamp
    people: list[Person]
    problem: str = ""


class EstimationLog:
    """A file of JSON lines: the settings, then a line per photo, written as they come.
    An interruption in the middle of a line loses that photo only. Lines of other
    settings are not used, and a second process on the same file is refused."""

    def __init__(self, path: pathlib.Path, settings: dict[str, Any]) -> None:
        """Opens the file, and reads it if it was begun with the same settings; what is
        there then stays as it is."""
        self._path = path
        self._file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 (see close)
        try:
            files.lock(self._file)
        except BlockingIOError as error:
            self._file.close()
            rule = "another process estimates for the same --output"
            raise ValueError(f"{path}: {rule}") from error
        self._file.seek(0)
        text = self._file.read()
        header, *lines = text.splitlines() or [""]
        self.records = _records(lines)  # By photo name.
        if header == json.dumps(settings):
            # A line that was cut off ends here.
            self._file.write("" if text.endswith("\n") else "\n")
        else:
            if self.records:
                print(
                    f"{path}: the results of an interrupted run with other settings "
                    f"are discarded: {len(self.records):,} photos",
                    file=sys.stderr,
                )
            self.records = {}
            self._file.truncate(0)
            self._file.write(json.dumps(settings) + "\n")
        self._file.flush()

    def is_done(self, name: str, stamp: Stamp) -> bool:
        """Whether a photo was looked at, and has not changed since."""
        return name in self.records and self.records[name].stamp == stamp

    def add(self, record: Record) -> None:
        """Keeps a result; a problem is not kept, it may be gone the next time."""
        self.records[record.name] = record
        if not record.problem:
            people = [[p.score, p.keypoints.tolist()] for p in record.people]
            self._file.write(json.dumps([record.name, record.stamp, people]) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Closes the file, which stays if it holds anything."""
        if not self.records:
            self.remove()
        self._file.close()

    def remove(self) -> None:
        """Removes the file: its results are elsewhere."""
        self._path.unlink(missing_ok=True)


def stamp(path: pathlib.Path) -> Stamp:
    """Returns the stamp of a photo; (0, 0) for one that cannot be found."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _records(lines: list[str]) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for line in lines:
        try:
            name, (size, time), people = json.loads(line)
            persons = [
                Person(np.array(points, np.float32).reshape(18, 3), float(score))
                for score, points in people
            ]
            records[str(name)] = Record(str(name), (int(size), int(time)), persons)
        except (KeyError, TypeError, ValueError):
            continue  # Cut off by a kill.
    return records
