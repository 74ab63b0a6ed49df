"""The authors' TFRecords become ours: photos, keypoints, names and pairs."""

import io
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from data_prep import build_tfrecords
from data_prep.sources import pg2_records
from tests.data_prep.small_sources import (
    HEIGHT,
    WIDTH,
    listing,
    pair_names,
    random_pose,
    read_records,
)
from tests.late import tf

SHARD = "Market1501_{}_00000-of-00001.tfrecord"


def jpeg(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


def sparse_pose(pose):
    """Their `_getSparsePose` and `_oneDimSparsePose`, radius 4."""
    indices = []
    for k, (x, y, visible) in enumerate(pose):
        for i in range(-4, 5):
            for j in range(-4, 5):
                r, c = int(y) + i, int(x) + j
                inside = 0 <= r < HEIGHT and 0 <= c < WIDTH
                if visible and inside and math.hypot(i, j) <= 4:
                    indices.append(r * WIDTH * 18 + c * 18 + k)
    return indices


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value[0] if len(value) else 0, int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Feature(float_list=tf.train.FloatList(value=value))


def features(*photos, **changes):
    """The features of one pair of (name, JPEG, pose), by the authors' names."""
    values = {"image_format": b"jpg", "label": [1], "shape": [HEIGHT * WIDTH * 18]}
    for role, (name, encoded, pose) in enumerate(photos):
        rcv = (pose[:, [1, 0, 2]] * pose[:, 2:]).ravel().tolist()
        indices = sparse_pose(pose)
        values |= {
            f"image_name_{role}": name.encode(),
            f"image_raw_{role}": encoded,
            f"id_{role}": [int(name[:4])],
            f"cam_{role}": [1],
            f"indices_r4_{role}": indices,
            f"values_r4_{role}": [1.0] * len(indices),
            f"pose_mask_r4_{role}": [0] * (HEIGHT * WIDTH),
            f"pose_peaks_{role}": [0.0] * (16 * 8 * 18),
            f"pose_peaks_{role}_rcv": rcv,
            f"pose_subs_{role}": [0.0] * 20,
        }
    return {k: v for k, v in (values | changes).items() if v is not None}


def write(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            if isinstance(record, dict):
                by_name = {name: feature(value) for name, value in record.items()}
                record = tf.train.Example(
                    features=tf.train.Features(feature=by_name)
                ).SerializeToString()
            writer.write(record)


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    names = ["0002_c1_0.jpg", "0002_c1_1.jpg", "0002_c2_2.jpg", "0007_c1_0.jpg"]
    names += ["0007_c3_1.jpg"]
    return {n: (n, jpeg(i), random_pose(rng, i, 9)) for i, n in enumerate(names)}


PAIRS = {
    "train": [(0, 1), (1, 0), (2, 0), (4, 3)],
    "test": [(3, 4), (4, 3)],
}


@pytest.fixture
def source(tmp_path, photos):
    listed = list(photos.values())
    for split, pairs in PAIRS.items():
        records = [features(listed[a], listed[b]) for a, b in pairs]
        folder = tmp_path / "source" / f"Market_{split}_data"
        write(folder / SHARD.format(split), *records)
        (folder / f"p_pairs_{split}.p").write_bytes(b"not needed")
    return tmp_path / "source"


def build(source, output, **changes):
    options = build_tfrecords.Options(
        dataset="pg2_tfrecords",
        source_dir=str(source),
        output_dir=str(output),
        **changes,
    )
    return build_tfrecords.build(options)


def test_pairs_photos_and_keypoints_are_those_of_the_records(source, tmp_path, photos):
    summary = build(source, tmp_path / "out")
    names = list(photos)
    for split, pairs in PAIRS.items():
        records = read_records(tmp_path / "out", split)
        expected = [(names[a], names[b]) for a, b in pairs]
        found = pair_names(records)
        assert found == expected if split == "test" else set(found) == set(expected)
        for record in records:
            for role in ("source", "target"):
                name, encoded, pose = photos[record[f"{role}_name"].decode()]
                assert record[f"{role}_image"] == encoded
                np.testing.assert_array_equal(record[f"{role}_keypoints"], pose)
                assert record["identity"].decode() == name[:4]
    assert summary.splits["train"].pairs == 4 and summary.splits["train"].images == 5
    text = (tmp_path / "out" / "metadata.json").read_text()
    assert f"pairs of the list {SHARD.format('train')}" in text
    assert '"height": 24' in text and '"dataset": "pg2_tfrecords"' in text


def test_keypoints_come_from_the_heat_maps_when_there_is_nothing_better(
    tmp_path, photos
):
    first, second = list(photos.values())[:2]
    # Every corner, edge and centre of the photo, with fractions, which are cut off.
    places = [(x, y) for x in (0, 1, 3.5, 8, 15.9) for y in (0, 2, 12.25, 23)]
    first[2][:] = [[*place, 1] for place in places[:18]]
    second[2][:] = [[*place, 1] for place in places[2:]]
    second[2][5] = 0
    gone = {f"pose_peaks_{role}_rcv": None for role in (0, 1)}
    write(tmp_path / "source" / SHARD.format("test"), features(first, second, **gone))
    build(tmp_path / "source", tmp_path / "out")
    (record,) = read_records(tmp_path / "out", "test")
    for role, photo in (("source", first), ("target", second)):
        np.testing.assert_array_equal(record[f"{role}_keypoints"], np.trunc(photo[2]))


def test_parts_of_the_test_split_are_not_read_twice(source, tmp_path):
    samples = source / "Market_test_samples_data"
    samples.mkdir()
    (samples / SHARD.format("test")).write_bytes(b"not read")
    assert build(source, tmp_path / "out").splits["test"].pairs == 2


@pytest.mark.parametrize("name", [SHARD, SHARD.replace("Market1501", "DeepFashion")])
def test_two_data_sets_at_once_are_refused(source, tmp_path, name):
    (source / "other").mkdir()
    (source / "other" / name.format("test")).write_bytes(b"")
    with pytest.raises(ValueError, match="the files of more than one data set"):
        build(source, tmp_path / "out")


def test_names_are_made_of_id_and_checksum_when_there_are_none(tmp_path, photos):
    listed = list(photos.values())
    gone = {"image_name_0": None, "image_name_1": None}
    records = [features(*pair, **gone) for pair in (listed[:2], listed[1:3])]
    write(tmp_path / "source" / SHARD.format("train"), *records)
    build(tmp_path / "source", tmp_path / "out")
    found = sorted(pair_names(read_records(tmp_path / "out", "train")))
    assert len({name for pair in found for name in pair}) == 3
    assert all(name.startswith("0002_") for pair in found for name in pair)


def test_a_mirrored_photo_of_the_same_name_is_another_photo(tmp_path, photos):
    first, second = list(photos.values())[:2]
    mirrored = first[0], jpeg(77), random_pose(np.random.default_rng(5))
    records = [features(mirrored, second), features(first, second)]
    write(tmp_path / "source" / SHARD.format("train"), *records)
    summary = build(tmp_path / "source", tmp_path / "out")
    assert summary.splits["train"].images == 3
    records = read_records(tmp_path / "out", "train")
    for record in records:
        _, encoded, pose = first if "-" in record["source_name"].decode() else mirrored
        assert record["source_image"] == encoded
        np.testing.assert_array_equal(record["source_keypoints"], pose)
    assert {r["identity"] for r in records} == {b"0002"}


def test_photos_of_one_name_in_both_splits_are_two_photos(tmp_path, photos):
    first, second = list(photos.values())[:2]
    other = first[0], jpeg(77), random_pose(np.random.default_rng(5))
    for split, photo in (("train", first), ("test", other)):
        write(tmp_path / "source" / SHARD.format(split), features(photo, second))
    build(tmp_path / "source", tmp_path / "out")
    for split, photo in (("train", first), ("test", other)):
        (record,) = read_records(tmp_path / "out", split)
        assert record["source_image"] == photo[1]
        np.testing.assert_array_equal(record["source_keypoints"], photo[2])


def test_at_most_so_many_pairs(source, tmp_path):
    build(source, tmp_path / "out", max_train_pairs=2, max_test_pairs=1)
    assert len(read_records(tmp_path / "out", "train")) == 2
    test = pair_names(read_records(tmp_path / "out", "test"))
    assert test == [("0007_c1_0.jpg", "0007_c3_1.jpg")]


BAD_RECORDS = {
    "no example": (b"\xff\xff", "not a tf.train.Example"),
    "no photo": ({"image_raw_0": None}, "there is no image_raw_0"),
    "a damaged photo": (
        {"image_raw_1": jpeg(1)[:-200]},
        "the photo '0002_c1_1.jpg': can",
    ),
    "no photo at all": ({"image_raw_1": b"x"}, "'0002_c1_1.jpg': not a photo"),
    "a photo of numbers": (
        {"image_raw_0": [1]},
        "image_raw_0 is a int64_list, not a b",
    ),
    "two people": ({"image_name_1": b"0003_x.jpg"}, "show two people"),
    "a path": ({"image_name_0": b"../0002_x.jpg"}, "'../0002_x.jpg' is refused"),
    "no text": ({"image_name_0": b"\xff"}, "image_name_0 is not UTF-8 text"),
    "nan": ({"pose_peaks_0_rcv": [math.nan] * 54}, "pose_peaks_0_rcv holds nan"),
    "short": ({"pose_peaks_0_rcv": [1.0] * 53}, "has 53 values, expected 54"),
    "coarse": (
        {"pose_peaks_1_rcv": None, "indices_r4_1": None},
        "pose_peaks_1 is too coarse",
    ),
    "no disc": (
        {"pose_peaks_0_rcv": None, "indices_r4_0": [18 * 99, 18 * 7]},
        "indices_r4_0: channel 0 is no disc",
    ),
    "outside": (
        {"pose_peaks_0_rcv": None, "indices_r4_0": [10**9]},
        "indices_r4_0 points outside .24, 16, 18",
    ),
    "no name": ({"image_name_0": None, "id_0": None}, "neither image_name_0 nor id_0"),
}


@pytest.mark.parametrize(("change", "message"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_a_bad_record_is_named_and_left_out(tmp_path, photos, change, message):
    first, second, third = list(photos.values())[:3]
    good = features(third, second), features(second, third)
    bad = change if isinstance(change, bytes) else features(first, second, **change)
    path = tmp_path / "source" / SHARD.format("train")
    write(path, good[0], bad, good[1])
    with pytest.raises(ValueError, match=f"{path.name}: record 1: .*{message}"):
        build(tmp_path / "source", tmp_path / "out")
    assert "out" not in "".join(listing(tmp_path))
    build(tmp_path / "source", tmp_path / "out", on_error="skip")
    found = pair_names(read_records(tmp_path / "out", "train"))
    assert sorted(found) == sorted([(third[0], second[0]), (second[0], third[0])])


def test_other_keypoints_of_the_same_photo_are_noticed(tmp_path, photos):
    first, second = list(photos.values())[:2]
    other = *first[:2], random_pose(np.random.default_rng(9))
    path = tmp_path / SHARD.format("train")
    write(path, features(first, second), features(other, second))
    with pytest.raises(ValueError, match=r"record 1: '0002_c1_0\.jpg' has other"):
        build(path, tmp_path / "out")


def test_a_truncated_file_is_named_with_the_record(source, tmp_path):
    path = source / "Market_train_data" / SHARD.format("train")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=rf"{path.name}: record 3: cannot be read: "):
        build(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": ["", "a.csv"]}, "--pairs=,a.csv does not go with --dataset=pg2_tf"),
        ({"annotations": ["a.csv"]}, "--annotations=a.csv does not go with --dataset="),
        ({"pair_protocol": "pg2"}, "--pair_protocol=pg2 does not go with --dataset="),
        ({"source_dir": "nowhere"}, "nowhere: no file of the name Market1501_train_0"),
        ({"image_size": "64x32"}, "the photo is 24x16, expected image_size=64x32"),
    ],
)
def test_mistakes_are_named(source, tmp_path, changes, message):
    folder = changes.pop("source_dir", source)
    with pytest.raises(ValueError, match=message):
        build(folder, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_files_end_in_problems_that_name_the_record(tmp_path_factory, data):
    place = tmp_path_factory.mktemp("fuzz")
    path = place / SHARD.format("train")
    pose = random_pose(np.random.default_rng(0))
    pair = features(("0001_a.jpg", jpeg(0), pose), ("0001_b.jpg", jpeg(1), pose))
    values = st.binary(max_size=9) | st.lists(st.integers(-(2**63), 2**63 - 1))
    values |= st.lists(st.floats(width=32), min_size=1) | st.none()
    name = data.draw(st.sampled_from(sorted(pair)))
    changed = {n: v for n, v in (pair | {name: data.draw(values)}).items() if v != None}  # noqa: E711
    write(path, pair, changed)
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    path.write_bytes(content[:cut] + data.draw(st.binary(max_size=20)))
    problems = []
    try:
        splits, pairs, *_ = pg2_records.extract(path, place / "stage", problems)
    except ValueError as error:
        assert str(error).startswith(f"{path}: no record can be read")
        return
    assert all(text.startswith(f"{path}: record ") for text in problems)
    assert ("0001_a.jpg", "0001_b.jpg") in pairs["train"]
    for keypoints in splits["train"].annotations.values():
        assert np.isfinite(keypoints).all() and keypoints.shape == (18, 3)
