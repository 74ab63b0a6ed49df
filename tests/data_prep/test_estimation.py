"""From photos to an annotation file, with an estimator that reads a colour."""

import csv
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from PIL import Image

from data_prep import (
    annotations,
    build_tfrecords,
    estimation,
    estimation_log,
    estimators,
    photo_list,
)
from data_prep.estimators import Person
from tests.data_prep.small_sources import make_options

ROOT = pathlib.Path(__file__).parents[2]


def person(x, size, score=0.9):
    """Eighteen points on the diagonal from (x, x) to (x + size, x + size)."""
    keypoints = np.ones((18, 3), np.float32)
    keypoints[:, :2] = np.linspace(x, x + size, 18)[:, None]
    return Person(keypoints, score)


class ByColour:
    """Finds as many people as the photo is red, the largest second; the score is how
    blue it is; a green photo breaks it."""

    def __init__(self, settings=None):
        self.looked, self.closed = [], False

    def __call__(self, image):
        red, green, blue = image[0, 0].tolist()
        self.looked.append(red)
        if green:
            raise RuntimeError("out of luck")
        sizes = [10, 20, 5][:red]
        return [person(i, size, blue / 100) for i, size in enumerate(sizes)]

    def close(self):
        self.closed = True


@pytest.fixture
def estimator(monkeypatch):
    fake = ByColour()
    monkeypatch.setattr(estimators, "open_estimator", lambda _: fake)
    monkeypatch.setattr(estimators, "check_installed", lambda _: None)
    return fake


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").write_bytes(b"any")
    folder = tmp_path / "people"
    colours = {
        "anna/1.png": (1, 0, 90),
        "anna/2.png": (3, 0, 80),
        "bo/1.png": (0, 0, 0),
        "bo/2.png": (2, 0, 10),
    }
    for name, colour in colours.items():
        write_colour(folder / name, colour)
    return folder


def write_colour(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 40), colour).save(path)


def run(folder, **changes):
    """Estimates into keypoints.csv beside the folder, in this process."""
    options = {"model": str(folder.parent / "model"), "workers": 1, **changes}
    output = options.pop("output", folder.parent / "keypoints.csv")
    listing = photo_list.find(str(folder))
    return estimation.estimate(listing, estimation.Options(output=output, **options))


