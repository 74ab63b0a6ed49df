"""The TFDS builder: pairs of photos of one person, as TFRecord shards that any TFDS
user can load.

Its records are put together from the halves that photo_store.py keeps.
"""

import contextlib
import errno
import io
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import dataset_builder
from tensorflow_datasets.core.utils import shard_utils

from data_prep.pairs.pair_list import NumberedPairs
from data_prep.records.photo_store import PhotoStore, source_features, target_features

# tensorflow reads and writes records here; the accelerator is not for it.
tf.config.set_visible_devices([], "GPU")


class _LocalInfo(tfds.core.DatasetInfo):
    """Data set information that does not ask the TFDS cloud bucket, which knows nothing
    of local data."""

    def initialize_from_bucket(self) -> None:
        """Does nothing."""


class Shard(NamedTuple):
    """One file to write: the records [start, stop) of a split."""

    path: str
    split: str
    start: int
    stop: int


WriteShards = Callable[
    [PhotoStore, Mapping[str, NumberedPairs], Sequence[Shard], Callable[[Any], None]],
    None,
]


class PosePairs(dataset_builder.FileReaderBuilder):
    """Ordered pairs of photos of one person with 18 keypoints each.

    Writes the shards itself: the stock writers of TFDS encode both photos of every pair
    anew and shuffle through buckets; here the order is the caller's.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(
        self,
        *,
        store: PhotoStore,
        splits: Mapping[str, NumberedPairs],
        metadata: Mapping[str, Any],
        progress: Callable[[Any], None],
        data_dir: str | os.PathLike[str],
        write_shards: WriteShards,
    ) -> None:
        """Prepares the builder; `download_and_prepare` writes.

        Args:
            store: the finished store with every photo of the pairs.
            splits: split name -> pairs of stored photos in the order of the records.
            metadata: data set level facts, written to metadata.json.
            progress: called with the number of records just written.
            data_dir: TFDS root; the data set lies in a subfolder, see `data_path`.
            write_shards: where the work is done, `write_here` or another.
        """
        self._store, self._pairs, self._facts = store, splits, metadata
        self._progress, self._write_shards = progress, write_shards
        super().__init__(data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        height, width = self._store.height, self._store.width
        return _LocalInfo(
            builder=self,
            description="Ordered pairs of photos of one person with 18 keypoints each.",
            features=tfds.features.FeaturesDict(
                {**source_features(height, width), **target_features(height, width)}
            ),
            metadata=tfds.core.MetadataDict(self._facts),
            disable_shuffling=True,
        )

    def _download_and_prepare(
        self, dl_manager: Any, download_config: Any = None
    ) -> None:
        splits = [self._plan(split) for split in self._pairs]
        shards = [
            Shard(os.fspath(path), split.name, end - length, end)
            for split in splits
            for path, length, end in zip(
                split.filepaths,
                split.shard_lengths,
                itertools.accumulate(split.shard_lengths),
                strict=True,
            )
        ]
        self._write_shards(self._store, self._pairs, shards, self._progress)
        self.info.set_splits(tfds.core.SplitDict(splits))

    def _plan(self, split: str) -> tfds.core.SplitInfo:
        """Divides a split into shards, by the rule of TFDS."""
        pairs = self._pairs[split]
        num_bytes = sum(
            int(self._store.record_sizes(block).sum())
            for block in pairs.blocks(0, len(pairs))
        )
        num_shards = shard_utils.ShardConfig.calculate_number_shards(
            num_bytes, len(pairs)
        )
        bounds = [0, *shard_utils.get_shard_boundaries(len(pairs), num_shards)]
        return tfds.core.SplitInfo(
            name=split,
            shard_lengths=[end - start for start, end in itertools.pairwise(bounds)],
            num_bytes=num_bytes,
            filename_template=self._get_filename_template(split_name=split),
        )


def write_shard(
    store: PhotoStore, pairs: NumberedPairs, shard: Shard, path: str
) -> Iterator[int]:
    """Writes one shard to a path; yields the number of records just written, to tell
    how far it is."""
    with tf.io.TFRecordWriter(path) as writer:
        for block in pairs.blocks(shard.start, shard.stop):
            for source, target in block.tolist():
                writer.write(store.record(source, target))
                yield 1


def write_here(
    store: PhotoStore,
    splits: Mapping[str, NumberedPairs],
    shards: Sequence[Shard],
    progress: Callable[[Any], None],
) -> None:
    """Writes all shards in this process, one after the other."""
    for shard in shards:
        for count in write_shard(store, splits[shard.split], shard, shard.path):
            progress(count)


def write(
    folder: pathlib.Path,
    store: PhotoStore,
    splits: Mapping[str, NumberedPairs],
    metadata: Mapping[str, Any],
    progress: Callable[[Any], None],
    write_shards: WriteShards = write_here,
) -> pathlib.Path:
    """Writes a data set below an existing folder; the arguments are those of
    `PosePairs`.

    Returns:
        The folder that holds dataset_info.json, features.json, metadata.json and the
        shards.
    """
    builder = PosePairs(
        store=store,
        splits=splits,
        metadata=metadata,
        progress=progress,
        data_dir=folder,
        write_shards=write_shards,
    )
    # Nothing is downloaded: the data set must not be looked for in the TFDS cloud
    # bucket.
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    # TFDS prints that it downloads, and the name of a folder that the caller is about
    # to rename.
    with contextlib.redirect_stdout(io.StringIO()), _errors_of_the_system():
        builder.download_and_prepare(download_config=config)
    return pathlib.Path(builder.data_dir)


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
    """Reads some records of a written data set back, decoded.

    Args:
        folder: the data set.
        split: its split.
        rows: record numbers, from 0.

    Returns:
        One dict per row: feature name -> numpy array or bytes.
    """
    builder = tfds.builder_from_directory(folder)
    slices = [builder.as_dataset(split=f"{split}[{row}:{row + 1}]") for row in rows]
    return [next(iter(tfds.as_numpy(one))) for one in slices]
