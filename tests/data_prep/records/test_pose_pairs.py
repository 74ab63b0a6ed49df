"""The bytes of the records, which tensorflow would write so, too."""

import numpy as np
import pytest

from data_prep.records import pose_pairs
from data_prep.records.pose_pairs import PhotoStore
from tests.late import tf


@pytest.fixture
def store(tmp_path):
    """Two photos, of the numbers 0 and 1."""
    store = PhotoStore(tmp_path / "photos")
    rng = np.random.default_rng(0)
    for name in ("small", "photo of 300 bytes é"):
        points = rng.uniform(0, 16, (18, 3)).astype(np.float32)
        encoded = rng.bytes(300 if "300" in name else 3)
        store.add(name, f"who is on {name}", encoded, points)
    store.finish()
    yield store
    store.close()


def test_a_record_is_what_tensorflow_would_make_of_it(store):
    record = store.record(0, 1)
    example = tf.train.Example.FromString(record)
    features = example.features.feature
    assert sorted(features) == [
        "identity",
        *[f"source_{key}" for key in ("image", "keypoints", "name")],
        *[f"target_{key}" for key in ("image", "keypoints", "name")],
    ]
    assert features["identity"].bytes_list.value == [b"who is on small"]
    assert features["target_name"].bytes_list.value == ["photo of 300 bytes é".encode()]
    assert len(features["target_image"].bytes_list.value[0]) == 300
    wanted = np.random.default_rng(0).uniform(0, 16, (18, 3)).astype(np.float32)
    found = features["source_keypoints"].float_list.value
    np.testing.assert_array_equal(np.reshape(found, (18, 3)), wanted)
    # Nothing is left over, and each half is written as tensorflow writes one.
    halves = [tf.train.Example(), tf.train.Example()]
    for key, feature in features.items():
        half = halves[key.startswith("target")]
        half.features.feature[key].CopyFrom(feature)
    parts = [half.SerializeToString(deterministic=True) for half in halves]
    assert record == b"".join(parts)
    np.testing.assert_array_equal(
        store.sizes(np.array([[0, 1]])), [[len(part) for part in parts]]
    )


def test_a_file_is_what_tensorflow_would_write(store, tmp_path):
    pairs = np.array([[0, 1], [1, 0], [1, 1], [0, 1]], np.int32)
    shard = pose_pairs.Shard(str(tmp_path / "ours"), "train", 1, 4)
    written = []
    pose_pairs.write_here(store, {"train": pairs}, [shard], written.append)
    assert written == [1, 1, 1]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for pair in pairs[1:].tolist():
            writer.write(store.record(*pair))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize(
    ("size", "pairs"),
    [(0, 1), (2**30, 2**20), (2**30 - 2**24, 2**20), (2**34, 40), (2**40, 5000)],
)
def test_the_number_of_files_is_that_of_tfds(size, pairs):
    from tensorflow_datasets.core.utils import shard_utils

    theirs = shard_utils.ShardConfig.calculate_number_shards(size, pairs)
    assert pose_pairs.number_of_shards(size, pairs) == theirs
