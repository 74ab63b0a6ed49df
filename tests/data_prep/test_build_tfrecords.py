"""The whole conversion, read back through TFDS, and everything that can go wrong."""

import dataclasses
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from data_prep import annotations, build_tfrecords, pairs, pose_pairs

ROOT = pathlib.Path(__file__).parents[2]
HEIGHT, WIDTH = 24, 16
SIZE = f"{HEIGHT}x{WIDTH}"


def _pose(rng, *missing):
    keypoints = np.ones((18, 3), np.float32)
    keypoints[:, 0] = rng.integers(0, WIDTH, 18)
    keypoints[:, 1] = rng.integers(0, HEIGHT, 18)
    keypoints[list(missing)] = 0
    return keypoints


def _photo(rng, path, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)


def _write_market(root, people):
    """Writes a data set; `people` is split -> {identity: number of photos}."""
    rng = np.random.default_rng(0)
    for split, sizes in people.items():
        names = [
            f"{who}_c1_{i}.jpg" for who, count in sizes.items() for i in range(count)
        ]
        for name in names:
            _photo(rng, root / f"bounding_box_{split}" / name)
        poses = {name: _pose(rng) for name in names}
        annotations.write_csv(root / f"market-annotation-{split}.csv", poses)
    return root


@pytest.fixture
def market(tmp_path):
    people = {"train": {"0001": 3, "0002": 2}, "test": {"0003": 2, "0004": 1}}
    return _write_market(tmp_path / "source", people)


def _options(source, output, **changes):
    return build_tfrecords.Options(
        source_dir=str(source), output_dir=str(output), image_size=SIZE, **changes
    )


def _build(source, output, **changes):
    return build_tfrecords.build(_options(source, output, **changes))


def _append(source, line, split="train"):
    with open(source / f"market-annotation-{split}.csv", "a") as file:
        file.write(line + "\n")


