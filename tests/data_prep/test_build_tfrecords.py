"""The whole conversion, read back through TFDS."""

import io
import json
import socket
import sys

import numpy as np
import pytest
from PIL import Image

from data_prep.pairs import field_protocol
from data_prep.records import pose_pairs
from pg2_jax.keypoints import keypoint_files
from tests.data_prep.small_sources import (
    HEIGHT,
    WIDTH,
    build,
    listing,
    pair_names,
    random_pose,
    read_records,
    write_market,
    write_photo,
)
from tests.late import tf, tfds


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A source folder, its data set and the summary."""
    root = tmp_path_factory.mktemp("built")
    people = {
        "train": {"0002": 3, "0001": 4, "0009": 1, "-1": 2},
        "test": {"0003": 4, "0004": 2, "0000": 2},
    }
    source = write_market(root / "source", people)
    rng = np.random.default_rng(1)
    write_photo(rng, source / "bounding_box_train" / "0077_c1_0.jpg")
    (source / "bounding_box_train" / "Thumbs.db").write_bytes(b"x")
    (source / "bounding_box_train" / "0055_c1_0.jpg").write_bytes(b"not needed")
    annotations_file = source / "market-annotation-train.csv"
    annotated = keypoint_files.read(annotations_file)
    annotated["0055_c1_0.jpg"] = random_pose(rng, 8)
    annotated["0001_c1_0.jpg"][4] = [WIDTH, 3, 1]
    annotated["0001_c1_0.jpg"][7] = [3, HEIGHT + 9, 1]
    keypoint_files.write_csv(annotations_file, annotated)
    summary = build(source, root / "out")
    return source, root / "out", summary


@pytest.mark.parametrize("split", ["train", "test"])
def test_records_hold_the_bytes_keypoints_and_names_of_the_source(built, split):
    source, out, _ = built
    annotated = keypoint_files.read(source / f"market-annotation-{split}.csv")
    records = read_records(out, split)
    for record in records:
        for role in ("source", "target"):
            name = record[f"{role}_name"].decode()
            file = source / f"bounding_box_{split}" / name
            assert record[f"{role}_image"] == file.read_bytes()
            expected = annotated[name].copy()
            if name == "0001_c1_0.jpg":
                expected[[4, 7]] = 0  # Outside the photo.
            np.testing.assert_array_equal(record[f"{role}_keypoints"], expected)
            assert record["identity"].decode() == name.split("_")[0]


def test_test_records_keep_the_order_of_the_protocol(built):
    source, out, _ = built
    annotated = keypoint_files.read(source / "market-annotation-test.csv")
    pool = field_protocol.all_pairs(annotated, "market1501")
    expected = field_protocol.sample(pool, field_protocol.MAX_TEST_PAIRS, 0)
    assert pair_names(read_records(out, "test")) == list(expected)


def test_train_records_are_all_pairs_shuffled(built):
    source, out, _ = built
    annotated = keypoint_files.read(source / "market-annotation-train.csv")
    expected = list(field_protocol.all_pairs(annotated, "market1501"))
    names = pair_names(read_records(out, "train"))
    assert sorted(names) == sorted(expected) and names != expected


def test_any_tfds_user_can_decode_them(built):
    dataset = tfds.builder_from_directory(built[1]).as_dataset(split="train")
    record = next(iter(tfds.as_numpy(dataset.batch(2))))
    assert record["source_image"].shape == (2, HEIGHT, WIDTH, 3)
    assert record["source_image"].dtype == np.uint8
    assert record["target_keypoints"].shape == (2, 18, 3)
    assert record["target_keypoints"].dtype == np.float32


def test_a_record_is_an_ordinary_example(built):
    file = next(built[1].glob("*train.tfrecord*"))
    serialized = next(iter(tf.data.TFRecordDataset(str(file)))).numpy()
    keys = tf.train.Example.FromString(serialized).features.feature.keys()
    assert set(keys) == set(tfds.builder_from_directory(built[1]).info.features)
    spec = {"source_image": tf.io.FixedLenFeature([], tf.string)}
    parsed = tf.io.parse_example([serialized, serialized], spec)
    assert parsed["source_image"].shape == (2,)


def test_metadata_says_what_it_is(built):
    metadata = dict(tfds.builder_from_directory(built[1]).info.metadata.items())
    assert metadata["height"] == HEIGHT and metadata["width"] == WIDTH
    assert metadata["dataset"] == "market1501" and metadata["seed"] == 0
    rule = "both shoulders and both hips"
    assert metadata["pairing"]["train"].endswith(rule)
    assert metadata["pairing"]["test"].endswith(
        f"{rule}; at most 12000 chosen with seed 0"
    )
    assert metadata["counts"] == {
        "train": {"images": 7, "people": 2, "pairs": 18},
        "test": {"images": 6, "people": 2, "pairs": 14},
    }


@pytest.mark.parametrize(
    ("fit", "stored"),
    [("none", {"fit": "none"}), ("crop", {"fit": "crop", "margin": 0.25})],
)
def test_metadata_says_how_photos_were_fitted(market, tmp_path, fit, stored):
    build(market, tmp_path / "out", fit=fit, margin=0.25)
    metadata = json.loads((tmp_path / "out" / "metadata.json").read_text())
    assert {k: v for k, v in metadata.items() if k in ("fit", "margin")} == stored


def test_summary_counts_what_was_not_used(built):
    _, out, summary = built
    train = summary.splits["train"]
    assert (train.images, train.people, train.pairs) == (7, 2, 18)
    assert train.unannotated == 1
    assert train.unused == {
        "junk or distractor by name": 2,
        "a shoulder or a hip is missing": 1,
        "the only usable photo of the person": 1,
    }
    assert summary.splits["test"].unused == {"junk or distractor by name": 2}
    assert summary.outside_points == 2
    text = summary.text(out)
    assert f"{out}: 32 pairs" in text and "7 photos of 2 people, 18 pairs" in text
    assert "keypoints outside their photo: 2" in text


def test_the_folder_holds_the_data_set_and_the_picture_alone(built):
    shards = ["pose_pairs-test", "pose_pairs-train"]
    assert listing(built[1]) == [
        "dataset_info.json",
        "features.json",
        "metadata.json",
        "pairs.png",
        *(f"{shard}.tfrecord-00000-of-00001" for shard in shards),
    ]
    with Image.open(built[1] / "pairs.png") as picture:
        assert picture.height > 8 * HEIGHT
    assert listing(built[1].parent) == ["out", "source"]


def test_same_input_same_bytes_and_no_network(built, tmp_path, monkeypatch, picture):
    def refuse(*_):
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    build(built[0], tmp_path / "again")
    for file in built[1].iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_caps_seed_and_lists(market, tmp_path):
    summary = build(market, tmp_path / "capped", max_train_pairs=3, max_test_pairs=1)
    assert [split.pairs for split in summary.splits.values()] == [3, 1]
    (tmp_path / "list.csv").write_text("from,to\n0001_c1_0.jpg,0001_c1_2.jpg\n")
    summary = build(market, tmp_path / "listed", pairs=[f"{tmp_path}/list.csv", ""])
    assert [split.pairs for split in summary.splits.values()] == [1, 2]
    assert pair_names(read_records(tmp_path / "listed", "train")) == [
        ("0001_c1_0.jpg", "0001_c1_2.jpg")
    ]
    pairing = json.loads((tmp_path / "listed" / "metadata.json").read_text())["pairing"]
    assert pairing["train"] == "pairs of the list list.csv"
    assert "both shoulders" in pairing["test"] and "list" not in pairing["test"]


def test_equal_names_in_train_and_test_are_different_photos(tmp_path):
    people = {"train": {"0001": 2}, "test": {"0001": 2}}
    source = write_market(tmp_path / "source", people)
    build(source, tmp_path / "out")
    for split in ("train", "test"):
        for record in read_records(tmp_path / "out", split):
            file = source / f"bounding_box_{split}" / record["source_name"].decode()
            assert record["source_image"] == file.read_bytes()


def test_resized_photos_carry_scaled_keypoints(market, tmp_path):
    rng = np.random.default_rng(2)
    for path in market.glob("*/*.jpg"):
        write_photo(rng, path, (2 * HEIGHT, 4 * WIDTH))
    file = market / "market-annotation-train.csv"
    annotated = {
        name: keypoints * [4, 2, 1] + [3, 1, 0]
        for name, keypoints in keypoint_files.read(file).items()
    }
    keypoint_files.write_csv(file, annotated)
    summary = build(market, tmp_path / "out", fit="stretch", max_test_pairs=1)
    assert summary.converted == {"resized, stretched to another shape": 7}
    record = read_records(tmp_path / "out", "train")[0]
    keypoints = annotated[record["source_name"].decode()]
    expected = np.minimum(keypoints * [0.25, 0.5, 1], [WIDTH - 1, HEIGHT - 1, 1])
    assert (expected != keypoints * [0.25, 0.5, 1]).any()
    with Image.open(io.BytesIO(record["source_image"])) as stored:
        assert stored.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(record["source_keypoints"], expected)


def test_several_files_hold_what_one_does_in_the_same_order(
    market, tmp_path, monkeypatch
):
    build(market, tmp_path / "one")
    monkeypatch.setattr(pose_pairs, "number_of_shards", lambda size, pairs: 3)
    build(market, tmp_path / "three", max_test_pairs=4)
    assert len(list((tmp_path / "three").glob("*train*-of-00003"))) == 3
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    records = [
        tfds.as_numpy(
            tfds.builder_from_directory(tmp_path / name).as_dataset(
                split="train", read_config=in_order
            )
        )
        for name in ("one", "three")
    ]
    one, three = map(pair_names, records)
    assert one == three and len(one) > 3


def test_tensorflow_is_not_needed(market, tmp_path, monkeypatch):
    for name in ("tensorflow", "tensorflow_datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    assert build(market, tmp_path / "out").splits["train"].pairs == 8


def test_folder_keeps_test_people_out_of_training(people, tmp_path):
    summary = build(people, tmp_path / "out", dataset="folder", test_fraction=0.3)
    assert [split.people for split in summary.splits.values()] == [3, 1]
    who = {
        split: {record["identity"] for record in read_records(tmp_path / "out", split)}
        for split in ("train", "test")
    }
    assert not who["train"] & who["test"]
    assert who["train"] | who["test"] == {b"anna", b"bo", b"cy", b"0000"}


def test_folder_without_test_people(people, tmp_path):
    summary = build(people, tmp_path / "out", dataset="folder", test_fraction=0.0)
    assert list(summary.splits) == ["train"] and summary.splits["train"].pairs == 24
    assert list(tfds.builder_from_directory(tmp_path / "out").info.splits) == ["train"]


def test_people_without_hips_are_divided_under_the_rule_that_pairs_them(tmp_path):
    rng = np.random.default_rng(0)
    hips = {"anna": (), "ben": (8, 11), "cleo": (8, 11), "dora": (8, 11)}
    poses = {f"{p}/{i}.png": random_pose(rng, *hips[p]) for p in hips for i in range(2)}
    for name in poses:
        write_photo(rng, tmp_path / "people" / name)
    keypoint_files.write_csv(tmp_path / "people" / "annotations.csv", poses)
    options = {"dataset": "folder", "test_fraction": 0.5}
    with pytest.raises(ValueError, match="1 people have two usable photos"):
        build(tmp_path / "people", tmp_path / "out", **options)
    summary = build(
        tmp_path / "people", tmp_path / "out", pair_protocol="pg2", **options
    )
    assert [split.people for split in summary.splits.values()] == [2, 2]
