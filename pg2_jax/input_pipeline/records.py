"""The records of a data set: where they lie, and what they decode to."""

import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

tf.config.set_visible_devices([], "GPU")

IMAGES = ("source_image", "target_image")
KEYPOINTS = ("source_keypoints", "target_keypoints")
NAMES = ("identity", "source_name", "target_name")


def open_builder(data_dir: str) -> tfds.core.DatasetBuilder:
    """What TFDS knows of a data set that data_prep/build_tfrecords.py has written.

    Args:
        data_dir: folder that holds dataset_info.json.

    Raises:
        ValueError: there is no such data set, it is of another kind, or a file is
            missing.
    """
    folder = pathlib.Path(data_dir).expanduser()
    if not (folder / "dataset_info.json").is_file():
        raise ValueError(
            f"--data_dir={data_dir}: no data set is there (dataset_info.json is "
            "missing). Make one with: python data_prep/build_tfrecords.py "
            f"--output_dir={data_dir} ..."
        )
    try:
        builder = tfds.builder_from_directory(folder)
    except Exception as error:
        # What TFDS raises on damaged files ranges from KeyError to protobuf's own.
        raise ValueError(
            f"--data_dir={data_dir}: dataset_info.json or features.json is "
            f"damaged: {error}"
        ) from error
    missing = {*IMAGES, *KEYPOINTS, *NAMES} - set(builder.info.features)
    if missing:
        raise ValueError(
            f"--data_dir={data_dir}: the records lack {sorted(missing)}; this is "
            "not a data set of data_prep/build_tfrecords.py."
        )
    for split in splits(builder):
        for path in builder.info.splits[split].filepaths:
            if not pathlib.Path(path).is_file():
                raise ValueError(f"--data_dir={data_dir}: {path.name} is missing.")
    return builder


def splits(builder: tfds.core.DatasetBuilder) -> list[str]:
    """Names of the stored splits that hold pairs."""
    infos = builder.info.splits
    return [name for name in infos if infos[name].num_examples]


def decode(
    records: tf.Tensor, keys: tuple[str, ...], size: tuple[int, int]
) -> dict[str, tf.Tensor]:
    """Parses and decodes serialized records.

    Args:
        records: [N] strings.
        keys: what is wanted of them, of `IMAGES`, `KEYPOINTS` and `NAMES`.
        size: (height, width) of the images.

    Returns:
        uint8 [N, H, W, 3], float32 [N, 18, 3] and strings [N] by key.
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
    """Yields numpy batches.

    Raises:
        ValueError: a record cannot be read; names the data set.
    """
    # At the end of a program tensorflow can be gone before this generator is.
    record_error = tf.errors.OpError
    try:
        yield from batches.as_numpy_iterator()
    except record_error as error:
        raise ValueError(
            f"--data_dir={data_dir}: a record cannot be read: {error.message}"
        ) from error
