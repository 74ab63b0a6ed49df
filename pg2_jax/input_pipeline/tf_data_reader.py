"""TFRecord shards -> tf.data -> numpy batches; the records come piece by piece."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pg2_jax import errors
from pg2_jax.input_pipeline import cloud_files, description, process_share, reader
from pg2_jax.input_pipeline.description import IMAGES, KEYPOINTS
from pg2_jax.input_pipeline.process_share import Share

tf.config.set_visible_devices([], "GPU")
# Spares the translation of python's control flow, of which none depends on a tensor
# here: it is half of the time to the first batch.
_as_it_is = tf.autograph.experimental.do_not_convert

# Records, not pixels, wait in the shuffle buffer: some 50 MB at 128x64. The builder has
# written the training pairs in random order already. Only records of more than 32 KiB
# meet the second limit, which bounds the memory.
_SHUFFLE_BUFFER = 8192
_SHUFFLE_BYTES = 2**28
_ROWS_AT_ONCE = 64
# Pairs decoded and handed over at once: each element costs as much as a dozen.
_DECODED_AT_ONCE = 64


class TfDataReader(reader.Reader):
    """A `Reader` of data sets where tensorflow can read, others are a ValueError."""

    def __init__(self, data_dir: str):
        scheme = data_dir.partition("://")[0]
        known = tf.io.gfile.get_registered_schemes()
        if cloud_files.is_address(data_dir) and scheme not in known:
            reason = f"tensorflow cannot read {scheme}://; reader=memory can."
            raise description.unusable(data_dir, reason)
        super().__init__(data_dir)

    def stored(self, split: str, keys: tuple[str, ...]) -> Iterator[Any]:
        """Yields keypoints or names of all pairs of a stored split, in order."""
        stream = tf.data.TFRecordDataset(self.splits[split].files).batch(4096)
        decode = _as_it_is(lambda batch: self._decode(batch, keys))
        return self._read(stream.map(decode))

    def prepare_training(self) -> None:
        """Needs nothing."""

    def virtual_readers(self, wanted: int, batch_size: int) -> int:
        """Their number, as `PairDataset.virtual_readers`."""
        files = len(self.splits["train"].files)
        number = process_share.choose_readers(wanted, batch_size, files)
        if self._pairs_of(number).all():
            return number
        if wanted:
            rule = ": one of them has no training pairs, but those of held out people."
            raise errors.ArgumentError("virtual_readers", number, rule)
        return 1

    def training_batches(
        self, *, seed: int, first_step: int, share: Share, readers: int
    ) -> Iterator[Any]:
        """Yields images and keypoints, without end, by so many virtual readers."""
        files = np.array(self.splits["train"].files).reshape(readers, -1)
        in_batch = share.batch_size // readers
        # What was before is skipped unread (whole epochs) or undecoded (the rest).
        epochs, given = np.divmod(first_step * in_batch, self._pairs_of(readers))

        def of_reader(reader: tf.Tensor) -> tf.data.Dataset:
            def of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
                # Another order for each epoch of each reader.
                key = tf.stack([tf.constant(seed, tf.int64), epoch * readers + reader])
                own = tf.constant(files)[reader]
                return self._shuffled_records(own, key, readers)

            first = tf.constant(epochs)[reader]
            rest = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
            return rest.flat_map(_as_it_is(of_epoch)).skip(tf.constant(given)[reader])

        mine, of_mine = process_share.readers_of(share, readers)
        stream = tf.data.Dataset.range(mine.start, mine.stop).interleave(
            _as_it_is(of_reader), cycle_length=len(mine), block_length=in_batch
        )
        return self._batches(_shard(stream, of_mine), share.rows, description.ARRAYS)

    def _pairs_of(self, readers: int) -> np.ndarray:
        """The number of training pairs of each virtual reader, int64 [readers]."""
        ends = itertools.accumulate(x.pairs for x in self.splits["train"].shards)
        of_files = np.split(~self.is_held_out, list(ends)[:-1])
        pairs = np.array([each.sum() for each in of_files], np.int64)
        return pairs.reshape(readers, -1).sum(axis=1)

    def ordered_batches(self, split: str, count: int, share: Share) -> Iterator[Any]:
        """Yields the first `count` pairs of a split with all keys, then padding."""
        stored = "train" if split == "validation" else split
        stream = self._records(self.splits[stored].files, split)
        padded = stream.take(count).concatenate(stream.take(1).repeat())
        return self._batches(_shard(padded, share), share.rows, description.KEYS)

    def photos(self, split: str, batch_size: int) -> Iterator[np.ndarray]:
        """Yields every photo of a stored split once, as `PairDataset.photos`."""
        encoded, decode = self._each_photo(split), _as_it_is(self._decode_image)
        while batch := list(itertools.islice(encoded, batch_size)):
            images = tf.data.Dataset.from_tensor_slices(batch).map(decode)
            yield from self._read(images.batch(batch_size))

    def _each_photo(self, split: str) -> Iterator[bytes]:
        """JPEG or PNG; of the pairs that are read together first the sources."""
        roles = IMAGES, description.NAMES[1:]
        parse = _as_it_is(lambda rows: _parse(rows, (*roles[0], *roles[1])))
        stream = tf.data.TFRecordDataset(self.splits[split].files).batch(_ROWS_AT_ONCE)
        seen: set[bytes] = set()
        for rows in self._read(stream.map(parse)):
            for images, names in zip(*roles, strict=True):
                for name, encoded in zip(rows[names], rows[images], strict=True):
                    if name not in seen:
                        seen.add(name)
                        yield encoded

    def _batches(
        self, stream: tf.data.Dataset, rows: int, keys: tuple[str, ...]
    ) -> Iterator[Any]:
        """Decodes an endless stream of records in parallel, in order, into numpy
        batches of `rows`: several small ones together, handed over as slices."""
        together = max(1, _DECODED_AT_ONCE // rows)
        decoded = stream.batch(rows * together, drop_remainder=True).map(
            _as_it_is(lambda batch: self._decode(batch, keys)),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        for arrays in self._read(decoded.prefetch(2)):
            for start in range(0, len(arrays[keys[0]]), rows):
                yield {key: arrays[key][start : start + rows] for key in keys}

    def _read(self, batches: tf.data.Dataset) -> Iterator[Any]:
        """Yields numpy batches; a record that cannot be read is a ValueError."""
        # At the end of a program tensorflow can be gone before this generator is.
        record_error = tf.errors.OpError
        try:
            yield from batches.as_numpy_iterator()
        except record_error as error:
            reason = f"a record cannot be read: {error.message}"
            raise description.unusable(self.data_dir, reason) from error

    def _records(self, files: tf.Tensor | list[str], split: str) -> tf.data.Dataset:
        """The serialized records in files, of the training files those of a split."""
        stream = tf.data.TFRecordDataset(files)
        if split == "test" or not self.held_out:
            return stream
        held_out, key = tf.constant(self.held_out), description.NAMES[0]

        def those_of_split(batch: tf.Tensor) -> tf.Tensor:
            identity = _parse(batch, (key,))[key]
            is_held_out = tf.reduce_any(identity[:, None] == held_out, axis=1)
            return tf.boolean_mask(batch, is_held_out == (split == "validation"))

        return stream.batch(_ROWS_AT_ONCE).map(_as_it_is(those_of_split)).unbatch()

    def _shuffled_records(
        self, files: tf.Tensor, key: tf.Tensor, readers: int
    ) -> tf.data.Dataset:
        """The training records in the files of one of several readers, which share the
        memory; in the order that a key, int64 [2], says."""
        files = tf.random.experimental.stateless_shuffle(files, seed=key)
        stream = self._records(files, "train")
        split = self.splits["train"]
        record_size = max(1, split.num_bytes // split.pairs)
        limit = max(1, _SHUFFLE_BYTES // record_size)
        buffer = min(_SHUFFLE_BUFFER, limit, split.pairs)
        # One number for the key: shuffle takes a single 64-bit seed.
        mixed = tf.random.stateless_uniform(
            (), seed=key, minval=None, maxval=None, dtype=tf.int64
        )
        return stream.shuffle(
            max(1, buffer // readers), seed=mixed, reshuffle_each_iteration=False
        )

    def _decode(
        self, records: tf.Tensor, keys: tuple[str, ...]
    ) -> dict[str, tf.Tensor]:
        """As `_parse`, with images as uint8 [N, H, W, 3]."""
        examples = _parse(records, keys)
        for key in set(IMAGES).intersection(keys):
            # Unrolled: a loop of tensorflow costs a third of the decoding.
            images = [self._decode_image(each) for each in tf.unstack(examples[key])]
            examples[key] = tf.stack(images)
        return examples

    def _decode_image(self, encoded: tf.Tensor) -> tf.Tensor:
        """JPEG or PNG -> uint8 [H, W, 3]."""
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.ensure_shape(image, (self.height, self.width, 3))


def _parse(records: tf.Tensor, keys: tuple[str, ...]) -> dict[str, tf.Tensor]:
    """Serialized records, [N] strings, as keypoints float32 [N, 18, 3] and strings [N]
    by those keys."""
    text = tf.io.FixedLenFeature([], tf.string)
    points = tf.io.FixedLenFeature([18, 3], tf.float32)
    spec = {key: points if key in KEYPOINTS else text for key in keys}
    return tf.io.parse_example(records, spec)


def _shard(stream: tf.data.Dataset, share: Share) -> tf.data.Dataset:
    """One process's share of each batch of an endless stream."""
    if share.count == 1:
        return stream
    shares = stream.batch(share.rows, drop_remainder=True)
    return shares.shard(share.count, share.index).unbatch()
