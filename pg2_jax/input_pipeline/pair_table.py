"""The pairs of a split as a table in memory: every photo, pose and name once, and for
each pair their numbers.

The builder writes a record as the half of its source and the half of its target, and a
photo is in hundreds of pairs. So each half is parsed once, and the checksum of a record
follows from those of its halves. Records of another make have an empty second half.
"""

import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pg2_jax import pose
from pg2_jax.input_pipeline import description, example_parser, tfrecord
from pg2_jax.input_pipeline.description import KEYS

_KEYPOINTS_SHAPE = (len(pose.JOINTS), 3)
# Halves that are remembered while a split is read, where each is in few pairs.
_REMEMBERED_BYTES = 2**30


class TooLarge(Exception):
    """More memory is needed than was allowed."""


class PairTable(NamedTuple):
    """N pairs: a column of `rows` for each of `KEYS`, of places in the other fields."""

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


class _Reader:
    def __init__(self, limit: float):
        self._limit, self._used = limit, 0
        # Values and their numbers.
        self._photos: dict[bytes, int] = {}
        self._keypoints: dict[bytes, int] = {}
        self._names: dict[bytes, int] = {}
        # Halves and their numbers; of each a row (-1: lacks it), its CRC and length.
        self._halves: dict[bytes, int] = {}
        self._half_bytes = 0
        self._half_rows = array.array("i")
        self._half_checks = array.array("q")
        self._pairs = array.array("i")  # of halves

    def table(self) -> PairTable:
        """All that was added."""
        keypoints = np.frombuffer(b"".join(self._keypoints), "<f4")
        return PairTable(
            rows=self._rows(np.array(self._pairs, np.int32).reshape(-1, 2)),
            photos=list(self._photos),
            keypoints=keypoints.reshape(-1, *_KEYPOINTS_SHAPE).astype(np.float32),
            names=list(self._names),
        )

    def add(self, shard: description.Shard) -> None:
        """Takes in the records of a shard; the ValueError names a bad one."""
        before, stored = len(self._pairs), array.array("I")
        try:
            for record, checksum in tfrecord.records(shard.path):
                self._pairs.extend(self._halves_of(record, checksum))
                stored.append(checksum)
                if self._used + 4 * len(KEYS) * len(self._pairs) // 2 > self._limit:
                    raise TooLarge
        except ValueError as error:
            raise _of_record(shard, len(stored) + 1, str(error)) from error
        pairs = np.array(self._pairs[before:], np.int32).reshape(-1, 2)
        checks = np.array(self._half_checks, np.int64).reshape(-1, 2)[pairs]
        first, second = checks[..., 0].astype(np.uint32).T
        whole = tfrecord.joined(first, second, checks[:, 1, 1])
        wrong = tfrecord.masked(whole) != np.array(stored)
        if wrong.any():
            raise _of_record(shard, int(wrong.argmax()) + 1, "its checksum is wrong")
        missing = self._rows(pairs) < 0
        if missing.any():
            row = int(missing.any(axis=1).argmax())
            names = [KEYS[column] for column in np.flatnonzero(missing[row])]
            raise _of_record(shard, row + 1, f"it lacks {names}")
        if len(pairs) != shard.pairs:
            raise ValueError(
                f"{shard.path.name} holds {len(pairs):,} records, dataset_info.json "
                f"says {shard.pairs:,}"
            )

    def _rows(self, pairs: np.ndarray) -> np.ndarray:
        """What pairs of halves hold, [N, 7] int32; of both the second counts."""
        rows = np.array(self._half_rows, np.int32).reshape(-1, len(KEYS))
        first, second = (rows[numbers] for numbers in pairs.T)
        return np.where(second < 0, first, second)

    def _halves_of(self, record: bytes, stored: int) -> tuple[int, int]:
        try:
            end = example_parser.end_of_first_features(record)
            return self._half(record[:end]), self._half(record[end:])
        except ValueError as error:
            if tfrecord.checksum(record) != stored:
                raise ValueError("its checksum is wrong") from error
            raise

    def _half(self, encoded: bytes) -> int:
        if encoded in self._halves:
            return self._halves[encoded]
        found = example_parser.features(encoded)
        row = [self._number(key, found[key]) if key in found else -1 for key in KEYS]
        self._half_rows.extend(row)
        self._half_checks.extend((tfrecord.crc(encoded), len(encoded)))
        if self._half_bytes > _REMEMBERED_BYTES:
            self._halves, self._half_bytes = {}, 0
        self._half_bytes += len(encoded)
        number = self._halves[encoded] = len(self._half_checks) // 2 - 1
        return number

    def _number(self, key: str, feature: example_parser.Feature) -> int:
        if key in description.KEYPOINTS:
            values, value = self._keypoints, _pose_of(key, feature)
        else:
            value = _text_of(key, feature)
            values = self._photos if key in description.IMAGES else self._names
        if value not in values:
            self._used += len(value)
        return values.setdefault(value, len(values))


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
            raise ValueError(f"{key} is not UTF-8: {feature[0][:50]!r}") from error
    return feature[0]


def _of_record(shard: description.Shard, number: int, rule: str) -> ValueError:
    return ValueError(f"{shard.path.name}, record {number}: {rule}")
