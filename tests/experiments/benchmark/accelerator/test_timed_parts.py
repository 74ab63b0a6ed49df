"""Parts have limits, fail alone, and what was measured is kept."""

import json
import os
import subprocess
import sys
import time

import pytest

from experiments.benchmark.accelerator import report, timed_parts
from tests import programs

# What a part is here: a process that reports as the real one does.
_WRITE = """
import json, os, sys, time
name, path = sys.argv[1:]
def write(**said):
    with open(path) as file:
        content = json.load(file)
    content["parts"][name] |= said
    with open(path + ".new", "w") as file:
        json.dump(content, file)
    os.replace(path + ".new", path)
"""
GPU = 'write(facts={"platform": "gpu"}, tables={}, failures=[], state="done")'
MEASURED = 'write(facts={}, tables={"Speed": [{"ms": 2.5}]}, failures=[], state="done")'
DIES = "sys.exit(3)"
HANGS = (
    'write(facts={"rate": 7}, tables={}, failures=[]); '
    'open(path + ".pid", "w").write(str(os.getpid())); time.sleep(60)'
)


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Runs stub programs, by part; returns the output and what it said."""

    def run(stubs, minutes=1.0, scale=1.0):
        share = 1 / len(stubs)
        parts = {name: (timed_parts.PARTS[name][0], share, None) for name in stubs}
        monkeypatch.setattr(timed_parts, "PARTS", parts)

        def start(name, output, settings, log):
            command = [sys.executable, "-I", "-S", "-c", _WRITE + stubs[name], name]
            command.append(str(output / report.RESULTS))
            return subprocess.Popen(command, stdout=log, stderr=log, process_group=0)

        monkeypatch.setattr(timed_parts, "_start", start)
        settings = report.Settings(scale, "128x64", 1, minutes, str(tmp_path))
        return timed_parts.measure(settings, run.output)

    run.output = tmp_path / "output"
    return run


def stored(begin):
    return json.loads((begin.output / report.RESULTS).read_text())


def test_all_parts_are_measured_and_written(begin, capsys):
    said = begin({"machine": GPU, "our_speed": MEASURED})
    assert "results.md" in said and "all that was measured" in said
    parts = stored(begin)["parts"]
    assert [part["state"] for part in parts.values()] == ["done", "done"]
    assert parts["our_speed"]["tables"] == {"Speed": [{"ms": 2.5}]}
    text = (begin.output / report.TEXT).read_text()
    assert "## Speed of pg2_jax" in text and "| 2.5 |" in text
    assert {"commit", "versions", "hardware"} <= set(stored(begin))
    assert "our_speed: done" in capsys.readouterr().out


def test_one_that_fails_and_one_that_hangs_leave_the_others_alone(begin):
    stubs = {
        "machine": GPU,
        "equality": DIES,
        "ceilings": HANGS,
        "our_speed": MEASURED,
    }
    # Of 6 s each takes a fourth; what the first two leave goes to the third.
    with pytest.raises(ValueError, match="incomplete: equality, ceilings; what was"):
        begin(stubs, minutes=6 / 60)
    parts = stored(begin)["parts"]
    assert parts["equality"]["state"] == "failed"
    assert parts["equality"]["error"] == "exit status 3; see log.txt"
    assert parts["ceilings"]["state"] == "out of time"
    assert parts["ceilings"]["facts"] == {"rate": 7}
    assert parts["ceilings"]["seconds"] >= 1
    assert parts["our_speed"]["state"] == "done"
    text = (begin.output / report.TEXT).read_text()
    assert "- rate: 7" in text and "out of time" in text
    (pid,) = [int(p.read_text()) for p in begin.output.glob("*.pid")]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_is_measured_is_on_the_disk_while_a_part_runs(begin, monkeypatch):
    """So that a kill of everything loses nothing."""
    seen = []
    wait = subprocess.Popen.wait

    def look(process, timeout=None):
        begun = stored(begin)["parts"]["ceilings"]["state"] != "not begun"
        if not seen and begun:
            while not stored(begin)["parts"]["ceilings"].get("facts"):
                time.sleep(0.02)
            seen.append(stored(begin)["parts"]["ceilings"]["facts"])
            raise KeyboardInterrupt
        return wait(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", look)
    with pytest.raises(KeyboardInterrupt):
        begin({"machine": GPU, "ceilings": HANGS, "our_speed": MEASURED})
    assert seen == [{"rate": 7}]
    parts = stored(begin)["parts"]
    states = [part["state"] for part in parts.values()]
    assert states == ["done", "interrupted", "not begun"]
    assert parts["ceilings"]["facts"] == {"rate": 7}


def test_a_cpu_is_refused_before_anything_is_kept(begin):
    on_cpu = GPU.replace("gpu", "cpu")
    stubs = {"machine": on_cpu, "our_speed": MEASURED}
    with pytest.raises(ValueError, match="jax sees none here: pip install"):
        begin(stubs)
    assert not begin.output.exists()


def test_a_rehearsal_on_a_cpu_says_what_it_is(begin):
    begin({"machine": GPU.replace("gpu", "cpu"), "our_speed": MEASURED}, scale=0.06)
    text = (begin.output / report.TEXT).read_text()
    assert "- rehearsal: smaller networks; no time says anything of the real" in text


@pytest.mark.parametrize(
    ("platforms", "want"), [("cuda", "cuda,cpu"), ("cuda,cpu", "cuda,cpu"), ("", "")]
)
def test_the_device_is_pytorchs_alone_in_its_part(
    platforms, want, tmp_path, monkeypatch
):
    started = []
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **given: started.append(given["env"])
    )
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    told = report.Settings(1.0, "128x64", 1, 1.0, str(tmp_path))
    for name in ("our_speed", "torch_speed"):
        timed_parts._start(name, tmp_path, told, None)
    assert [each["JAX_PLATFORMS"] for each in started] == [want, "cpu"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes=0"], "--minutes=0.0 must be above 0"),
        (["--output=setup.cfg"], "setup.cfg is a file, not a folder"),
        (["--image_size=big"], "image_size=big must be HEIGHTxWIDTH"),
        (["--batch_size=8"], "--batch_size=8 needs --what=train|plus"),
    ],
)
def test_mistakes_are_named_at_once(words, message):
    done = programs.run("experiments.benchmark", "--what=accelerator", *words)
    assert done.returncode == 1 and message in done.stderr


def test_earlier_results_are_never_overwritten(tmp_path):
    (tmp_path / report.RESULTS).write_text("{}")
    with pytest.raises(ValueError, match=r"holds results\.json of an earlier"):
        timed_parts.measure(report.Settings(1.0, "128x64", 1, 1.0, "t"), tmp_path)


def test_what_a_part_leaves_goes_to_those_after_it():
    shares = [share for _, share, _ in timed_parts.PARTS.values()]
    assert sum(shares) == pytest.approx(1)
    assert timed_parts.limit("machine", 600) == pytest.approx(24)
    # Of all that is left, 0.16 of 0.96.
    assert timed_parts.limit("equality", 480) == pytest.approx(80)
    assert timed_parts.limit("training", 100) == pytest.approx(100)
    assert timed_parts.limit("ceilings", 0) == 0


def test_errors_are_one_line():
    error = RuntimeError("RESOURCE_EXHAUSTED: out\n of  memory" + "x" * 999)
    line = report.in_short(error)
    assert line.startswith("RuntimeError: RESOURCE_EXHAUSTED: out of memoryxx")
    assert len(line) < 450
