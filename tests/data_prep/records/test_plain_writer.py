"""Records written without tensorflow are read by both readers, as what they are."""

import io
import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.records import plain_writer
from pg2_jax.input_pipeline import pair_reader

HEIGHT, WIDTH = 32, 16


def photo(person, number):
    rng = np.random.default_rng(100 * person + number)
    buffer = io.BytesIO()
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    points = rng.uniform(0, 16, (18, 3)).astype(np.float32)
    name = f"person {person}, photo {number} é"
    return plain_writer.Photo(name, str(person), buffer.getvalue(), points)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    pairs = {
        split: list(itertools.permutations([photo(person, n) for n in range(3)], 2))
        for person, split in enumerate(("train", "test"))
    }
    plain_writer.write(folder, pairs, (HEIGHT, WIDTH), {"seed": 7})
    return str(folder), pairs


@pytest.mark.parametrize("reader", ["memory", "tf_data"])
def test_both_readers_read_it(written, reader):
    folder, pairs = written
    dataset = pair_reader.PairDataset(folder, reader=reader)
    assert (dataset.height, dataset.width) == (HEIGHT, WIDTH)
    assert dataset.metadata["seed"] == 7
    assert (dataset.count("train"), dataset.count("test")) == (6, 6)
    (test,) = dataset.test_batches(batch_size=6)
    assert test.identities == ["1"] * 6
    assert test.names == [(a.name, b.name) for a, b in pairs["test"]]
    for row, pair in enumerate(pairs["test"]):
        for role, each in zip(("source", "target"), pair, strict=True):
            pixels = np.asarray(Image.open(io.BytesIO(each.encoded)))
            np.testing.assert_array_equal(test.batch[f"{role}_image"][row], pixels)
            points = test.batch[f"{role}_keypoints"][row]
            np.testing.assert_array_equal(points, each.keypoints)
    batch = next(dataset.training_batches(batch_size=6, seed=0))
    wanted = sorted(pair[1].keypoints.tobytes() for pair in pairs["train"])
    assert sorted(x.tobytes() for x in batch["target_keypoints"]) == wanted


def test_the_bytes_are_those_of_tensorflow(written, tmp_path):
    folder, pairs = written
    name = "pose_pairs-test.tfrecord-00000-of-00001"
    records = tf.data.TFRecordDataset(f"{folder}/{name}").as_numpy_iterator()
    path = tmp_path / "again"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    assert path.read_bytes() == (tmp_path / folder / name).read_bytes()
    assert len(pairs["test"]) == 6
