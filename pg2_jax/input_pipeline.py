"""TFRecord shards -> tf.data -> numpy batches.

The only module of the library that imports tensorflow, which reads and decodes here and
never touches the accelerator. The order of the training data depends on the seed and
the step alone, so that a resumed run sees what an uninterrupted one would have seen.
"""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from pg2_jax import pose
from pg2_jax.inputs import Batch

tf.config.set_visible_devices([], "GPU")

_IMAGES = ("source_image", "target_image")
_KEYPOINTS = ("source_keypoints", "target_keypoints")
_NAMES = ("identity", "source_name", "target_name")
# Records, not pixels, wait in the shuffle buffer: some 50 MB at 128x64. The builder has
# written the training pairs in random order already.
_SHUFFLE_BUFFER = 8192


@dataclasses.dataclass(frozen=True)
class TestBatch:
    """Some test pairs, padded to the batch size by repeating the last.

    Attributes:
        batch: what the generators take, leading axis B.
        names: (source, target) of the true examples, at most B.
    """

    batch: Batch
    names: list[tuple[str, str]]


class PairDataset:
    """A data set written by data_prep/build_tfrecords.py.

    Attributes:
        height: of the images, in pixels.
        width: of the images, in pixels.
        metadata: what the builder recorded: protocol, counts, seed.
    """

    def __init__(self, data_dir: str):
        """Opens a data set.

        Args:
            data_dir: folder that holds dataset_info.json.

        Raises:
            ValueError: there is no such data set, or it is of another kind.
        """
        folder = pathlib.Path(data_dir).expanduser()
        if not (folder / "dataset_info.json").is_file():
            raise ValueError(
                f"--data_dir={data_dir}: no data set is there (dataset_info.json is "
                "missing). Make one with: python data_prep/build_tfrecords.py "
                f"--output_dir={data_dir} ..."
            )
        try:
            self._builder = tfds.builder_from_directory(folder)
        except Exception as error:
            # What TFDS raises on damaged files ranges from KeyError to protobuf's own.
            raise ValueError(
                f"--data_dir={data_dir}: dataset_info.json or features.json is "
                f"damaged: {error}"
            ) from error
        missing = {*_IMAGES, *_KEYPOINTS, *_NAMES} - set(self._builder.info.features)
        if missing:
            raise ValueError(
                f"--data_dir={data_dir}: the records lack {sorted(missing)}; this is "
                "not a data set of data_prep/build_tfrecords.py."
            )
        for split in self.splits:
            for path in self._builder.info.splits[split].filepaths:
                if not pathlib.Path(path).is_file():
                    raise ValueError(f"--data_dir={data_dir}: {path.name} is missing.")
        self.height, self.width = self._builder.info.features["source_image"].shape[:2]
        self.metadata = dict(self._builder.info.metadata or {})
        self._data_dir = data_dir

    def count(self, split: str) -> int:
        """The number of pairs of a split, "train" or "test".

        Raises:
            ValueError: the split is missing or empty.
        """
        if split not in self.splits:
            raise ValueError(f"--data_dir={self._data_dir}: no pairs in split {split}.")
        return self._builder.info.splits[split].num_examples

    @property
    def splits(self) -> list[str]:
        """Names of the splits that hold pairs."""
        infos = self._builder.info.splits
        return [name for name in infos if infos[name].num_examples]

    def training_batches(
        self,
        *,
        batch_size: int,
        seed: int,
        first_step: int = 0,
        process_index: int = 0,
        process_count: int = 1,
    ) -> Iterator[Batch]:
        """Yields this process's share of the training batches, without end.

        Args:
            batch_size: examples per step over all processes.
            seed: of the order; each epoch is shuffled anew.
            first_step: the step to begin with; earlier examples are skipped unread
                (whole epochs) or undecoded (the rest).
            process_index: of this process.
            process_count: of the run; must divide batch_size.

        Yields:
            Batches of batch_size / process_count examples, numpy.
        """
        epoch, offset = divmod(first_step * batch_size, self.count("train"))
        epochs = tf.data.Dataset.range(epoch, np.iinfo(np.int64).max)
        records = epochs.flat_map(lambda e: self._shuffled_records(seed, e))
        records = records.skip(offset).shard(process_count, process_index)
        batches = self._decoded(records, (*_IMAGES, *_KEYPOINTS))
        batches = batches.batch(batch_size // process_count, drop_remainder=True)
        return self._read(batches.prefetch(tf.data.AUTOTUNE))

    def test_batches(self, *, batch_size: int, limit: int = 0) -> Iterator[TestBatch]:
        """Yields the test pairs, each once, in the order of the protocol.

        Args:
            batch_size: examples per batch; the last one is padded.
            limit: number of pairs from the beginning; 0 for all.
        """
        records = tf.data.TFRecordDataset(self._files("test"))
        records = records.take(limit or -1)
        examples = self._decoded(records, (*_IMAGES, *_KEYPOINTS, *_NAMES))
        for rows in self._read(examples.batch(batch_size).prefetch(2)):
            sources, targets = (
                [name.decode() for name in rows[key]] for key in _NAMES[1:]
            )
            padding = batch_size - len(sources)
            padded = {
                key: np.concatenate([rows[key], *[rows[key][-1:]] * padding])
                for key in (*_IMAGES, *_KEYPOINTS)
            }
            names = list(zip(sources, targets, strict=True))
            yield TestBatch(cast(Batch, padded), names)

    def require_views(self, split: str) -> None:
        """Checks that `pose.view` knows the view of every target pose of a split.

        Raises:
            ValueError: the first record that lacks a joint.
        """
        keys = (*_NAMES[1:], _KEYPOINTS[1])
        records = tf.data.TFRecordDataset(self._files(split))
        for rows in self._read(self._decoded(records, keys).batch(4096)):
            unknown = np.asarray(pose.view(jnp.asarray(rows[_KEYPOINTS[1]]))) < 0
            if unknown.any():
                source, target = (rows[k][unknown.argmax()].decode() for k in keys[:2])
                raise ValueError(
                    f"--data_dir={self._data_dir}: the view of the pair {source}, "
                    f"{target} (split {split}) cannot be told: a shoulder or a hip is "
                    "missing in the target pose. --pose_embedding=view needs both "
                    "shoulders and both hips, as the field's pair protocol does."
                )

    def _read(self, batches: tf.data.Dataset) -> Iterator[Any]:
        """Iterates over numpy batches; a damaged shard becomes a ValueError."""
        try:
            yield from batches.as_numpy_iterator()
        except tf.errors.OpError as error:
            raise ValueError(
                f"--data_dir={self._data_dir}: a record cannot be read: {error.message}"
            ) from error

    def _files(self, split: str) -> list[str]:
        self.count(split)
        return [str(path) for path in self._builder.info.splits[split].filepaths]

    def _shuffled_records(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        """The serialized training records in the order of one epoch."""
        files = tf.constant(self._files("train"))
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        files = tf.random.experimental.stateless_shuffle(files, seed=key)
        records = tf.data.TFRecordDataset(files)
        buffer = min(_SHUFFLE_BUFFER, self.count("train"))
        # One number for (seed, epoch): shuffle takes a single 64-bit seed.
        mixed = tf.random.stateless_uniform(
            (), seed=key, minval=None, maxval=None, dtype=tf.int64
        )
        return records.shuffle(buffer, seed=mixed, reshuffle_each_iteration=False)

    def _decoded(
        self, records: tf.data.Dataset, keys: tuple[str, ...]
    ) -> tf.data.Dataset:
        """Parses and decodes records in parallel, in order."""
        features = self._builder.info.features
        unused = {key: tfds.decode.SkipDecoding() for key in set(_IMAGES) - set(keys)}

        def decode(record: tf.Tensor) -> dict[str, tf.Tensor]:
            example = features.deserialize_example(record, decoders=unused)
            return {key: example[key] for key in keys}

        return records.map(
            decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
