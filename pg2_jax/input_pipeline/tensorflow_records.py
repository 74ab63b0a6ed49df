"""The records of a data set by tensorflow: where they lie, and what they decode to."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from pg2_jax.input_pipeline import description
from pg2_jax.input_pipeline.description import IMAGES, KEYPOINTS
from pg2_jax.input_pipeline.process_share import Share

tf.config.set_visible_devices([], "GPU")


def open_builder(data_dir: str) -> tfds.core.DatasetBuilder:
    """Opens a data set that data_prep/build_tfrecords.py has written; none, or another
    kind, or one that lacks a file is a ValueError."""
    folder = description.find(data_dir)
    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as error:
        # What TFDS raises on damaged files ranges from KeyError to protobuf's own.
        raise description.damaged(data_dir, error) from error
    description.check_features(data_dir, builder.info.features)
    for info in builder.info.splits.values():
        if info.num_examples:
            description.check_files(data_dir, info.filepaths)
    return builder


def shard(stream: tf.data.Dataset, share: Share) -> tf.data.Dataset:
    """One process's share of each batch of an endless stream."""
    if share.count == 1:
        return stream
    shares = stream.batch(share.rows, drop_remainder=True)
    return shares.shard(share.count, share.index).unbatch()


def decode(
    records: tf.Tensor, keys: tuple[str, ...], size: tuple[int, int]
) -> dict[str, tf.Tensor]:
    """Parses and decodes serialized records, [N] strings, into uint8 [N, H, W, 3],
    float32 [N, 18, 3] and strings [N]: those of `IMAGES`, `KEYPOINTS` and `NAMES` that
    are among the keys. `size` is (height, width) of the images.
    """
    text = tf.io.FixedLenFeature([], tf.string)
    points = tf.io.FixedLenFeature([18, 3], tf.float32)
    spec = {key: points if key in KEYPOINTS else text for key in keys}
    examples = tf.io.parse_example(records, spec)
    for key in set(IMAGES).intersection(keys):
        # Unrolled: a loop of tensorflow costs a third of the decoding.
        images = [decode_image(image, size) for image in tf.unstack(examples[key])]
        examples[key] = tf.stack(images)
    return examples


def decode_image(encoded: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """JPEG or PNG -> uint8 [H, W, 3] of (height, width) `size`."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (*size, 3))


def iterate(batches: tf.data.Dataset, data_dir: str) -> Iterator[Any]:
    """Yields numpy batches; a record that cannot be read is a ValueError."""
    # At the end of a program tensorflow can be gone before this generator is.
    record_error = tf.errors.OpError
    try:
        yield from batches.as_numpy_iterator()
    except record_error as error:
        reason = f"a record cannot be read: {error.message}"
        raise description.unusable(data_dir, reason) from error
