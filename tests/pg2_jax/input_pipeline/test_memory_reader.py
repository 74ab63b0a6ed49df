"""The reader without tensorflow beside the one with it."""

import io
import itertools
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from pg2_jax.input_pipeline import memory_reader, pair_reader
from tests.late import tf


def rewritten(pair_dataset, folder, change):
    """A copy of a data set whose photos are changed: bytes -> bytes."""
    shutil.copytree(pair_dataset, folder)
    for shard in folder.glob("*.tfrecord*"):
        records = list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator())
        with tf.io.TFRecordWriter(str(shard)) as writer:
            for record in records:
                example = tf.train.Example.FromString(record)
                for role in ("source", "target"):
                    photo = example.features.feature[f"{role}_image"].bytes_list
                    photo.value[0] = change(photo.value[0])
                writer.write(example.SerializeToString())
    return str(folder)


def as_png(photo):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def png_dataset(pair_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("png") / "data"
    return rewritten(pair_dataset, folder, as_png)


def opened(folder, share=0.0):
    return [
        pair_reader.PairDataset(folder, share, reader=reader)
        for reader in ("memory", "tf_data")
    ]


def test_test_batches_and_photos_are_those_of_tensorflow(png_dataset):
    """PNG decodes to the same pixels everywhere."""
    memory, tf_data = opened(png_dataset, 0.25)
    assert (memory.height, memory.width) == (tf_data.height, tf_data.width) == (32, 16)
    assert memory.metadata == tf_data.metadata and memory.splits == tf_data.splits
    options = {"batch_size": 32, "process_index": 1, "process_count": 2}
    for split in ("test", "validation"):
        assert memory.count(split) == tf_data.count(split)
        batches = [d.test_batches(split=split, **options) for d in (memory, tf_data)]
        for mine, other in zip(*batches, strict=True):
            assert mine.names == other.names and mine.identities == other.identities
            for key, array in mine.batch.items():
                assert array.dtype == other.batch[key].dtype
                np.testing.assert_array_equal(array, other.batch[key])
    photos = [list(data.photos("test", 5)) for data in (memory, tf_data)]
    for mine, other in zip(*photos, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_both_readers_train_on_the_same_pairs(png_dataset):
    def epoch(dataset):
        count = dataset.count("train")
        batches = dataset.training_batches(batch_size=1, seed=5)
        return [
            tuple(batch[key].tobytes() for key in sorted(batch))
            for batch in itertools.islice(batches, count)
        ]

    mine, other = map(epoch, opened(png_dataset))
    assert sorted(mine) == sorted(other)
    assert mine != other


def test_jpeg_decodes_as_tensorflow_does_accurately(pair_dataset):
    """Its default is a faster transform, which is a level off in the mean."""
    (test,) = pair_reader.PairDataset(pair_dataset, reader="memory").test_batches(
        batch_size=8, limit=8
    )
    (shard,) = pathlib.Path(pair_dataset).glob("*-test.tfrecord*")
    records = tf.data.TFRecordDataset(str(shard)).take(8).as_numpy_iterator()
    for row, record in enumerate(records):
        features = tf.train.Example.FromString(record).features.feature
        for key in ("source_image", "target_image"):
            (photo,) = features[key].bytes_list.value
            assert photo.startswith(b"\xff\xd8")
            exact = tf.io.decode_jpeg(photo, 3, dct_method="INTEGER_ACCURATE")
            np.testing.assert_array_equal(test.batch[key][row], exact)


def test_the_order_of_an_epoch_never_changes():
    """Runs are resumed by later versions of this code and of numpy."""
    assert memory_reader._order(0, 0, 8).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    assert memory_reader._order(7, 2, 8).tolist() == [6, 4, 0, 5, 7, 1, 3, 2]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda photo: photo[:-40], "its photo: cannot be read"),
        (lambda photo: as_png(photo)[:-4], "its photo: cannot be read"),
        (lambda photo: b"", "its photo: not a photo"),
        (lambda photo: of_mode(photo, "L"), "its photo is not RGB .*: L to RGB"),
        (lambda photo: of_mode(photo, "RGB", (8, 9)), "not RGB .* size: 9x8 pixels"),
    ],
)
def test_a_photo_that_the_builder_does_not_store_is_named(
    pair_dataset, tmp_path, change, rule
):
    folder = rewritten(pair_dataset, tmp_path / "data", change)
    dataset = pair_reader.PairDataset(folder, reader="memory")
    with pytest.raises(ValueError, match=rf"data: a record of 0\w+\.jpg: .*{rule}"):
        dataset.prepare_training()
    with pytest.raises(ValueError, match=rule):
        next(dataset.test_batches(batch_size=4))


def of_mode(photo, mode, size=(16, 32)):
    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(photo)).convert(mode).resize(size)
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_more_photos_than_the_memory_holds_are_refused(pair_dataset):
    """As they are stored, and decoded: 19 photos of 32 x 16 x 3 bytes."""
    dataset = pair_reader.PairDataset(
        pair_dataset, reader="memory", reader_memory_gib=1e-6
    )
    rule = r"^reader_memory_gib=1e-06: split train takes more, in .*=tf_data"
    with pytest.raises(ValueError, match=rule):
        dataset.prepare_training()
    with pytest.raises(ValueError, match=r"more than 1e-06 GiB of memory without"):
        dataset.require_views("test")
    dataset = pair_reader.PairDataset(pair_dataset, reader="memory")
    dataset.require_views("train")
    dataset._reader._memory_gib = 1e-5
    rule = (
        r"^reader_memory_gib=1e-05: the 19 photos .* take 2.72e-05 GiB, in .*=tf_data"
    )
    with pytest.raises(ValueError, match=rule):
        dataset.prepare_training()
