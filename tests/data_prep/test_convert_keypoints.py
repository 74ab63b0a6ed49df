"""data_prep/convert_keypoints.py: what comes out, and what is refused."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from data_prep import convert_keypoints as program
from pg2_jax.keypoints import base, keypoint_files
from tests.pg2_jax.keypoints.test_formats import POSE

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def poses(tmp_path):
    """Two poses, in poses.csv; the second misses points and its neck is derived."""
    second = POSE + np.array([0.5, 0.25, 0])
    second[[0, 4, 17]] = 0
    second[1] = [*second[[2, 5], :2].mean(axis=0), 1]
    written = {"p/1.jpg": POSE, "p/2.jpg": second.astype(np.float32)}
    keypoint_files.write_csv(tmp_path / "poses.csv", written)
    return written


@pytest.fixture
def convert(tmp_path, capsys):
    """Runs the program in this process; returns its exit code and what it said."""

    def run(*arguments):
        names = [a if a.startswith("--") else str(tmp_path / a) for a in arguments]
        handler = signal.getsignal(signal.SIGTERM)
        try:
            code = program.main(names)
        finally:
            signal.signal(signal.SIGTERM, handler)
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name, keypoints in expected.items():
        np.testing.assert_array_equal(found[name], keypoints)


def test_csv_to_openpose_and_back_is_exact(tmp_path, poses, convert):
    code, said = convert("poses.csv", "folder")
    assert code == 0 and "folder: 2 poses" in said
    files = sorted(p.relative_to(tmp_path) for p in tmp_path.glob("folder/*/*"))
    assert [str(f) for f in files] == [
        "folder/p/1_keypoints.json",
        "folder/p/2_keypoints.json",
    ]
    assert convert("folder", "again.csv")[0] == 0
    assert_equal(keypoint_files.read(tmp_path / "again.csv"), poses)
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "poses.csv").read_text()


def test_csv_to_coco_and_back_changes_the_neck_alone(tmp_path, poses, convert):
    code, said = convert("poses.csv", "coco.json")
    assert code == 0 and "necks that COCO's 17 points cannot hold: 1 " in said
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [image["file_name"] for image in content["images"]] == list(poses)
    first, second = content["annotations"]
    # Nose, left eye (15 of ours), right eye (14 of ours).
    assert first["keypoints"][:9] == [10, 100, 2, 25, 115, 2, 24, 114, 2]
    assert (first["num_keypoints"], second["num_keypoints"]) == (17, 14)
    assert first["bbox"] == [10, 100, 17, 17] and first["area"] == 289
    assert len(content["categories"][0]["keypoints"]) == 17
    assert convert("coco.json", "again.csv")[0] == 0
    expected = {name: pose.copy() for name, pose in poses.items()}
    expected["p/1.jpg"][1] = [13.5, 103.5, 1]
    assert_equal(keypoint_files.read(tmp_path / "again.csv"), expected)


def test_one_photo_to_one_openpose_file(tmp_path, poses, convert):
    keypoint_files.write_csv(tmp_path / "one.csv", {"p/2.jpg": poses["p/2.jpg"]})
    assert convert("one.csv", "one.json", "--to=openpose")[0] == 0
    content = json.loads((tmp_path / "one.json").read_text())
    assert len(content["people"][0]["pose_keypoints_2d"]) == 54
    assert_equal(
        keypoint_files.read(tmp_path / "one.json"), {"p/2.jpg": poses["p/2.jpg"]}
    )


def test_a_photo_on_which_nobody_was_found(tmp_path, convert):
    nobody = {"1.jpg": np.zeros((18, 3), np.float32)}
    keypoint_files.write_csv(tmp_path / "poses.csv", nobody)
    for output in ("folder", "coco.json"):
        assert convert("poses.csv", output)[0] == 0
        assert_equal(keypoint_files.read(tmp_path / output), nobody)


def test_bad_rows_stop_it_or_are_left_out_and_said(tmp_path, poses, convert):
    with open(tmp_path / "poses.csv", "a") as file:
        file.write("bad\n../x: [1]: [1]\n")
    code, said = convert("poses.csv", "out.csv")
    assert code == 1 and "poses.csv:4: 'bad' is not a row" in said
    assert "bad rows: 2" in said and not (tmp_path / "out.csv").exists()
    code, said = convert("poses.csv", "out.csv", "--on_error=skip")
    assert code == 0 and "left out: " in said and "poses.csv:5: " in said
    assert_equal(keypoint_files.read(tmp_path / "out.csv"), poses)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["poses.csv"], "expected two arguments, IN and OUT, got 1"),
        (["no.csv", "out.csv"], "no.csv: there is no such file or folder"),
        (["poses.csv", "out.txt"], "out.txt: name it *.csv"),
        (
            ["poses.csv", "out.csv", "--to=coco"],
            "out.csv with --to=coco: name it *.csv",
        ),
        (["poses.csv", "poses.csv"], "poses.csv is there already; --overwrite"),
        (["poses.csv", "no/out.csv"], "no folder "),
        (["poses.csv", "o.json", "--to=openpose"], "holds one photo and "),
        (["poses.csv", "full"], "full already holds "),
        (
            ["poses.csv", "out.csv", "--photos=/no"],
            "/no: there is no such folder (--ph",
        ),
        (["full", "out.csv"], "this one holds neither"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    tmp_path, poses, convert, arguments, message
):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("")
    before = sorted(tmp_path.rglob("*"))
    code, said = convert(*arguments)
    assert code == 1 and message in said and len(said.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_two_photos_of_one_stem_cannot_share_a_file(tmp_path, convert):
    keypoint_files.write_csv(tmp_path / "a.csv", {"a.jpg": POSE, "a.png": POSE})
    code, said = convert("a.csv", "out")
    assert code == 1 and "'a.png' and 'a.jpg' would both be a_keypoints.json" in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("name", ["convert_keypoints", "pairs", "build_tfrecords"])
def test_help_may_be_cut_short(name):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", f"data_prep.{name}", "--help"]
    done = subprocess.run(
        command,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=False,
    )
    os.close(writing)
    assert done.stderr == "" and done.returncode == 1


def test_the_program_runs_as_a_module(tmp_path, poses):
    command = [sys.executable, "data_prep/convert_keypoints.py"]
    done = subprocess.run(
        [*command, tmp_path / "poses.csv", tmp_path / "out.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0 and "out.json: 2 poses" in done.stdout


@pytest.mark.parametrize("value", [48.7, 0.1, 3, 1e-3, 123456.78, 16777216])
def test_coordinates_are_written_as_short_as_they_are_read(value):
    stored = np.float32(value)
    written = base.plain_number(stored)
    assert len(repr(written)) <= len(repr(value))
    assert np.float32(written) == stored