def report(folder):
    with open(folder.parent / "keypoints_report.csv", newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def written(folder):
    return sorted(path.name for path in folder.parent.glob("keypoints*"))


def test_the_largest_person_of_each_photo_is_written(folder, estimator):
    text = run(folder)
    found = annotations.read_csv(folder.parent / "keypoints.csv")
    assert list(found) == ["anna/1.png", "anna/2.png"]
    for name, expected in [
        ("anna/1.png", person(0, 10)),
        ("anna/2.png", person(1, 20)),
    ]:
        rounded = np.round(expected.keypoints, 1)
        np.testing.assert_allclose(found[name], rounded, atol=1e-5)
    line = (folder.parent / "keypoints.csv").read_text().splitlines()[1]
    assert line.startswith("anna/1.png: [0, 0.6, 1.2, 1.8, 2.4, 2.9, 3.5, 4.1, ")
    assert "2 people in 4 photos (found 2, low score 1, not found 1, bad photo 0)" in (
        text
    )
    assert report(folder) == [
        ("anna/1.png", "found", "1", "0.900", "18", ""),
        ("anna/2.png", "found", "3", "0.800", "18", ""),
        ("bo/1.png", "not found", "0", "", "0", ""),
        ("bo/2.png", "low score", "2", "0.100", "18", ""),
    ]
    assert written(folder) == [
        "keypoints.csv",
        "keypoints_contact.png",
        "keypoints_report.csv",
    ]
    assert estimator.closed


def test_all_people_are_numbered_by_size(folder, estimator):
    run(folder, everyone=True, min_score=0.05)
    found = annotations.read_csv(folder.parent / "keypoints.csv")
    names = ["bo/2.png", "bo/2.png#2"]
    names = ["anna/1.png", "anna/2.png", "anna/2.png#2", "anna/2.png#3", *names]
    assert list(found) == names
    left = [found[name][0, 0] for name in names]
    assert left == [0, 1, 0, 2, 1, 0]


def test_the_contact_sheet_goes_from_the_lowest_score_to_the_highest(folder, estimator):
    run(folder)
    with Image.open(folder.parent / "keypoints_contact.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (192 + 2 * 4, 2 * (192 + 4) + 4, 3)
    # The corners of the photos, which are 144 wide, in the middle of their tiles.
    assert pixels[190, 4 + 24 + 2].tolist() == [3, 0, 80]
    assert pixels[190, 4 + 196 + 24 + 2].tolist() == [1, 0, 90]
    assert pixels[190, 4 + 10].tolist() == [255, 255, 255]


def test_a_bad_photo_stops_all_or_is_counted(folder, estimator):
    (folder / "anna" / "3.png").write_bytes(b"no photo")
    write_colour(folder / "anna" / "4.png", (1, 1, 0))
    with pytest.raises(ValueError, match="bad photos: 2; nothing was written") as error:
        run(folder)
    assert f"{folder}/anna/3.png: not a photo in a format" in str(error.value)
    assert f"{folder}/anna/4.png: mediapipe fails: out of luck" in str(error.value)
    assert written(folder) == ["keypoints_partial.jsonl"]
    estimator.looked.clear()
    assert "found 2, low score 1, not found 1, bad photo 2" in run(folder, skip=True)
    assert estimator.looked == [1]  # The others were known.
    assert report(folder)[2][:2] == ("anna/3.png", "bad photo")
    assert "not a photo in a format" in report(folder)[2][-1]


def test_nobody_found_writes_nothing(folder, estimator):
    with pytest.raises(ValueError, match=r"4 photos, found 0, low score 3, .*=0\.95"):
        run(folder, min_score=0.95)
    assert "keypoints.csv" not in written(folder)


def test_an_interrupted_run_goes_on(folder, estimator, monkeypatch):
    look = ByColour.__call__

    def stop(self, image):
        if len(self.looked) == 2:
            raise KeyboardInterrupt
        return look(self, image)

    with monkeypatch.context() as patch:
        patch.setattr(ByColour, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            run(folder)
    estimator.looked.clear()
    assert written(folder) == ["keypoints_partial.jsonl"]
    with open(folder.parent / "keypoints_partial.jsonl", "a") as file:
        file.write('["bo/1.png", [1, ')  # Killed in the middle of a line.
    write_colour(folder / "anna" / "2.png", (2, 0, 70))  # Changed since.
    os.utime(folder / "anna" / "2.png", (1, 1))
    text = run(folder)
    assert estimator.looked == [2, 0, 2]
    assert "found 2, low score 1, not found 1" in text
    assert report(folder)[:2] == [
        ("anna/1.png", "found", "1", "0.900", "18", ""),
        ("anna/2.png", "found", "2", "0.700", "18", ""),
    ]
    assert "keypoints_partial.jsonl" not in written(folder)


def test_other_settings_begin_anew(folder, estimator):
    with pytest.raises(ValueError, match="found 0"):
        run(folder, min_score=0.95)
    for changes in ({"min_confidence": 0.6}, {"min_confidence": 0.6}):
        estimator.looked.clear()
        with pytest.raises(ValueError, match="found 0"):
            run(folder, min_score=0.95, **changes)
        changes["seen"] = len(estimator.looked)
        assert len(estimator.looked) in (4, 0)
    assert estimator.looked == []
    (folder.parent / "model").write_bytes(b"another")
    run(folder, min_confidence=0.6)
    assert len(estimator.looked) == 4


def test_keypoints_survive_the_log_exactly(tmp_path):
    keypoints = np.random.default_rng(0).random((18, 3)).astype(np.float32)
    record = estimation_log.Record("é#\u2028.jpg", (5, 7), [Person(keypoints, 1 / 3)])
    log = estimation_log.EstimationLog(tmp_path / "log", {"a": 1})
    log.add(record)
    log.close()
    log = estimation_log.EstimationLog(tmp_path / "log", {"a": 1})
    log.close()
    again = log.records[record.name]
    np.testing.assert_array_equal(again.people[0].keypoints, keypoints)
    assert again.people[0].score == 1 / 3 and again.stamp == (5, 7)
    assert log.is_done(record.name, (5, 7)) and not log.is_done(record.name, (5, 8))


@pytest.mark.parametrize(
    "line", ["", "null", "7", "[]", '["a"]', '["a",[1,2],[[1,[2]]]]', '{"a":1}', "\0"]
)
def test_damaged_lines_of_the_log_are_looked_at_again(tmp_path, line):
    path = tmp_path / "log"
    path.write_text('{"a": 1}\n["b", [1, 2], []]\n' + line + "\n")
    log = estimation_log.EstimationLog(path, {"a": 1})
    log.close()
    assert list(log.records) == ["b"]


def test_two_estimations_for_one_output_are_refused(folder, estimator):
    with open(folder.parent / "keypoints_partial.jsonl", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another process estimates for the same"):
            run(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "keypoints.txt"}, r"keypoints\.txt: the name must end in \.csv"),
        ({"output": "no/keypoints.csv"}, "there is no folder .*no"),
        ({"model": "no.task"}, r"--model=no\.task: there is no such file"),
        ({"compare": "no.csv"}, r"no\.csv"),
    ],
)
def test_bad_options_are_named_before_any_photo_is_read(
    folder, estimator, changes, message
):
    if "output" in changes:
        changes = {"output": folder.parent / changes["output"]}
    with pytest.raises((ValueError, OSError), match=message):
        run(folder, **changes)
    assert estimator.looked == [] and written(folder) == []


def test_an_existing_output_is_kept(folder, estimator):
    (folder.parent / "keypoints.csv").write_text("corrected by hand")
    with pytest.raises(ValueError, match=r"keypoints\.csv exists already; --overwrite"):
        run(folder)
    assert (folder.parent / "keypoints.csv").read_text() == "corrected by hand"
    run(folder, overwrite=True)
    assert len(annotations.read_csv(folder.parent / "keypoints.csv")) == 2


def test_distances_to_annotations_are_said(folder, estimator):
    reference = {"anna/1.png": person(3, 10).keypoints}  # 3 px right, 3 px down.
    annotations.write_csv(folder.parent / "reference.csv", reference)
    text = run(folder, compare=str(folder.parent / "reference.csv"))
    assert "1 photos and 18 points that both have" in text
    assert f"distance in pixels: mean {3 * 2**0.5:.2f}, median 4.24" in text
    renamed = {"1.png": person(3, 10).keypoints}
    annotations.write_csv(folder.parent / "reference.csv", renamed)
    with pytest.raises(ValueError, match=r"none of the photos .* like anna/1\.png"):
        run(folder, overwrite=True, compare=str(folder.parent / "reference.csv"))


# One command from photos to records.


def test_a_folder_without_annotations_is_estimated_first(
    folder, estimator, tmp_path, capsys
):
    write_colour(folder / "anna" / "3.png", (1, 0, 70))
    for i in range(3, 6):
        write_colour(folder / "bo" / f"{i}.png", (1, 0, 95))
    (folder / "loose.png").write_bytes(b"in no person's folder")
    options = make_options(
        "",
        tmp_path / "out",
        dataset="folder",
        photos=str(folder),
        model=str(tmp_path / "model"),
        margin=0.0,
        workers=1,
    )
    summary = build_tfrecords.build(options)
    assert {name: split.images for name, split in summary.splits.items()} == {
        "train": 3,
        "test": 3,
    }
    assert summary.converted == {"cropped": 6}
    assert "6 people in 8 photos" in capsys.readouterr().out
    assert len(annotations.read_csv(folder / "annotations.csv")) == 6


def test_without_an_estimator_the_message_says_what_to_install(folder, tmp_path):
    command = [
        *(sys.executable, "-c"),
        "import sys; sys.modules['mediapipe'] = None\n"
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "from data_prep import build_tfrecords\n"
        "options = build_tfrecords.Options(dataset='folder', photos=sys.argv[1],\n"
        "    output_dir=sys.argv[2])\n"
        "try:\n    build_tfrecords.build(options)\n"
        "except ValueError as error:\n    print(error)",
        *(str(folder), str(tmp_path / "out")),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "annotations.csv: there is no such annotation file" in done.stdout
    assert "mediapipe is not installed; pip install 'pg2_jax[pose]'" in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes", [{"source_dir": "a", "dataset": "folder"}, {"dataset": "market1501"}]
)
def test_photos_is_the_source_of_a_folder(tmp_path, changes):
    options = build_tfrecords.Options(
        photos="b", output_dir=str(tmp_path / "out"), **changes
    )
    with pytest.raises(ValueError, match="--photos=b is --source_dir of --dataset=fol"):
        build_tfrecords.build(options)


# The program.


def _run_program(*arguments, **options):
    script = ROOT / "data_prep" / "estimate_keypoints.py"
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: --photos is required"),
        (
            ["--photos=/no/where", "--output=/tmp/a.csv"],
            "error: --photos=/no/where: th",
        ),
        (["--estimator=openpose"], "--estimator=openpose: value should be one of"),
        (["--min_score=2"], "--min_score=2"),
        (["--people=two"], "--people=two: value should be one of <largest|all>"),
    ],
)
def test_user_mistakes_end_in_a_message_not_in_a_traceback(arguments, message):
    done = _run_program(*arguments)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr


def test_ctrl_c_says_that_the_same_command_goes_on(folder, tmp_path):
    program = tmp_path / "slow.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            sys.path.insert(0, {str(ROOT)!r})
            from absl import app
            from data_prep import estimate_keypoints, estimators
            class Slow:
                def __call__(self, image):
                    time.sleep(0.2 if image[0, 0, 0] == 1 else 60)
                    return []
                def close(self):
                    pass
            estimators.open_estimator = lambda settings: Slow()
            estimators.check_installed = lambda name: None
            estimate_keypoints.define_flags()
            app.run(estimate_keypoints.main)
            """
        )
    )
    output = tmp_path / "keypoints.csv"
    command = [sys.executable, str(program), f"--photos={folder}", "--workers=1"]
    command += [f"--output={output}", f"--model={tmp_path / 'model'}"]
    log = tmp_path / "keypoints_partial.jsonl"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            if log.exists() and log.read_text().count("\n") == 2:
                process.send_signal(signal.SIGINT)
                break
            time.sleep(0.05)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: the same command goes on from here" in errors
    assert "Traceback" not in errors and not output.exists()
    assert log.read_text().count("anna/1.png") == 1
