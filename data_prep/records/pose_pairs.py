"""Pairs of photos of one person as TFRecord shards that any TFDS user can load.

The stock writers of TFDS encode both photos of every pair anew and shuffle through
buckets. Here a record is put together from the halves that photo_store.py keeps, the
order is the caller's, and tensorflow is not needed.
"""

import contextlib
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_prep.pairs import pair_list
from data_prep.records.output_folder import DATASET_NAME
from data_prep.records.photo_store import PhotoStore

_PYTHON = "tensorflow_datasets.core.features"


class Shard(NamedTuple):
    """One file to write: the records [start, stop) of a split."""

    path: str
    split: str
    start: int
    stop: int


# Takes the store; by split int [N, 2] = (source, target), the numbers of stored photos;
# and the shards; yields how many records it has just written.
WriteShards = Callable[
    [PhotoStore, Mapping[str, np.ndarray], Sequence[Shard]], Generator[int, None, None]
]


def write_shard(
    store: PhotoStore, pairs: np.ndarray, shard: Shard, path: str
) -> Generator[int, None, None]:
    """Writes one shard to a path; the rest as for `WriteShards`."""
    with open(path, "wb") as file:
        for start in range(shard.start, shard.stop, pair_list.BLOCK):
            block = pairs[start : min(start + pair_list.BLOCK, shard.stop)]
            for record in store.framed(block):
                file.write(record)
                yield 1


def write_here(
    store: PhotoStore, splits: Mapping[str, np.ndarray], shards: Sequence[Shard]
) -> Generator[int, None, None]:
    """Writes all shards in this process, one after the other: a `WriteShards`."""
    for shard in shards:
        yield from write_shard(store, splits[shard.split], shard, shard.path)


def write(
    folder: pathlib.Path,
    store: PhotoStore,
    splits: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
    progress: Callable[[int], Any],
    write_shards: WriteShards,
) -> None:
    """Writes a data set into an empty folder: the shards, features.json, metadata.json,
    which holds at least height and width of the photos, and at last dataset_info.json.
    `progress` is told how many records were just written."""
    shards: list[Shard] = []
    described = []
    for split, pairs in splits.items():
        num_bytes = sum(
            int(store.sizes(pairs[start : start + pair_list.BLOCK]).sum())
            for start in range(0, len(pairs), pair_list.BLOCK)
        )
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
    # Closed also where progress raises: what the writers share is removed at once.
    with contextlib.closing(write_shards(store, splits, shards)) as counts:
        for count in counts:
            progress(count)
    info = {
        "description": "Ordered pairs of photos of one person with 18 keypoints each.",
        "disableShuffling": True,
        "fileFormat": "tfrecord",
        "name": DATASET_NAME,
        "splits": described,
        "version": "1.0.0",
    }
    features = _features(metadata["height"], metadata["width"])
    for name, content in (
        ("features.json", features),
        ("metadata.json", metadata),
        ("dataset_info.json", info),
    ):
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
        return {"pythonClassName": f"{_PYTHON}.{kind}", **described}

    def shape(*sizes: int) -> dict[str, Any]:
        return {"dimensions": [str(size) for size in sizes]}

    features = {"identity": feature("text_feature.Text", text={})}
    for role in ("source", "target"):
        features[f"{role}_image"] = feature(
            "image_feature.Image",
            image={"dtype": "uint8", "shape": shape(height, width, 3)},
            description="stored as the bytes of the photo",
        )
        features[f"{role}_keypoints"] = feature(
            "tensor_feature.Tensor",
            tensor={"dtype": "float32", "encoding": "none", "shape": shape(18, 3)},
            description="(x, y, visible) in pixels, OpenPose COCO-18 order; missing is "
            "0, 0, 0",
        )
        features[f"{role}_name"] = feature(
            "text_feature.Text",
            text={},
            description="name of the photo in the annotation file",
        )
    return feature("features_dict.FeaturesDict", featuresDict={"features": features})
