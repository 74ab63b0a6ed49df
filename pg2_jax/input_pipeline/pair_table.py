"""The pairs of a split as a table in memory: every photo, pose and name once, and for
each pair their numbers.

The builder writes a record as the half of its source and the half of its target, and a
photo is in hundreds of pairs. So each half is parsed once, and the checksum of a record
follows from those of its halves.
"""

import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pg2_jax import pose
from pg2_jax.input_pipeline import crc32c, description, example_parser, tfrecord

KEYS = (*description.ARRAYS, *description.NAMES)
_KEYPOINTS_SHAPE = (len(pose.JOINTS), 3)
# Halves that are remembered while a split is read, where each is in few pairs.
_REMEMBERED_BYTES = 2**30


class TooLarge(Exception):
    """More memory is needed than was allowed."""


class PairTable(NamedTuple):
    """N pairs. A column of `rows` is a key of `KEYS`, and its numbers are places in
    `photos`, `keypoints` or `names`."""

    rows: np.ndarray  # [N, 7] int32
    photos: list[bytes]  # JPEG or PNG, each once
    keypoints: np.ndarray  # [K, 18, 3] float32
    names: list[bytes]  # of photos and of people, UTF-8

    def numbers(self, key: str) -> np.ndarray:
        """The column of a key, [N] int32."""
        return self.rows[:, KEYS.index(key)]


def read(shards: Sequence[description.Shard], limit: float) -> PairTable:
    """Reads files of records, which may take `limit` bytes of memory, else `TooLarge`.
    Every checksum is compared. A ValueError names file, record (the first is 1) and
    rule where one cannot be read, or the number of records is not the one expected."""
    reader = _Reader(limit)
    for shard in shards:
        reader.add(shard)
    return reader.table()


class _Half(NamedTuple):
    """What is known of a half of records."""

    numbers: dict[str, int]  # by key, places in the values
    crc: int
    length: int


class _Reader:
    def __init__(self, limit: float):
        self._limit = limit
        # Values and their numbers.
        self._photos: dict[bytes, int] = {}
        self._keypoints: dict[bytes, int] = {}
        self._names: dict[bytes, int] = {}
        self._rows = array.array("i")
        self._halves: dict[bytes, _Half] = {}
        self._value_bytes = self._half_bytes = 0

    def table(self) -> PairTable:
        """What was read."""
        keypoints = np.frombuffer(b"".join(self._keypoints), "<f4")
        return PairTable(
            rows=np.array(self._rows, np.int32).reshape(-1, len(KEYS)),
            photos=list(self._photos),
            keypoints=keypoints.reshape(-1, *_KEYPOINTS_SHAPE).astype(np.float32),
            names=list(self._names),
        )

    def add(self, shard: description.Shard) -> None:
        """Reads a file."""
        checks = array.array("q")
        try:
            for record, stored in tfrecord.records(shard.path):
                checks.extend((*self._add_record(record, stored), stored))
        except ValueError as error:
            number = len(checks) // 4 + 1
            raise ValueError(f"{shard.path.name}, record {number}: {error}") from error
        _compare(np.array(checks, np.int64).reshape(-1, 4), shard)

    def _add_record(self, record: bytes, stored: int) -> tuple[int, int, int]:
        """Adds a pair; returns the CRC of both halves and the length of the second."""
        try:
            end = example_parser.end_of_first_field(record)
            first, second = self._half(record[:end]), self._half(record[end:])
            numbers = {**first.numbers, **second.numbers}
            missing = [key for key in KEYS if key not in numbers]
            if missing:
                raise ValueError(f"it lacks {missing}")
        except ValueError as error:
            if crc32c.masked(np.array([crc32c.of(record)], np.uint32))[0] != stored:
                raise ValueError("its checksum is wrong") from error
            raise
        self._rows.extend(numbers[key] for key in KEYS)
        if self._value_bytes + 4 * len(self._rows) > self._limit:
            raise TooLarge
        return first.crc, second.crc, second.length

    def _half(self, encoded: bytes) -> _Half:
        known = self._halves.get(encoded)
        if known is None:
            found = example_parser.features(encoded)
            numbers = {
                key: self._number(key, found[key]) for key in KEYS if key in found
            }
            known = _Half(numbers, crc32c.of(encoded), len(encoded))
            self._half_bytes += len(encoded)
            if self._half_bytes > _REMEMBERED_BYTES:
                self._halves, self._half_bytes = {}, len(encoded)
            self._halves[encoded] = known
        return known

    def _number(self, key: str, feature: example_parser.Feature) -> int:
        """The number of a value, which is checked."""
        if key in description.KEYPOINTS:
            values, value = self._keypoints, _pose_of(key, feature)
        else:
            value = _text_of(key, feature)
            values = self._photos if key in description.IMAGES else self._names
        before = len(values)
        number = values.setdefault(value, before)
        if number == before:
            self._value_bytes += len(value)
        return number


def _pose_of(key: str, feature: example_parser.Feature) -> bytes:
    if not isinstance(feature, np.ndarray) or feature.size != np.prod(_KEYPOINTS_SHAPE):
        raise ValueError(f"{key} holds {len(feature)} values, not 18 x 3 floats")
    return feature.astype("<f4").tobytes()


def _text_of(key: str, feature: example_parser.Feature) -> bytes:
    if not isinstance(feature, list) or len(feature) != 1:
        raise ValueError(f"{key} holds {len(feature)} values, not one of bytes")
    if key in description.NAMES:
        try:
            feature[0].decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{key} is not UTF-8: {feature[0]!r}") from error
    return feature[0]


def _compare(checks: np.ndarray, shard: description.Shard) -> None:
    """Compares the checksums and the number of the records of a file; of each record
    int64 (CRC of the first half, of the second, its length, checksum)."""
    first, second, length, stored = checks.T
    whole = crc32c.joined(first.astype(np.uint32), second.astype(np.uint32), length)
    wrong = crc32c.masked(whole) != stored
    if wrong.any():
        place = f"{shard.path.name}, record {wrong.argmax() + 1}"
        raise ValueError(f"{place}: its checksum is wrong")
    if len(checks) != shard.pairs:
        raise ValueError(
            f"{shard.path.name} holds {len(checks):,} records, dataset_info.json says "
            f"{shard.pairs:,}"
        )
