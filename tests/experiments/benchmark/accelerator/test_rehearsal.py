"""The whole measurement, rehearsed with small networks on a CPU; its parts are tested
one by one in test_parts.py."""

import json
import os

import pytest
from PIL import Image

from experiments.benchmark.accelerator import report, timed_parts
from tests import programs


@pytest.mark.slow
@pytest.mark.skipif(
    "PG2_REHEARSAL" not in os.environ, reason="takes four minutes: PG2_REHEARSAL=1"
)
def test_everything_is_measured(tmp_path, monkeypatch):
    # Compiles in a third of the time.
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    output = tmp_path / "output"
    done = programs.run(
        "experiments.benchmark",
        *("--what=accelerator", "--scale=0.06", "--image_size=32x16"),
        *("--minutes=30", "--repeats=1", f"--output={output}"),
    )
    log = (output / timed_parts.LOG).read_text()
    assert done.returncode == 0, done.stderr + log[-3000:]
    parts = json.loads((output / report.RESULTS).read_text())["parts"]
    assert list(parts) == list(timed_parts.PARTS)
    assert all(not part.get("failures") for part in parts.values())
    # PyTorch need not be installed.
    states = {name: part["state"] for name, part in parts.items()}
    assert states.pop("torch_speed") in ("done", "left out")
    assert set(states.values()) == {"done"}

    (compared,) = parts["equality"]["tables"].values()
    assert {row["within"] for row in compared} == {True}
    assert {row["precision"] for row in compared} >= {"float32_highest", "bfloat16"}
    # A CPU equals itself, but bfloat16 is less precise.
    exact = [row["difference"] for row in compared if "float32" in row["precision"]]
    rounded = [row["difference"] for row in compared if row["precision"] == "bfloat16"]
    assert set(exact) == {0} and max(rounded) > 1e-3

    speed = parts["our_speed"]["tables"]
    cases = {
        (row["task"], row["image"], row["precision"], row["steps a call"])
        for row in speed["Steps and generation"]
    }
    assert len(cases) == 2 * (2 + 2 + 1) + 3
    assert all(row["ms"] > 0 for row in speed["Steps and generation"])
    assert all(
        row["share of matrix product"] > 0 for row in speed["Steps and generation"]
    )
    assert {row["goal"] for row in speed["Projected schedules"]} == {10, 60}

    facts = parts["training"]["facts"]
    for run in ("paper", "pg2plus"):
        stopped = facts[f"{run}: told to stop, saved step"]
        assert 0 < stopped < facts[f"{run}: resumed from it, ended at step"] == 18
        metrics = json.loads((output / f"{run}_metrics.json").read_text())
        assert metrics["step"] == 18
        with Image.open(output / f"{run}_picture.png") as picture:
            assert picture.width > 32
    assert 0 < facts["data set, MB"] < 40
    scores = parts["training"]["tables"]["Scores"]
    assert [row["image"] for row in scores if row["run"] == "paper"] == [
        *("copy of source", "coarse", "refined")
    ]
    # Few files, not deep: easily brought home from a machine.
    assert len(list(output.rglob("*"))) <= 8
    assert "rehearsal" in (output / report.TEXT).read_text()
