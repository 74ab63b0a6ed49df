"""TFRecord shards -> tf.data -> numpy batches.

The order of the training data depends on the seed and the step alone, so that a resumed
run sees what an uninterrupted one would have seen.
"""

import collections
import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
import tensorflow as tf

from pg2_jax import errors, pose
from pg2_jax.input_pipeline import description, records
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
    """Some test pairs, padded to the batch size B with the first pair. `names`,
    (source, target), and `identities` are those of the true examples alone, at most
    B."""

    batch: Batch
    names: list[tuple[str, str]]
    identities: list[str]


class PairDataset:
    """A data set written by data_prep/build_tfrecords.py: `height` and `width` of the
    images in pixels, and what the builder recorded as `metadata`.

    It has the splits "train" and "test", and where a share of the training people is
    held out, "validation": the training pairs of these people, which "train" lacks.
    """

    def __init__(self, data_dir: str, validation_share: float = 0.0):
        """Opens a data set; holding out a share of the training people takes one pass
        over the records. What is no such data set, or has too few people, is a
        ValueError."""
        self._data_dir = data_dir
        self._builder = records.open_builder(data_dir)
        self.height, self.width = self._builder.info.features["source_image"].shape[:2]
        self.metadata = dict(self._builder.info.metadata or {})
        self._held_out: list[bytes] = []
        self._held_out_pairs = 0
        if validation_share:
            self._hold_out(validation_share)

    def count(self, split: str) -> int:
        """The number of pairs of a split; none is a ValueError."""
        if split == "validation" and self._held_out:
            return self._held_out_pairs
        if split not in self.splits:
            raise description.unusable(self._data_dir, f"no pairs in split {split}.")
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

        The records of all epochs, each shuffled anew by the seed, are one stream, and
        process i of n takes the i-th of n equal shares of every batch. So a step sees
        the same examples in the same order whatever the number of processes, each epoch
        holds every pair once over all processes, and a batch that does not divide the
        epoch goes on in the next one: nothing is left out. Each process reads all
        records, which is quick, and decodes its own.

        `batch_size` counts over all processes, which must divide it. What was before
        `first_step` is skipped unread (whole epochs) or undecoded (the rest).
        """
        epoch, offset = divmod(first_step * batch_size, self.count("train"))
        epochs = tf.data.Dataset.range(epoch, np.iinfo(np.int64).max)
        stream = epochs.flat_map(lambda e: self._shuffled_records(seed, e))
        stream, rows = records.shard(
            stream.skip(offset), batch_size, process_index, process_count
        )
        return self._batches(stream, rows, records.ARRAYS)

    def test_batches(
        self,
        *,
        batch_size: int,
        limit: int = 0,
        split: str = "test",
        process_index: int = 0,
        process_count: int = 1,
    ) -> Iterator[TestBatch]:
        """Yields this process's share of the first `limit` test pairs (0 for all), each
        once, in the order of the protocol; of "validation" in the order in which they
        are stored.

        Process i of n takes the i-th of n equal shares of every batch, and all
        processes get equally many batches: where the pairs do not fill them, they are
        padded with the first pair, whose name is not repeated.
        """
        count = min(limit or self.count(split), self.count(split))
        stored = "train" if split == "validation" else split
        stream = self._records(self._files(stored), split)
        padding = stream.take(1).repeat()
        stream = stream.take(count).concatenate(padding)
        stream, rows = records.shard(stream, batch_size, process_index, process_count)
        batches = self._batches(stream, rows, (*records.ARRAYS, *records.NAMES))
        firsts = range(process_index * rows, count + batch_size, batch_size)
        steps = -(-count // batch_size)
        for first, batch in zip(firsts, itertools.islice(batches, steps), strict=False):
            true = max(0, count - first)
            people, sources, targets = (
                [name.decode() for name in batch[key][:true]] for key in records.NAMES
            )
            arrays = {key: batch[key] for key in records.ARRAYS}
            names = list(zip(sources, targets, strict=True))
            yield TestBatch(cast(Batch, arrays), names, people)

    def photos(self, split: str, batch_size: int) -> Iterator[np.ndarray]:
        """Yields every photo of a split once, in the order in which the pairs name
        them, as uint8 [batch_size or fewer, H, W, 3]."""
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
        batches of `rows`: several small ones together, handed over as slices."""
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
        """Raises a ValueError unless `pose.view` knows the view of every target pose
        of a split; it names the first pair and counts the others."""
        keys = (*records.NAMES[1:], records.KEYPOINTS[1])
        unknown, first = 0, ""
        for rows in self._stored(split, keys):
            wrong = np.asarray(pose.view(jnp.asarray(rows[records.KEYPOINTS[1]]))) < 0
            if wrong.any() and not unknown:
                first = ", ".join(rows[k][wrong.argmax()].decode() for k in keys[:2])
            unknown += int(wrong.sum())
        if unknown:
            raise description.unusable(
                self._data_dir,
                f"the view of {unknown} of {self.count(split)} pairs of split {split} "
                f"cannot be told, first of {first}: a shoulder or a hip of the target "
                "pose is missing. pose_embedding=view needs all four, as the field's "
                "pair protocol does.",
            )

    def _stored(self, split: str, keys: tuple[str, ...]) -> Iterator[Any]:
        """Yields what the files of a split hold, in numpy batches of any size."""
        stream = tf.data.TFRecordDataset(self._files(split)).batch(4096)
        return self._read(stream.map(lambda batch: self._decode(batch, keys)))

    def _read(self, batches: tf.data.Dataset) -> Iterator[Any]:
        return records.iterate(batches, self._data_dir)

    def _hold_out(self, share: float) -> None:
        key = records.NAMES[0]
        stored = self._stored("train", (key,))
        pairs = collections.Counter(name for rows in stored for name in rows[key])
        self._held_out = held_out(pairs, share)
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
        files = tf.constant(self._files("train"))
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        files = tf.random.experimental.stateless_shuffle(files, seed=key)
        stream = self._records(files, "train")
        info = self._builder.info.splits["train"]
        record_size = max(1, info.num_bytes // info.num_examples)
        limit = max(1, _SHUFFLE_BYTES // record_size)
        buffer = min(_SHUFFLE_BUFFER, limit, info.num_examples)
        # One number for (seed, epoch): shuffle takes a single 64-bit seed.
        mixed = tf.random.stateless_uniform(
            (), seed=key, minval=None, maxval=None, dtype=tf.int64
        )
        return stream.shuffle(buffer, seed=mixed, reshuffle_each_iteration=False)

    def _decode(self, rows: tf.Tensor, keys: tuple[str, ...]) -> dict[str, tf.Tensor]:
        return records.decode(rows, keys, (self.height, self.width))


def held_out(identities: Iterable[bytes], share: float) -> list[bytes]:
    """The people of the validation split, the same for every seed and in every run: a
    share, above 0 and below 1, of those who are named once or more; at least one and
    not all, those whose names have the smallest SHA-256. A single person is a
    ValueError."""
    people = sorted(set(identities), key=lambda name: hashlib.sha256(name).digest())
    if len(people) < 2:
        rule = f" needs two training people or more; there is {len(people)}."
        raise errors.ArgumentError("validation_share", share, rule)
    return people[: min(max(1, round(share * len(people))), len(people) - 1)]
