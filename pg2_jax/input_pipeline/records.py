"""The records of a data set: where they lie, and what they decode to."""

import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from pg2_jax import errors

tf.config.set_visible_devices([], "GPU")

IMAGES = ("source_image", "target_image")
KEYPOINTS = ("source_keypoints", "target_keypoints")
ARRAYS = (*IMAGES, *KEYPOINTS)
NAMES = ("identity", "source_name", "target_name")


def open_builder(data_dir: str) -> tfds.core.DatasetBuilder:
    """Opens a data set that data_prep/build_tfrecords.py has written; none, or another
    kind, or one that lacks a file is a ValueError."""
    folder = pathlib.Path(data_dir).expanduser()
    if not (folder / "dataset_info.json").is_file():
        raise unusable(
            data_dir,
            "no data set is there (dataset_info.json is missing). Make one with "
            f"data_prep/build_tfrecords.py{_of_photos(folder)}.",
        )
    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as error:
        # What TFDS raises on damaged files ranges from KeyError to protobuf's own.
        reason = f"dataset_info.json or features.json is damaged: {error}"
        raise unusable(data_dir, reason) from error
    missing = {*ARRAYS, *NAMES} - set(builder.info.features)
    if missing:
        raise unusable(
            data_dir,
            f"the records lack {sorted(missing)}; this is not a data set of "
            "data_prep/build_tfrecords.py.",
        )
    for split in splits(builder):
        for path in builder.info.splits[split].filepaths:
            if not pathlib.Path(path).is_file():
                raise unusable(data_dir, f"{path.name} is missing.")
    return builder


def _of_photos(folder: pathlib.Path) -> str:
    """What to say of a folder that may be the source of a data set."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return ""
    return f" in another folder, of the photos in {folder} if that is what it holds"


def unusable(data_dir: str, reason: str) -> errors.ArgumentError:
    """The error of a data set that cannot be used."""
    return errors.ArgumentError("data_dir", data_dir, f": {reason}")


def splits(builder: tfds.core.DatasetBuilder) -> list[str]:
    """Names of the stored splits that hold pairs."""
    infos = builder.info.splits
    return [name for name in infos if infos[name].num_examples]


def shard(
    stream: tf.data.Dataset, batch_size: int, process_index: int, process_count: int
) -> tuple[tf.data.Dataset, int]:
    """One process's equal share of each batch of an endless stream, and its size. The
    processes must divide the batch."""
    if batch_size % process_count:
        rule = (
            f" must be a multiple of the number of processes, {process_count}, because "
            "each takes an equal share of the batch."
        )
        raise errors.ArgumentError("batch_size", batch_size, rule)
    if not 0 <= process_index < process_count:
        rule = f" must lie in [0, {process_count})."
        raise errors.ArgumentError("process_index", process_index, rule)
    rows = batch_size // process_count
    if process_count > 1:
        shares = stream.batch(rows, drop_remainder=True)
        stream = shares.shard(process_count, process_index).unbatch()
    return stream, rows


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
        raise unusable(data_dir, reason) from error
