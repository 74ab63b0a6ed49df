"""The photos of a data set as halves of records.

A photo is in hundreds of pairs, so it is encoded once, as the two halves of a record
that it can be: the source half and the target half. A record is a source half followed
by a target half, because concatenated protocol buffers merge, and its checksum follows
from theirs. Writing 264,000 records is then a matter of copying bytes. The readers,
example_parser.py and tfrecord.py of pg2_jax.input_pipeline, say what the bytes mean.
"""

import array
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from pg2_jax import files
from pg2_jax.input_pipeline import tfrecord

_BYTES, _FLOATS = 1, 2  # the fields of a Feature


class PhotoStore:
    """The photos of a data set, each encoded once, in a file, of which the operating
    system keeps in memory what there is room for."""

    def __init__(self, path: files.PathLike) -> None:
        """Creates the file, which the caller removes together with its folder."""
        self._file: BinaryIO = open(path, "w+b")  # noqa: SIM115 (see close)
        # Where halves begin: source, target, source, target, ..., and the end.
        self.starts = array.array("q", [0])
        self.checksums = array.array("I")

    @classmethod
    def reopened(
        cls, path: str, starts: array.array, checksums: array.array
    ) -> "PhotoStore":
        """Opens a finished store, or a copy of it, to read records alone."""
        store = cls.__new__(cls)
        store._file = open(path, "rb")  # noqa: SIM115 (see close)
        store.starts, store.checksums = starts, checksums
        return store

    @property
    def path(self) -> str:
        return self._file.name

    def add(
        self, name: str, identity: str, encoded: bytes, keypoints: np.ndarray
    ) -> int:
        """Stores one photo, the bytes of an 8-bit RGB JPEG or PNG, and its keypoints,
        float32 [18, 3] = (x, y, visible); returns its number, counted from 0."""
        points = keypoints.astype("<f4").tobytes()
        before = _entry("identity", _BYTES, identity.encode())
        for role in ("source", "target"):
            image = _entry(f"{role}_image", _BYTES, encoded)
            place = _entry(f"{role}_keypoints", _FLOATS, points)
            its_name = _entry(f"{role}_name", _BYTES, name.encode())
            half, before = _text(1, before + image + place + its_name), b""
            self.starts.append(self.starts[-1] + self._file.write(half))
            self.checksums.append(tfrecord.crc(half))
        return len(self.checksums) // 2 - 1

    def finish(self) -> None:
        """Makes the store readable; no photo can be added any more."""
        self._file.flush()

    def record(self, source: int, target: int) -> bytes:
        """Returns the serialized record of a pair of stored photos."""
        halves = []
        for half in (2 * source, 2 * target + 1):
            start, end = self.starts[half], self.starts[half + 1]
            halves.append(os.pread(self._file.fileno(), end - start, start))
        return b"".join(halves)

    def sizes(self, pairs: np.ndarray) -> np.ndarray:
        """Returns the bytes of the halves of pairs, int64 [N, 2] of int [N, 2]."""
        return np.diff(np.frombuffer(self.starts, np.int64))[2 * pairs + [[0, 1]]]

    def framed(self, pairs: np.ndarray) -> Iterator[bytes]:
        """Yields the records of pairs, int [N, 2], as a TFRecord file holds them: after
        its length, and that and the record each before its checksum."""
        first, second = np.frombuffer(self.checksums, np.uint32)[2 * pairs + [[0, 1]]].T
        whole = tfrecord.joined(first, second, self.sizes(pairs)[:, 1])
        for (source, target), end in zip(
            pairs.tolist(), tfrecord.masked(whole).tolist(), strict=True
        ):
            record = self.record(source, target)
            length = struct.pack("<Q", len(record))
            begin = length + struct.pack("<I", tfrecord.checksum(length))
            yield begin + record + struct.pack("<I", end)

    def close(self) -> None:
        self._file.close()


def _entry(key: str, kind: int, content: bytes) -> bytes:
    feature = _text(kind, _text(1, content))
    return _text(1, _text(1, key.encode()) + _text(2, feature))


def _text(number: int, content: bytes) -> bytes:
    """A field of a message that holds bytes."""
    parts, length = [], len(content)
    while length > 127:
        parts.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *parts, length]) + content
