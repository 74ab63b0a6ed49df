"""The photos of a data set as halves of records.

A photo is in hundreds of pairs, so it is encoded once, as the two halves of a record
that it can be: the source half and the target half. A record is a source half followed
by a target half, because concatenated protocol buffers merge. Writing 264,000 records
is then a matter of copying bytes.
"""

import array
import os
from typing import Any, BinaryIO

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


def features(height: int, width: int, role: str = "") -> tfds.features.FeaturesDict:
    """What a record says of the photos of a pair; or its half with a role, "source"
    or "target"."""
    described: dict[str, Any] = {}
    for each in [role] if role else ["source", "target"]:
        described |= {
            f"{each}_image": tfds.features.Image(
                shape=(height, width, 3), doc="stored as the bytes of the photo"
            ),
            f"{each}_keypoints": tfds.features.Tensor(
                shape=(18, 3),
                dtype=np.float32,
                doc="(x, y, visible) in pixels, OpenPose COCO-18 order; missing is 0, "
                "0, 0",
            ),
            f"{each}_name": tfds.features.Text(
                doc="name of the photo in the annotation file"
            ),
        }
    if role != "target":
        described["identity"] = tfds.features.Text()
    return tfds.features.FeaturesDict(described)


class PhotoStore:
    """The photos of a data set, each encoded once, in a file, of which the operating
    system keeps in memory what there is room for."""

    def __init__(self, path: str | os.PathLike[str], height: int, width: int) -> None:
        """Creates the file, which the caller removes together with its folder."""
        self.height, self.width = height, width
        self._halves = [features(height, width, role) for role in ("source", "target")]
        self._file: BinaryIO = open(path, "w+b")  # noqa: SIM115 (see close)
        # Where halves begin: source, target, source, target, ..., and the end.
        self.starts = array.array("q", [0])

    @classmethod
    def reopened(cls, path: str, starts: array.array) -> "PhotoStore":
        """Opens a finished store, or a copy of it, to read records alone."""
        store = cls.__new__(cls)
        store._file = open(path, "rb")  # noqa: SIM115 (see close)
        store.starts = starts
        return store

    @property
    def path(self) -> str:
        """The file."""
        return self._file.name

    def add(
        self, name: str, identity: str, encoded: bytes, keypoints: np.ndarray
    ) -> int:
        """Stores one photo, the bytes of an 8-bit RGB JPEG or PNG, and its keypoints,
        float32 [18, 3] = (x, y, visible); returns its number, counted from 0."""
        values = {"image": encoded, "keypoints": keypoints, "name": name}
        source = {f"source_{key}": value for key, value in values.items()}
        source["identity"] = identity
        target = {f"target_{key}": value for key, value in values.items()}
        for half, described in zip((source, target), self._halves, strict=True):
            # A map of a protocol buffer has no order of its own: otherwise each process
            # would write other bytes.
            example = tf.train.Example.FromString(described.serialize_example(half))
            size = self._file.write(example.SerializeToString(deterministic=True))
            self.starts.append(self.starts[-1] + size)
        return len(self.starts) // 2 - 1

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

    def record_sizes(self, pairs: np.ndarray) -> np.ndarray:
        """Returns the bytes of the records of pairs, int64 [N] of int [N, 2]."""
        sizes = np.diff(np.frombuffer(self.starts, np.int64))
        return sizes[2 * pairs[:, 0]] + sizes[2 * pairs[:, 1] + 1]

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
