"""Pairs of photos of one person as TFRecord shards that any TFDS user can load.

The stock writers of TFDS encode both photos of every pair anew and shuffle through
buckets. Here the order is the caller's, and a photo, which is in hundreds of pairs, is
encoded once, as the two halves of a record that it can be: a record is a source half
followed by a target half, because concatenated protocol buffers merge, and its checksum
follows from theirs. The readers, example_parser.py and tfrecord.py of
pg2_jax.input_pipeline, say what the bytes mean.
"""

import array
import itertools
import json
import os
import pathlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from data_prep.pairs import pair_list
from data_prep.records.output_folder import DATASET_NAME
from pg2_jax import files
from pg2_jax.input_pipeline import example_parser, tfrecord
from pg2_jax.input_pipeline.description import INFO

_TFDS = "tensorflow_datasets.core.features"


class PhotoStore:
    """The photos of a data set, each encoded once, in a file, of which the operating
    system keeps in memory what there is room for."""

    def __init__(self, path: files.PathLike) -> None:
        """Creates the file, which the caller removes."""
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
        source: dict[str, Any] = {"identity": identity.encode()}
        for role, features in (("source", source), ("target", {})):
            features[f"{role}_image"] = encoded
            features[f"{role}_keypoints"] = keypoints
            features[f"{role}_name"] = name.encode()
            half = example_parser.encode(features)
            self.starts.append(self.starts[-1] + self._file.write(half))
            self.checksums.append(tfrecord.crc(half))
        return len(self.checksums) // 2 - 1

    def finish(self) -> None:
        """Makes the store readable; no photo can be added any more."""
        self._file.flush()

    def record(self, source: int, target: int) -> bytes:
        """The serialized record of a pair of stored photos."""
        return self._half(2 * source) + self._half(2 * target + 1)

    def _half(self, number: int) -> bytes:
        start, end = self.starts[number : number + 2]
        return os.pread(self._file.fileno(), end - start, start)

    def sizes(self, pairs: np.ndarray) -> np.ndarray:
        """How many bytes the halves of pairs have, int64 [N, 2] of int [N, 2]."""
        return np.diff(np.frombuffer(self.starts, np.int64))[2 * pairs + [[0, 1]]]

    def framed(self, pairs: np.ndarray) -> Iterator[bytes]:
        """Yields the records of pairs, int [N, 2], framed as in a TFRecord file."""
        first, second = np.frombuffer(self.checksums, np.uint32)[2 * pairs + [[0, 1]]].T
        whole = tfrecord.joined(first, second, self.sizes(pairs)[:, 1])
        for (source, target), end in zip(
            pairs.tolist(), tfrecord.masked(whole).tolist(), strict=True
        ):
            record = self.record(source, target)
            length = struct.pack("<Q", len(record))
            begin = length + struct.pack("<I", tfrecord.checksum_of_length(length))
            yield begin + record + struct.pack("<I", end)

    def close(self) -> None:
        self._file.close()


class Shard(NamedTuple):
    """One file to write: the records [start, stop) of a split."""

    path: str
    split: str
    start: int
    stop: int

    def pairs_of(self, splits: Mapping[str, np.ndarray]) -> np.ndarray:
        """Its own among the pairs of all splits."""
        return splits[self.split][self.start : self.stop]


# By split the numbers of stored photos, int [N, 2] = (source, target).
Splits = Mapping[str, np.ndarray]
# Is told how many records were just written.
Progress = Callable[[int], Any]
WriteShards = Callable[[PhotoStore, Splits, Sequence[Shard], Progress], None]


def write_shard(
    store: PhotoStore, pairs: np.ndarray, path: str, progress: Progress
) -> None:
    """Writes the records of pairs, int [N, 2], into a file."""
    with open(path, "wb") as file:
        for block in _blocks(pairs):
            for record in store.framed(block):
                file.write(record)
                progress(1)


def write_here(
    store: PhotoStore, splits: Splits, shards: Sequence[Shard], progress: Progress
) -> None:
    """Writes all shards in this process, one after the other: a `WriteShards`."""
    for shard in shards:
        write_shard(store, shard.pairs_of(splits), shard.path, progress)


def _blocks(pairs: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of a list that may be larger than the memory."""
    for start in range(0, len(pairs), pair_list.BLOCK):
        yield pairs[start : start + pair_list.BLOCK]


def write(
    folder: pathlib.Path,
    store: PhotoStore,
    splits: Splits,
    metadata: Mapping[str, Any],
    progress: Progress,
    write_shards: WriteShards,
) -> None:
    """Writes a data set into an empty folder: the shards, features.json, metadata.json,
    which holds at least height and width of the photos, and at last dataset_info.json.
    """
    shards: list[Shard] = []
    described = []
    for split, pairs in splits.items():
        num_bytes = sum(int(store.sizes(block).sum()) for block in _blocks(pairs))
        count = number_of_shards(num_bytes, len(pairs))
        ends = [round(len(pairs) * i / count) for i in range(count + 1)]
        for i, (start, stop) in enumerate(itertools.pairwise(ends)):
            name = f"{DATASET_NAME}-{split}.tfrecord-{i:05d}-of-{count:05d}"
            shards.append(Shard(os.fspath(folder / name), split, start, stop))
        described.append(
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": split,
                "numBytes": str(num_bytes),
                "shardLengths": [str(b - a) for a, b in itertools.pairwise(ends)],
            }
        )
    write_shards(store, splits, shards, progress)
    info = {
        "description": "Ordered pairs of photos of one person with 18 keypoints each.",
        "disableShuffling": True,
        "fileFormat": "tfrecord",
        "name": DATASET_NAME,
        "splits": described,
        "version": "1.0.0",
    }
    contents = {
        "features.json": _features(metadata["height"], metadata["width"]),
        "metadata.json": metadata,
        INFO: info,
    }
    for name, content in contents.items():
        text = json.dumps(content, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


def number_of_shards(num_bytes: int, num_pairs: int) -> int:
    """The rule of TFDS: a power of two up to 1,024 of files of 64 MiB or more."""
    with_frames = num_bytes + 16 * num_pairs
    most = min(with_frames // 2**26, num_pairs, 1024)
    return 1 << max(most, 1).bit_length() - 1


def _features(height: int, width: int) -> dict[str, Any]:
    """What a record says of the photos of a pair, in the words of TFDS."""

    def feature(kind: str, **described: Any) -> dict[str, Any]:
        return {"pythonClassName": f"{_TFDS}.{kind}", **described}

    pixels = {"dimensions": [str(height), str(width), "3"]}
    points = {"dimensions": ["18", "3"]}
    features = {"identity": feature("text_feature.Text", text={})}
    for role in ("source", "target"):
        features[f"{role}_image"] = feature(
            "image_feature.Image",
            image={"dtype": "uint8", "shape": pixels},
            description="stored as the bytes of the photo",
        )
        features[f"{role}_keypoints"] = feature(
            "tensor_feature.Tensor",
            tensor={"dtype": "float32", "encoding": "none", "shape": points},
            description="(x, y, visible) in pixels, OpenPose COCO-18 order; missing is "
            "0, 0, 0",
        )
        what = "name of the photo in the annotation file"
        features[f"{role}_name"] = feature(
            "text_feature.Text", text={}, description=what
        )
    return feature("features_dict.FeaturesDict", featuresDict={"features": features})
