"""Every mistake in a source, an option or a command line is named."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from data_prep import build_tfrecords, flag_fields
from data_prep.sources import photo_names
from pg2_jax.keypoints import coco_json, keypoint_files
from pg2_jax.photos import photo_files
from tests import programs
from tests.data_prep.small_sources import (
    append,
    build,
    listing,
    make_options,
    pair_names,
    read_records,
    write_photo,
)

ROOT = pathlib.Path(__file__).parents[2]


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
    append(source, f"0001_no.jpg: {[1] * 18}: {[1] * 18}")


def _short_row(source):
    append(source, f"0001_x.jpg: {[1] * 17}: {[1] * 18}")


def _truncated_photo(source):
    file = source / "bounding_box_train" / "0001_c1_0.jpg"
    file.write_bytes(file.read_bytes()[:300])


def _large_photo(source):
    write_photo(
        np.random.default_rng(0),
        source / "bounding_box_train" / "0001_c1_0.jpg",
        (9, 9),
    )


def _annotations_of_another_size(source):
    """COCO's JSON of photos twice as large, as of ControlNet's canvas; a pixel more is
    rounding."""
    file = source / "market-annotation-train.csv"
    coco_json.write(file, keypoint_files.read(file))
    content = json.loads(file.read_text())
    for image in content["images"]:
        image |= {"height": 25, "width": 16}
    content["images"][0] |= {"height": 48, "width": 32}
    file.write_text(json.dumps(content))


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
    (_large_photo, r"0001_c1_0\.jpg: the photo is 9x9, expected image_size=24x16"),
    (
        _annotations_of_another_size,
        r"bad photos: 1(?s:.*)0001_c1_0\.jpg: it is 24x16 pixels, its keypoints are "
        r"those of 48x32 \(annotations\)",
    ),
]


@pytest.mark.parametrize(("damage", "message"), BAD_SOURCES)
def test_bad_source_is_named_and_nothing_is_left(market, tmp_path, damage, message):
    damage(market)
    with pytest.raises(ValueError, match=message):
        build(market, tmp_path / "out")
    assert "out" not in "".join(listing(tmp_path))


@pytest.mark.parametrize("name", ["../secret.jpg", "{}/secret.jpg", "0001\\x.jpg"])
def test_names_do_not_lead_out_of_the_folder(market, tmp_path, name):
    write_photo(np.random.default_rng(0), market / "secret.jpg")
    append(market, f"{name.format(market)}: {[1] * 18}: {[1] * 18}")
    with pytest.raises(ValueError, match=r"train\.csv:7: the photo name .* is refused"):
        build(market, tmp_path / "out")


def test_unicode_names_reach_the_records(people, tmp_path):
    (people / "anna").rename(people / "Zoë 漢字 😀")
    file = people / "annotations.csv"
    text = file.read_text(encoding="utf-8").replace("anna/", "Zoë 漢字 😀/")
    file.write_text(text, encoding="utf-8")
    (people / "loop").symlink_to(people)
    build(people, tmp_path / "out", dataset="folder", test_fraction=0.0)
    records = read_records(tmp_path / "out", "train")
    who = {record["identity"].decode() for record in records}
    assert who == {"Zoë 漢字 😀", "bo", "cy", "0000"}


def test_all_problems_are_listed_at_once(market, tmp_path):
    for damage in (_annotation_of_unknown_photo, _short_row, _truncated_photo):
        damage(market)
    for i in range(30):
        append(market, f"0001_no{i}.jpg: {[1] * 18}: {[1] * 18}", "test")
    with pytest.raises(
        ValueError, match="bad rows: 32, bad photos: 1; nothing was"
    ) as error:
        build(market, tmp_path / "out")
    lines = str(error.value).splitlines()
    assert len(lines) == 22 and lines[-1] == "  ... and 13 more"


def test_skip_leaves_out_counts_and_lists(market, tmp_path):
    for damage in (_annotation_of_unknown_photo, _short_row, _truncated_photo):
        damage(market)
    summary = build(market, tmp_path / "out", on_error="skip")
    assert summary.splits["train"].pairs == 4  # 2 + 2: the third of 0001 is damaged.
    assert summary.splits["train"].dropped_pairs == 4
    skipped = (tmp_path / "out" / "skipped.txt").read_text().splitlines()
    assert len(skipped) == 3
    assert all("0001" in line or "17 values" in line for line in skipped)
    assert "bad rows 2, bad photos 1" in summary.text(tmp_path / "out")
    names = {
        name
        for pair in pair_names(read_records(tmp_path / "out", "train"))
        for name in pair
    }
    assert "0001_c1_0.jpg" not in names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_dir": ""}, "--source_dir is missing"),
        ({"output_dir": ""}, "--output_dir is missing"),
        ({"image_size": "128"}, "image_size=128 must be HEIGHTxWIDTH"),
        ({"image_size": "7x64"}, "--image_size=7x64: each side must be from 8 to 4096"),
        ({"image_size": "64x4097"}, "--image_size=64x4097: each side must be"),
        ({"annotations": ["a.csv"]}, "names 1 files, market1501 has two"),
        ({"annotations": ["a.csv", "b.csv"]}, "a.csv: there is no such annotation"),
        ({"pairs": ["a.csv"]}, "--pairs names 1 files"),
        (
            {"dataset": "folder", "annotations": ["no.csv"]},
            r"no\.csv: there is no such annotation",
        ),
        (
            {"annotation_size": "256x176"},
            "--annotation_size=256x176 does not go with --dataset=market1501: ",
        ),
        (
            {"dataset": "folder", "annotation_size": "256x176"},
            "--annotation_size=256x176 does not go with --dataset=folder: ",
        ),
        (
            {"train_identities": 9},
            "--train_identities=9 does not go with --dataset=market1501: its people",
        ),
        (
            {"pairs": ["a.csv", "b.csv"], "pair_protocol": "pg2"},
            "--pair_protocol=pg2 does not go with --pairs=a.csv,b.csv: ",
        ),
        (
            {"pairs": ["", "b.csv"], "max_test_pairs": 5},
            "--max_test_pairs=5 does not go with --pairs=,b.csv: ",
        ),
        ({"dataset": "synthetic"}, "is not empty; to convert what it holds"),
    ],
)
def test_bad_option(market, tmp_path, changes, message):
    options = make_options(market, tmp_path / "out")
    with pytest.raises(ValueError, match=message):
        build_tfrecords.build(dataclasses.replace(options, **changes))


def test_folder_with_one_person_cannot_be_split(people, tmp_path):
    annotated = keypoint_files.read(people / "annotations.csv")
    only = {name: pose for name, pose in annotated.items() if name.startswith("anna")}
    keypoint_files.write_csv(people / "annotations.csv", only)
    with pytest.raises(ValueError, match="1 people have two usable photos"):
        build(people, tmp_path / "out", dataset="folder")


def test_a_file_in_which_nobody_was_found_says_so(people, tmp_path):
    names = keypoint_files.read(people / "annotations.csv")
    nobody = dict.fromkeys(names, np.zeros((18, 3), np.float32))
    keypoint_files.write_csv(people / "annotations.csv", nobody)
    with pytest.raises(ValueError, match=r"annotations.csv: all 12 poses are empty"):
        build(people, tmp_path / "out", dataset="folder")


def test_a_photo_in_a_format_that_is_not_read_is_called_so(
    people, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(photo_files, "UNREAD", {".heic": "pip install pillow-heif"})
    monkeypatch.setattr(photo_files, "SUFFIXES", (".jpg", ".png", ".webp"))
    (people / "anna" / "0.png").rename(people / "anna" / "0.HEIC")
    file = people / "annotations.csv"
    file.write_text(file.read_text().replace("anna/0.png", "anna/0.HEIC"))
    said = r"anna/0.HEIC is there, but its format is not read: pip install pillow-heif"
    with pytest.raises(ValueError, match=said):
        build(people, tmp_path / "out", dataset="folder")
    assert "photos .heic are not read, ignored: 1" in capsys.readouterr().err


def test_names_are_found_however_their_accents_are_written():
    composed, apart = "Zo\u00e9/0.jpg", "Zoe\u0301/0.jpg"
    for on_disk, named in ((apart, composed), (composed, apart)):
        photos = photo_names.PhotoNames([on_disk, "Zoe/0.jpg"])
        assert photos.knows(named) and photos.find(named) == on_disk
        assert photos.find(named.removesuffix(".jpg")) == on_disk


def test_folder_of_loose_photos_is_refused(people, tmp_path):
    loose = tmp_path / "loose"
    loose.mkdir()
    shutil.copy(people / "anna" / "0.png", loose)
    with pytest.raises(ValueError, match="no photos of the form <person>/<photo>"):
        build(loose, tmp_path / "out", dataset="folder")


def test_all_bad_rows_of_a_list_are_shown(market, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("from,to\n0001_c1_0.jpg,0002_c1_0.jpg\n0009_c1_0.jpg,x\n")
    with pytest.raises(ValueError, match="bad rows: 2, bad photos: 0") as error:
        build(market, tmp_path / "out", pairs=[str(file), ""])
    assert "list.csv:2: '0001_c1_0.jpg' shows '0001'" in str(error.value)
    assert "list.csv:3: '0009_c1_0.jpg' has no keypoints" in str(error.value)


def test_an_empty_split_is_blamed_on_the_list_that_made_it(market, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("from,to\n0001_c1_0.jpg,0002_c1_0.jpg\n")
    with pytest.raises(
        ValueError, match=r"train split has no pairs: .*list\.csv has bad rows"
    ) as error:
        build(market, tmp_path / "out", pairs=[str(file), ""], on_error="skip")
    assert "hips" not in str(error.value)


def _options(*words):
    parsed = flag_fields.parse(build_tfrecords.Options, words)
    return build_tfrecords.Options(**parsed.values)


def test_seeds_are_those_of_numpy():
    flag_fields.check(_options("--seed=4294967295"))
    np.random.RandomState(2**32 - 1)
    with pytest.raises(ValueError, match="--seed=4294967296 must be at most"):
        flag_fields.check(_options("--seed=4294967296"))


def test_home_is_expanded_in_every_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    folders = ["--source_dir=~/in", "--output_dir=~/out"]
    options = _options(*folders, "--annotations=~/a.csv,b.csv", "--pairs=,~/p.csv")
    assert (options.source_dir, options.output_dir) == ("/home/me/in", "/home/me/out")
    assert options.annotations == ("/home/me/a.csv", "b.csv")
    assert options.pairs == ("", "/home/me/p.csv")


def _run_script(*arguments):
    script = ROOT / "data_prep" / "build_tfrecords.py"
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_lists_the_flags_and_is_no_failure():
    done = _run_script("--help")
    assert done.returncode == 0
    shown = " ".join(done.stdout.split())
    for name, text in flag_fields.explanations(build_tfrecords.Options).items():
        assert f"--{name}=" in shown and text in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source_dir=/no/where", "--output_dir=/tmp/no"], "error: /no/where: there"),
        (["--dataset=imagenet"], "--dataset=imagenet: value should be one of"),
        (
            ["--max_test_pairs=x"],
            "error: flag --max_test_pairs=x: must be a whole",
        ),
        (["--max_test_pairs=0"], "--max_test_pairs=0"),
        (["--colour=red"], "Unknown command line flag 'colour'"),
        (["market1501"], "unexpected argument 'market1501'"),
    ],
)
def test_user_mistakes_end_in_a_message_not_in_a_traceback(arguments, message):
    done = programs.run("data_prep.build_tfrecords", *arguments)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
