"""The command line of the procedural people: messages, exit codes, Ctrl-C."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests import programs

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = [sys.executable, "data_prep/synthesize_people.py"]
SMALL = ["--train_identities=1", "--test_identities=1", "--image_size=64x32"]


def run(home, *arguments, program=PROGRAM):
    return subprocess.run(
        [*program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HOME": str(home)},
    )


@pytest.mark.parametrize(
    "program",
    [[sys.executable, "-m", "data_prep.synthesize_people"], PROGRAM],
    ids=["module", "script"],
)
def test_command_line(tmp_path, program):
    done = run(tmp_path, "--output_dir=~/out", *SMALL, program=program)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/out: 24 images of 2 identities" in done.stdout
    assert len([p for p in (tmp_path / "out").rglob("*") if p.is_file()]) == 24 + 2 + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output_dir=~/out", "--image_size=big"], "must be HEIGHTxWIDTH"),
        (
            ["--output_dir=~/out", "--seed=4294967296"],
            "--seed=4294967296 must be at most",
        ),
        (["--output_dir=~/out", "more"], "unexpected argument 'more'"),
        (["--output_dir=~/file/out"], "~/file"),
        ([], "--output_dir is required"),
    ],
)
def test_mistakes_end_in_one_line(tmp_path, arguments, message):
    (tmp_path / "file").write_text("in the way")
    done = programs.run("data_prep.synthesize_people", *arguments, HOME=str(tmp_path))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message.replace("~", str(tmp_path)) in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("drawing", [False, True], ids=["starting", "drawing"])
def test_stopped_without_a_traceback_and_nothing_is_left(tmp_path, number, drawing):
    many = ["--train_identities=900", "--workers=2", "--image_size=64x32"]
    process = subprocess.Popen(
        [*PROGRAM, f"--output_dir={tmp_path}/out", *many],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    pattern = ".out.incomplete*/out/*/*.jpg" if drawing else ".out.incomplete*"
    deadline = time.monotonic() + 60
    while not any(tmp_path.glob(pattern)) and time.monotonic() < deadline:
        time.sleep(0.02)
    # Like a terminal: Ctrl-C reaches the processes that draw, too.
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    assert number != signal.SIGINT or "interrupted: nothing was written" in errors
    assert not list(tmp_path.iterdir())
