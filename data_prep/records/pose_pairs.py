"""Pairs of photos of one person as TFRecord shards that any TFDS user can load.

The stock writers of TFDS encode both photos of every pair anew and shuffle through
buckets. Here a record is put together from the halves that photo_store.py keeps, and
the order is the caller's.
"""

import contextlib
import errno
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import naming
from tensorflow_datasets.core.utils import shard_utils

from data_prep.pairs import pair_list
from data_prep.records import photo_store
from data_prep.records.output_folder import DATASET_NAME
from data_prep.records.photo_store import PhotoStore

# tensorflow reads and writes records here; the accelerator is not for it.
tf.config.set_visible_devices([], "GPU")


class Shard(NamedTuple):
    """One file to write: the records [start, stop) of a split."""

    path: str
    split: str
    start: int
    stop: int


# Takes the store; by split int [N, 2] = (source, target), the numbers of stored photos;
# the shards; and a function to call with the number of records just written.
WriteShards = Callable[
    [PhotoStore, Mapping[str, np.ndarray], Sequence[Shard], Callable[[int], Any]], None
]


def write_shard(
    store: PhotoStore,
    pairs: np.ndarray,
    shard: Shard,
    path: str,
    progress: Callable[[int], Any],
) -> None:
    """Writes one shard to a path; the rest as for `WriteShards`."""
    with tf.io.TFRecordWriter(path) as writer:
        for start in range(shard.start, shard.stop, pair_list.BLOCK):
            block = pairs[start : min(start + pair_list.BLOCK, shard.stop)]
            for source, target in block.tolist():
                writer.write(store.record(source, target))
                progress(1)


def write_here(
    store: PhotoStore,
    splits: Mapping[str, np.ndarray],
    shards: Sequence[Shard],
    progress: Callable[[int], Any],
) -> None:
    """Writes all shards in this process, one after the other: a `WriteShards`."""
    for shard in shards:
        write_shard(store, splits[shard.split], shard, shard.path, progress)


def write(
    folder: pathlib.Path,
    store: PhotoStore,
    splits: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
    progress: Callable[[int], Any],
    write_shards: WriteShards,
) -> None:
    """Writes a data set into an empty folder: dataset_info.json, features.json,
    metadata.json and the shards; `splits`, `progress` as for `WriteShards`."""
    infos = [_divide(folder, store, *each) for each in splits.items()]
    shards = [
        Shard(os.fspath(path), info.name, end - length, end)
        for info in infos
        for path, length, end in zip(
            info.filepaths,
            info.shard_lengths,
            itertools.accumulate(info.shard_lengths),
            strict=True,
        )
    ]
    with _errors_of_the_system():
        write_shards(store, splits, shards, progress)
        tfds.folder_dataset.write_metadata(
            data_dir=folder,
            features=photo_store.features(store.height, store.width),
            split_infos=infos,
            version="1.0.0",
            check_data=False,
            description="Ordered pairs of photos of one person with 18 keypoints each.",
            metadata=tfds.core.MetadataDict(metadata),
            disable_shuffling=True,
        )


def _divide(
    folder: pathlib.Path, store: PhotoStore, split: str, pairs: np.ndarray
) -> tfds.core.SplitInfo:
    """Divides a split into shards, by the rule of TFDS."""
    num_bytes = sum(
        int(store.record_sizes(pairs[start : start + pair_list.BLOCK]).sum())
        for start in range(0, len(pairs), pair_list.BLOCK)
    )
    num_shards = shard_utils.ShardConfig.calculate_number_shards(num_bytes, len(pairs))
    bounds = [0, *shard_utils.get_shard_boundaries(len(pairs), num_shards)]
    return tfds.core.SplitInfo(
        name=split,
        shard_lengths=[end - start for start, end in itertools.pairwise(bounds)],
        num_bytes=num_bytes,
        filename_template=naming.ShardedFileTemplate(
            data_dir=folder,
            dataset_name=DATASET_NAME,
            split=split,
            filetype_suffix="tfrecord",
        ),
    )


@contextlib.contextmanager
def _errors_of_the_system() -> Iterator[None]:
    """Turns what tensorflow raises when it cannot write into an OSError."""
    numbers = {
        tf.errors.ResourceExhaustedError: errno.ENOSPC,
        tf.errors.OutOfRangeError: errno.EFBIG,
    }
    try:
        yield
    except tf.errors.OpError as error:
        number = numbers.get(type(error), errno.EIO)
        raise OSError(number, os.strerror(number), error.message) from error


def read_records(
    folder: str | os.PathLike[str], split: str, rows: Sequence[int]
) -> list[dict[str, Any]]:
    """Reads the records of some numbers, counted from 0, back: feature name -> numpy
    array or bytes."""
    builder = tfds.builder_from_directory(folder)
    # One file after the other keeps the order of the rows.
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    parts = "+".join(f"{split}[{row}:{row + 1}]" for row in rows)
    return list(tfds.as_numpy(builder.as_dataset(split=parts, read_config=in_order)))
