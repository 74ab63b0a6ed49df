"""TFRecord shards -> tf.data -> numpy batches.

With records.py the only module of the library that imports tensorflow, which reads and
decodes and never touches the accelerator. The order of the training data depends on the
seed and the step alone, so that a resumed run sees what an uninterrupted one would have
seen.
"""

import collections
import dataclasses
import hashlib
import itertools
from collections.abc import Iterator
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
import tensorflow as tf

from pg2_jax import pose
from pg2_jax.input_pipeline import records, validation_split
from pg2_jax.inputs import Batch

# Records, not pixels, wait in the shuffle buffer: some 50 MB at 128x64. The builder has
# written the training pairs in random order already. Only records of more than 32 KiB
# meet the second limit, which bounds the memory.
_SHUFFLE_BUFFER = 8192
_SHUFFLE_BYTES = 2**28
# Pairs that tf.data hands over at once: its costs per element are worth a dozen decoded
# photos.
_ROWS_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class TestBatch:
    """Some test pairs, padded to the batch size with the first pair.

    Attributes:
        batch: what the generators take, leading axis B.
        names: (source, target) of the true examples, at most B.
        identities: the people of the true examples.
    """

    batch: Batch
    names: list[tuple[str, str]]
    identities: list[str]


class PairDataset:
    """A data set written by data_prep/build_tfrecords.py.

    It has the splits "train" and "test", and where a share of the training people is
    held out, "validation": the training pairs of these people, which "train" lacks.

    Attributes:
        height: of the images, in pixels.
        width: of the images, in pixels.
        metadata: what the builder recorded: protocol, counts, seed.
    """

    def __init__(self, data_dir: str, validation_share: float = 0.0):
        """Opens a data set.

        Args:
            data_dir: folder that holds dataset_info.json.
            validation_share: of the training people, to hold out; takes one pass over
                the records.

        Raises:
            ValueError: there is no such data set, it is of another kind, or it has too
                few people.
        """
        self._builder = records.open_builder(data_dir)
        self.height, self.width = self._builder.info.features["source_image"].shape[:2]
        self.metadata = dict(self._builder.info.metadata or {})
        self._data_dir = data_dir
        self._held_out: list[bytes] = []
        self._held_out_pairs = 0
        if validation_share:
            self._hold_out(validation_share)

    def count(self, split: str) -> int:
        """The number of pairs of a split.

        Raises:
            ValueError: the split is missing or empty.
        """
        if split == "validation" and self._held_out:
            return self._held_out_pairs
        if split not in self.splits:
            raise ValueError(f"--data_dir={self._data_dir}: no pairs in split {split}.")
        held_out = self._held_out_pairs if split == "train" else 0
        return self._builder.info.splits[split].num_examples - held_out

    @property
    def splits(self) -> list[str]:
        """Names of the stored splits that hold pairs."""
        return records.splits(self._builder)

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

        The records of all epochs are one stream, and process i of n takes the i-th of n
        equal shares of every batch. So a step sees the same examples in the same order
        whatever the number of processes, each epoch holds every pair once over all
        processes, and a batch that does not divide the epoch goes on in the next one:
        nothing is left out. Each process reads all records, which is quick, and decodes
        its own.

        Args:
            batch_size: examples per step over all processes.
            seed: of the order; each epoch is shuffled anew.
            first_step: the step to begin with; earlier examples are skipped unread
                (whole epochs) or undecoded (the rest).
            process_index: of this process.
            process_count: of the run; must divide batch_size.

        Returns:
            Batches of batch_size / process_count examples, numpy.

        Raises:
            ValueError: the processes do not divide the batch, or there are no pairs;
            while iterating, a record cannot be read.
        """
        rows = _share(batch_size, process_index, process_count)
        epoch, offset = divmod(first_step * batch_size, self.count("train"))
        epochs = tf.data.Dataset.range(epoch, np.iinfo(np.int64).max)
        stream = epochs.flat_map(lambda e: self._shuffled_records(seed, e))
        stream = stream.skip(offset)
        if process_count > 1:
            shares = stream.batch(rows, drop_remainder=True)
            stream = shares.shard(process_count, process_index).unbatch()
        return self._batches(stream, rows, (*records.IMAGES, *records.KEYPOINTS))

    def test_batches(
        self,
        *,
        batch_size: int,
        limit: int = 0,
        split: str = "test",
        process_index: int = 0,
        process_count: int = 1,
    ) -> Iterator[TestBatch]:
        """Yields this process's share of the test pairs, each once, in the order of the
        protocol.

        Process i of n takes the i-th of n equal shares of every batch, and all
        processes get equally many batches: where the pairs do not fill them, they are
        padded with the first pair, whose name is not repeated.

        Args:
            batch_size: examples per step over all processes.
            limit: number of pairs from the beginning; 0 for all.
            split: "test", or "validation" in the order in which they are stored.
            process_index: of this process.
            process_count: of the run; must divide batch_size.

        Yields:
            Batches of batch_size / process_count examples.

        Raises:
            ValueError: as `training_batches`.
        """
        rows = _share(batch_size, process_index, process_count)
        count = min(limit or self.count(split), self.count(split))
        stored = "train" if split == "validation" else split
        stream = self._records(self._files(stored), split)
        padding = stream.take(1).repeat()
        stream = stream.take(count).concatenate(padding)
        shares = stream.batch(rows, drop_remainder=True)
        stream = shares.shard(process_count, process_index).unbatch()
        batches = self._batches(
            stream, rows, (*records.IMAGES, *records.KEYPOINTS, *records.NAMES)
        )
        firsts = range(process_index * rows, count + batch_size, batch_size)
        steps = -(-count // batch_size)
        for first, batch in zip(firsts, itertools.islice(batches, steps), strict=False):
            true = max(0, count - first)
            people, sources, targets = (
                [name.decode() for name in batch[key][:true]] for key in records.NAMES
            )
            arrays = {key: batch[key] for key in (*records.IMAGES, *records.KEYPOINTS)}
            names = list(zip(sources, targets, strict=True))
            yield TestBatch(cast(Batch, arrays), names, people)

    def photos(self, split: str, batch_size: int) -> Iterator[np.ndarray]:
        """Yields every photo of a split once, in the order in which the pairs name
        them, as uint8 [batch_size or fewer, H, W, 3].

        Raises:
            ValueError: a record cannot be read.
        """
        text = tf.io.FixedLenFeature([], tf.string)
        roles = list(zip(records.IMAGES, records.NAMES[1:], strict=True))
        spec = {key: text for role in roles for key in role}
        stream = tf.data.TFRecordDataset(self._files(split)).batch(_ROWS_AT_ONCE)
        seen: set[bytes] = set()
        waiting: list[bytes] = []
        for rows in self._read(stream.map(lambda r: tf.io.parse_example(r, spec))):
            for images, names in roles:
                for name, encoded in zip(rows[names], rows[images], strict=True):
                    if name not in seen:
                        seen.add(name)
                        waiting.append(encoded)
            while len(waiting) >= batch_size:
                yield from self._decoded(waiting[:batch_size])
                del waiting[:batch_size]
        if waiting:
            yield from self._decoded(waiting)

    def _decoded(self, encoded: list[bytes]) -> Iterator[np.ndarray]:
        """Yields one batch."""
        size = (self.height, self.width)
        photos = tf.data.Dataset.from_tensor_slices(encoded)
        images = photos.map(lambda photo: records.decode_image(photo, size))
        yield from self._read(images.batch(len(encoded)))

    def checksum(self, split: str) -> str:
        """SHA-256 of the files of a split, one after the other."""
        digest = hashlib.sha256()
        for path in self._files(split):
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _batches(
        self, stream: tf.data.Dataset, rows: int, keys: tuple[str, ...]
    ) -> Iterator[Any]:
        """Decodes an endless stream of records in parallel, in order, into numpy
        batches of `rows`.

        Several small batches are decoded together and handed over as slices.
        """
        together = max(1, _ROWS_AT_ONCE // rows)
        decoded = (
            stream.batch(rows * together, drop_remainder=True)
            .map(
                lambda batch: self._decode(batch, keys),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            .prefetch(2)
        )
        for arrays in self._read(decoded):
            for start in range(0, len(arrays[keys[0]]), rows):
                yield {key: arrays[key][start : start + rows] for key in keys}

    def require_views(self, split: str) -> None:
        """Checks that `pose.view` knows the view of every target pose of a split.

        Raises:
            ValueError: it does not; names the first pair and counts the others.
        """
        keys = (*records.NAMES[1:], records.KEYPOINTS[1])
        stream = tf.data.TFRecordDataset(self._files(split)).batch(4096)
        unknown, first = 0, ""
        for rows in self._read(stream.map(lambda batch: self._decode(batch, keys))):
            wrong = np.asarray(pose.view(jnp.asarray(rows[records.KEYPOINTS[1]]))) < 0
            if wrong.any() and not unknown:
                first = ", ".join(rows[k][wrong.argmax()].decode() for k in keys[:2])
            unknown += int(wrong.sum())
        if unknown:
            raise ValueError(
                f"--data_dir={self._data_dir}: the view of {unknown} of "
                f"{self.count(split)} pairs of split {split} cannot be told, first of "
                f"{first}: a shoulder or a hip of the target pose is missing. "
                "--pose_embedding=view needs all four, as the field's pair protocol "
                "does."
            )

    def _read(self, batches: tf.data.Dataset) -> Iterator[Any]:
        return records.iterate(batches, self._data_dir)

    def _hold_out(self, share: float) -> None:
        """Chooses the people of the validation split, and counts their pairs."""
        key = records.NAMES[0]
        stream = tf.data.TFRecordDataset(self._files("train")).batch(4096)
        decoded = self._read(stream.map(lambda batch: self._decode(batch, (key,))))
        pairs = collections.Counter(name for rows in decoded for name in rows[key])
        self._held_out = validation_split.held_out(pairs, share)
        self._held_out_pairs = sum(pairs[name] for name in self._held_out)

    def _records(self, files: tf.Tensor | list[str], split: str) -> tf.data.Dataset:
        """The serialized records in files, of the training files those of a split."""
        stream = tf.data.TFRecordDataset(files)
        if split == "test" or not self._held_out:
            return stream
        held_out = tf.constant(self._held_out)

        def those_of_split(batch: tf.Tensor) -> tf.Tensor:
            identity = self._decode(batch, records.NAMES[:1])[records.NAMES[0]]
            is_held_out = tf.reduce_any(identity[:, None] == held_out, axis=1)
            return tf.boolean_mask(batch, is_held_out == (split == "validation"))

        return stream.batch(_ROWS_AT_ONCE).map(those_of_split).unbatch()

    def _files(self, split: str) -> list[str]:
        self.count(split)
        return [str(path) for path in self._builder.info.splits[split].filepaths]

    def _shuffled_records(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        """The serialized training records in the order of one epoch."""
        files = tf.constant(self._files("train"))
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        files = tf.random.experimental.stateless_shuffle(files, seed=key)
        stream = self._records(files, "train")
        info = self._builder.info.splits["train"]
        record_size = max(1, info.num_bytes // info.num_examples)
        buffer = min(_SHUFFLE_BUFFER, _SHUFFLE_BYTES // record_size, info.num_examples)
        buffer = max(buffer, 1)
        # One number for (seed, epoch): shuffle takes a single 64-bit seed.
        mixed = tf.random.stateless_uniform(
            (), seed=key, minval=None, maxval=None, dtype=tf.int64
        )
        return stream.shuffle(buffer, seed=mixed, reshuffle_each_iteration=False)

    def _decode(self, rows: tf.Tensor, keys: tuple[str, ...]) -> dict[str, tf.Tensor]:
        return records.decode(rows, keys, (self.height, self.width))


def _share(batch_size: int, process_index: int, process_count: int) -> int:
    """The examples of one process in a step."""
    if batch_size % process_count:
        raise ValueError(
            f"--batch_size={batch_size} must be a multiple of the number of processes, "
            f"{process_count}, because each takes an equal share of the batch."
        )
    if not 0 <= process_index < process_count:
        raise ValueError(
            f"process_index={process_index} must lie in [0, {process_count})."
        )
    return batch_size // process_count
