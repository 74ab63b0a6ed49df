"""Keypoint estimation from the command line, alone and before a conversion."""

import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from data_prep import build_tfrecords
from pg2_jax.keypoints import keypoint_files
from tests import programs
from tests.data_prep.colour_photos import write_colour
from tests.data_prep.small_sources import make_options

ROOT = pathlib.Path(__file__).parents[2]


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
    assert len(keypoint_files.read(folder / "annotations.csv")) == 6
    # What comes later is added.
    write_colour(folder / "anna" / "4.png", (1, 0, 70))
    build_tfrecords._source(options)
    assert "1 person in 1 new photo (" in capsys.readouterr().out
    assert len(keypoint_files.read(folder / "annotations.csv")) == 7
    build_tfrecords._source(options)
    assert capsys.readouterr().out == ""


def test_without_an_estimator_the_message_says_what_to_install(folder, tmp_path):
    command = [
        *(sys.executable, "-c"),
        "import sys; sys.modules['mediapipe'] = None\n"
        "import importlib.util\n"
        "from data_prep import build_tfrecords\n"
        "importlib.util.find_spec = lambda name: None\n"
        "options = build_tfrecords.Options(dataset='folder', photos=sys.argv[1],\n"
        "    output_dir=sys.argv[2])\n"
        "try:\n    build_tfrecords.build(options)\n"
        "except ValueError as error:\n    print(error)",
        *(str(folder), str(tmp_path / "out")),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "annotations.csv, and estimating the keypoints failed: " in done.stdout
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
    done = programs.run("data_prep.estimate_keypoints", *arguments)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr


def test_ctrl_c_says_that_the_same_command_goes_on(folder, tmp_path):
    program = tmp_path / "slow.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import signal, sys, time
            # A shell starts its background jobs with Ctrl-C ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.path.insert(0, {str(ROOT)!r})
            from data_prep import estimate_keypoints
            from pg2_jax.estimators import registry
            class Slow:
                def __call__(self, image):
                    time.sleep(0.2 if image[0, 0, 0] == 1 else 60)
                    return []
                def close(self):
                    pass
            registry.open_estimator = lambda settings: Slow()
            registry.check_installed = lambda name: None
            sys.exit(estimate_keypoints.main(sys.argv[1:]))
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
    assert "interrupted: the same command resumes" in errors
    assert "Traceback" not in errors and not output.exists()
    assert log.read_text().count("anna/1.png") == 1


def test_a_build_names_the_report_of_an_estimation(tmp_path):
    tmp_path = tmp_path / "my people"
    tmp_path.mkdir()
    options = build_tfrecords.Options(dataset="folder", photos=str(tmp_path))
    assert build_tfrecords._hint(options) == ""
    (tmp_path / "annotations_report.csv").write_text("")
    hint = build_tfrecords._hint(options)
    assert f"found: {tmp_path}/annotations_report.csv; the next build adds" in hint
    assert f" '--photos={tmp_path}' '--output={tmp_path}/annotations.csv' " in hint
    other = build_tfrecords.Options(dataset="market1501", source_dir=str(tmp_path))
    assert build_tfrecords._hint(other) == ""