def _listing(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A source folder, its data set and the summary."""
    root = tmp_path_factory.mktemp("built")
    people = {
        "train": {"0002": 3, "0001": 4, "0009": 1, "-1": 2},
        "test": {"0003": 4, "0004": 2, "0000": 2},
    }
    source = _write_market(root / "source", people)
    rng = np.random.default_rng(1)
    _photo(rng, source / "bounding_box_train" / "0077_c1_0.jpg")
    (source / "bounding_box_train" / "Thumbs.db").write_bytes(b"x")
    (source / "bounding_box_train" / "0055_c1_0.jpg").write_bytes(b"not needed")
    annotations_file = source / "market-annotation-train.csv"
    annotated = annotations.read_csv(annotations_file)
    annotated["0055_c1_0.jpg"] = _pose(rng, 8)
    annotated["0001_c1_0.jpg"][4] = [WIDTH, 3, 1]
    annotated["0001_c1_0.jpg"][7] = [3, HEIGHT + 9, 1]
    annotations.write_csv(annotations_file, annotated)
    summary = _build(source, root / "out")
    return source, root / "out", summary


def _records(folder, split):
    builder = tfds.builder_from_directory(folder)
    decoders = {
        f"{role}_image": tfds.decode.SkipDecoding() for role in ("source", "target")
    }
    return list(tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders)))


def _names(records):
    return [(r["source_name"].decode(), r["target_name"].decode()) for r in records]


@pytest.mark.parametrize("split", ["train", "test"])
def test_records_hold_the_bytes_keypoints_and_names_of_the_source(built, split):
    source, out, _ = built
    annotated = annotations.read_csv(source / f"market-annotation-{split}.csv")
    records = _records(out, split)
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
    annotated = annotations.read_csv(source / "market-annotation-test.csv")
    expected = pairs.test_pairs(annotated, "market1501", pairs.MAX_TEST_PAIRS, 0)
    assert _names(_records(out, "test")) == expected


def test_train_records_are_all_pairs_shuffled(built):
    source, out, _ = built
    annotated = annotations.read_csv(source / "market-annotation-train.csv")
    expected = pairs.all_pairs(annotated, "market1501")
    names = _names(_records(out, "train"))
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
    assert "both shoulders and both hips" in metadata["pairing"]
    assert metadata["counts"] == {
        "train": {"images": 7, "people": 2, "pairs": 18},
        "test": {"images": 6, "people": 2, "pairs": 14},
    }


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
    assert _listing(built[1]) == [
        "dataset_info.json",
        "features.json",
        "metadata.json",
        "pairs.png",
        *(f"{shard}.tfrecord-00000-of-00001" for shard in shards),
    ]
    with Image.open(built[1] / "pairs.png") as picture:
        assert picture.height > 8 * HEIGHT
    assert _listing(built[1].parent) == ["out", "source"]


def test_same_input_same_bytes_and_no_network(built, tmp_path, monkeypatch):
    def refuse(*_):
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    _build(built[0], tmp_path / "again")
    for file in built[1].iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_caps_seed_and_lists(market, tmp_path):
    summary = _build(market, tmp_path / "capped", max_train_pairs=3, max_test_pairs=1)
    assert [split.pairs for split in summary.splits.values()] == [3, 1]
    (tmp_path / "list.csv").write_text("from,to\n0001_c1_0.jpg,0002_c1_0.jpg\n")
    summary = _build(market, tmp_path / "listed", pairs=[f"{tmp_path}/list.csv", ""])
    assert [split.pairs for split in summary.splits.values()] == [1, 2]
    assert _names(_records(tmp_path / "listed", "train")) == [
        ("0001_c1_0.jpg", "0002_c1_0.jpg")
    ]
    metadata = json.loads((tmp_path / "listed" / "metadata.json").read_text())
    assert metadata["pairing"] == "pairs of the lists list.csv"


def test_equal_names_in_train_and_test_are_different_photos(tmp_path):
    people = {"train": {"0001": 2}, "test": {"0001": 2}}
    source = _write_market(tmp_path / "source", people)
    _build(source, tmp_path / "out")
    for split in ("train", "test"):
        for record in _records(tmp_path / "out", split):
            file = source / f"bounding_box_{split}" / record["source_name"].decode()
            assert record["source_image"] == file.read_bytes()


def test_resized_photos_carry_scaled_keypoints(market, tmp_path):
    half = _options(market, tmp_path / "out", resize=True, max_test_pairs=1)
    half = dataclasses.replace(half, image_size="12x8")
    summary = build_tfrecords.build(half)
    assert summary.converted == {"resized": 7}
    annotated = annotations.read_csv(market / "market-annotation-train.csv")
    record = pose_pairs.read_records(tmp_path / "out", "train", [0])[0]
    keypoints = annotated[record["source_name"].decode()]
    expected = np.minimum(keypoints * [0.5, 0.5, 1], [7, 11, 1])
    assert record["source_image"].shape == (12, 8, 3)
    np.testing.assert_array_equal(record["source_keypoints"], expected)


@pytest.fixture
def people(tmp_path):
    """A folder of <person>/<photo> with annotations.csv."""
    rng = np.random.default_rng(0)
    names = [f"{who}/{i}.png" for who in ("anna", "bo", "cy", "0000") for i in range(3)]
    for name in names:
        _photo(rng, tmp_path / "people" / name)
    poses = {name: _pose(rng) for name in names}
    annotations.write_csv(tmp_path / "people" / "annotations.csv", poses)
    return tmp_path / "people"


def test_folder_keeps_test_people_out_of_training(people, tmp_path):
    summary = _build(people, tmp_path / "out", dataset="folder", test_fraction=0.3)
    assert [split.people for split in summary.splits.values()] == [3, 1]
    who = {
        split: {record["identity"] for record in _records(tmp_path / "out", split)}
        for split in ("train", "test")
    }
    assert not who["train"] & who["test"]
    assert who["train"] | who["test"] == {b"anna", b"bo", b"cy", b"0000"}


def test_folder_without_test_people(people, tmp_path):
    summary = _build(people, tmp_path / "out", dataset="folder", test_fraction=0.0)
    assert list(summary.splits) == ["train"] and summary.splits["train"].pairs == 24
    assert list(tfds.builder_from_directory(tmp_path / "out").info.splits) == ["train"]


def _no_folder(source):
    shutil.rmtree(source)


def _empty_folder(source):
    shutil.rmtree(source)
    source.mkdir()


def _no_photo_folder(source):
    shutil.rmtree(source / "bounding_box_test")


def _no_photos(source):
    shutil.rmtree(source / "bounding_box_train")
    (source / "bounding_box_train").mkdir()


def _no_annotations(source):
    (source / "market-annotation-test.csv").unlink()


def _empty_annotations(source):
    (source / "market-annotation-test.csv").write_text("")


def _nobody_twice(source):
    file = source / "market-annotation-test.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:2]))


def _annotation_of_unknown_photo(source):
    _append(source, f"0001_no.jpg: {[1] * 18}: {[1] * 18}")


def _short_row(source):
    _append(source, f"0001_x.jpg: {[1] * 17}: {[1] * 18}")


def _truncated_photo(source):
    file = source / "bounding_box_train" / "0001_c1_0.jpg"
    file.write_bytes(file.read_bytes()[:300])


def _large_photo(source):
    _photo(
        np.random.default_rng(0),
        source / "bounding_box_train" / "0001_c1_0.jpg",
        (9, 9),
    )


BAD_SOURCES = [
    (_no_folder, r"source: there is no such folder \(--source_dir\)"),
    (_empty_folder, "source: the folder is empty"),
    (_no_photo_folder, "bounding_box_test: there is no such folder"),
    (_no_photos, "bounding_box_train: the folder is empty"),
    (_no_annotations, "market-annotation-test.csv: there is no such annotation file"),
    (_empty_annotations, "market-annotation-test.csv: the file is empty"),
    (_nobody_twice, "the test split has no pairs"),
    (_annotation_of_unknown_photo, r"train\.csv:7: there is no photo .*0001_no\.jpg"),
    (_short_row, r"train\.csv:7: keypoints_y has 17 values"),
    (_truncated_photo, r"0001_c1_0\.jpg: cannot be read: .*[Tt]runcated"),
    (_large_photo, r"0001_c1_0\.jpg: the photo is 9x9, expected --image_size=24x16"),
]


@pytest.mark.parametrize(("damage", "message"), BAD_SOURCES)
def test_bad_source_is_named_and_nothing_is_left(market, tmp_path, damage, message):
    damage(market)
    with pytest.raises(ValueError, match=message):
        _build(market, tmp_path / "out")
    assert "out" not in "".join(_listing(tmp_path))


def test_all_problems_are_listed_at_once(market, tmp_path):
    for damage in (_annotation_of_unknown_photo, _short_row, _truncated_photo):
        damage(market)
    for i in range(30):
        _append(market, f"0001_no{i}.jpg: {[1] * 18}: {[1] * 18}", "test")
    with pytest.raises(
        ValueError, match="bad rows: 32, bad photos: 1; nothing was"
    ) as error:
        _build(market, tmp_path / "out")
    lines = str(error.value).splitlines()
    assert len(lines) == 22 and lines[-1] == "  ... and 13 more"


def test_skip_leaves_out_counts_and_lists(market, tmp_path):
    for damage in (_annotation_of_unknown_photo, _short_row, _truncated_photo):
        damage(market)
    summary = _build(market, tmp_path / "out", on_error="skip")
    assert summary.splits["train"].pairs == 4  # 2 + 2: the third of 0001 is damaged.
    assert summary.splits["train"].dropped_pairs == 4
    skipped = (tmp_path / "out" / "skipped.txt").read_text().splitlines()
    assert len(skipped) == 3
    assert all("0001" in line or "17 values" in line for line in skipped)
    assert "bad rows 2, bad photos 1" in summary.text(tmp_path / "out")
    names = {
        name for pair in _names(_records(tmp_path / "out", "train")) for name in pair
    }
    assert "0001_c1_0.jpg" not in names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_dir": ""}, "--source_dir is missing"),
        ({"output_dir": ""}, "--output_dir is missing"),
        ({"image_size": "128"}, "--image_size=128: expected HEIGHTxWIDTH"),
        ({"image_size": "0x64"}, "--image_size=0x64"),
        ({"annotations": ["a.csv"]}, "names 1 files, market1501 has two"),
        ({"annotations": ["a.csv", "b.csv"]}, "a.csv: there is no such annotation"),
        ({"pairs": ["a.csv"]}, "--pairs names 1 files"),
        ({"dataset": "folder"}, r"annotations\.csv: there is no such annotation"),
        ({"dataset": "synthetic"}, "is not empty; to convert what it holds"),
    ],
)
def test_bad_option(market, tmp_path, changes, message):
    options = _options(market, tmp_path / "out")
    with pytest.raises(ValueError, match=message):
        build_tfrecords.build(dataclasses.replace(options, **changes))


def test_folder_with_one_person_cannot_be_split(people, tmp_path):
    annotated = annotations.read_csv(people / "annotations.csv")
    only = {name: pose for name, pose in annotated.items() if name.startswith("anna")}
    annotations.write_csv(people / "annotations.csv", only)
    with pytest.raises(ValueError, match="1 people have two usable photos"):
        _build(people, tmp_path / "out", dataset="folder")


def test_folder_of_loose_photos_is_refused(people, tmp_path):
    loose = tmp_path / "loose"
    loose.mkdir()
    shutil.copy(people / "anna" / "0.png", loose)
    with pytest.raises(ValueError, match="no photos of the form <person>/<photo>"):
        _build(loose, tmp_path / "out", dataset="folder")


def test_output_folder_with_other_things_is_refused(market, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"already holds thesis\.tex"):
            _build(market, out, overwrite=overwrite)
    (out / "dataset_info.json").write_text('{"name": "pose_pairs"}')
    with pytest.raises(ValueError, match=r"already holds dataset_info\.json, thesis"):
        _build(market, out, overwrite=True)
    assert (out / "thesis.tex").read_text() == "years"
    with pytest.raises(ValueError, match="is a file"):
        _build(market, out / "thesis.tex")


def test_overwrite_replaces_a_data_set_of_ours_only_when_asked(market, tmp_path):
    out = tmp_path / "out"
    out.mkdir()  # An empty folder is no obstacle.
    _build(market, out, max_train_pairs=3)
    with pytest.raises(ValueError, match=r"holds a data set .*--overwrite"):
        _build(market, out)
    _build(market, out, overwrite=True)
    assert len(_records(out, "train")) == 8
    assert _listing(tmp_path) == ["out", "source"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_interrupted_while_writing_leaves_the_old_data_set(
    market, tmp_path, monkeypatch, error
):
    out = tmp_path / "out"
    _build(market, out, max_train_pairs=3)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    record, calls = pose_pairs.PhotoStore.record, []

    def interrupt(store, source, target):
        calls.append(source)
        if len(calls) == 5:
            raise error
        return record(store, source, target)

    monkeypatch.setattr(pose_pairs.PhotoStore, "record", interrupt)
    with pytest.raises((KeyboardInterrupt, OSError)):
        _build(market, out, overwrite=True)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert _listing(tmp_path) == ["out", "source"]


def test_terminated_while_writing_leaves_nothing(market, tmp_path):
    code = """
import sys, time
from absl import app, flags
from data_prep import build_tfrecords, pose_pairs
def wait(*_):
    print("writing", file=sys.__stdout__, flush=True)
    time.sleep(60)
pose_pairs.PhotoStore.record = wait
build_tfrecords.define_flags(flags.FLAGS)
app.run(build_tfrecords.main)
"""
    arguments = [f"--source_dir={market}", f"--output_dir={tmp_path}/out"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, f"--image_size={SIZE}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    assert any("incomplete" in name for name in _listing(tmp_path))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    process.stdout.close()
    assert _listing(tmp_path) == ["source"]


def _run_script(*arguments):
    script = ROOT / "data_prep" / "build_tfrecords.py"
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_is_quick_and_lists_the_flags():
    begin = time.perf_counter()
    done = _run_script("--help")
    assert time.perf_counter() - begin < 3
    for field in dataclasses.fields(build_tfrecords.Options):
        assert field.name in done.stdout
        assert field.metadata["help"].split(",")[0][:30] in " ".join(
            done.stdout.split()
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source_dir=/no/where", "--output_dir=/tmp/no"], "error: /no/where: there"),
        (["--dataset=imagenet"], "--dataset=imagenet: value should be one of"),
        (["--max_test_pairs=0"], "--max_test_pairs=0"),
        (["--colour=red"], "Unknown command line flag 'colour'"),
        (["market1501"], "unexpected argument 'market1501'"),
    ],
)
def test_user_mistakes_end_in_a_message_not_in_a_traceback(arguments, message):
    done = _run_script(*arguments)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
