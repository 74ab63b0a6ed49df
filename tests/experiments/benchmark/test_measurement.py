"""Medians and ratios, printed and saved."""

import functools
import json
import pathlib

import pytest

from experiments import results
from experiments.benchmark import measurement
from experiments.benchmark.measurement import Measurement, Series


def test_medians_and_ratios():
    fast, slow = Series("fast", [2, 9, 4], "s"), Series("slow", [4, 9, 2], "s")
    assert fast.median == 4
    ratio = fast.over(slow, "fast / slow")
    assert (ratio.name, list(ratio.values), ratio.median) == (
        "fast / slow",
        [0.5, 1.0, 2.0],
        1.0,
    )


def test_programs_take_turns(monkeypatch):
    clock, taken = [0.0], []

    def program(name, seconds):
        clock[0] += seconds
        taken.append(name)
        return name

    monkeypatch.setattr(measurement.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(measurement.time, "process_time", lambda: 2 * clock[0])
    programs = {
        name: functools.partial(program, name, seconds)
        for name, seconds in (("fast", 0.5), ("slow", 2.0))
    }
    assert measurement.take_once(programs) == {"fast": "fast", "slow": "slow"}
    taken.clear()
    times = measurement.take_turns(programs, 2, calls=2)
    assert taken == ["fast", "fast", "slow", "slow"] * 2
    assert times == {"fast": ([0.5] * 2, [1.0] * 2), "slow": ([2.0] * 2, [4.0] * 2)}
    series = measurement.compare(times, of="step, ")
    assert [(one.name, one.unit, one.median) for one in series] == [
        ("step, fast", "s", 0.5),
        ("step, slow", "s", 2.0),
        ("step, fast / slow", "", 0.25),
        ("the same by CPU time", "", 0.25),
    ]
    rates = measurement.compare(times, pairs=6)
    assert [(one.unit, one.median) for one in rates[:2]] == [
        ("pairs/s", 12.0),
        ("pairs/s", 3.0),
    ]
    assert (rates[2].name, rates[2].median) == ("fast / slow", 4.0)


def test_untimed_calls_begin_each_turn(monkeypatch):
    clock, others = [0.0], []

    def program(name):
        # The first call after another program's takes longer.
        clock[0] += 0.5 if others[-1:] == [name] else 3.0
        others.append(name)

    monkeypatch.setattr(measurement.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(measurement.time, "process_time", lambda: clock[0])
    programs = {name: functools.partial(program, name) for name in "ab"}
    times = measurement.take_turns(programs, 3, calls=2, untimed=1)
    assert times == dict.fromkeys("ab", ([0.5] * 3, [0.5] * 3))
    assert others == list("aaabbb" * 3)
    times = measurement.take_turns(programs, 2, calls=2)
    assert times == dict.fromkeys("ab", ([1.75] * 2, [1.75] * 2))


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="compares with nothing: pip install"):
        measurement.imported("no_such_module", "compares with nothing: pip install")


def test_what_was_measured_is_printed_and_saved_with_its_origin(tmp_path, capsys):
    measured = Measurement([Series("build", [4, 1, 1234], "s")], {"pairs": 7})
    measured.print()
    printed = capsys.readouterr().out
    assert "pairs: 7" in printed and "1,234" in printed
    measurement.save([measured], tmp_path / "b.json", {"what": "data"})
    saved = json.loads((tmp_path / "b.json").read_text())
    assert saved["series"] == [
        {"name": "build", "values": [4, 1, 1234], "unit": "s", "median": 4}
    ]
    assert saved["facts"] == {"pairs": 7}
    assert saved["hardware"]["cores"] >= 1 and saved["versions"]["numpy"]
    assert {"commit", "settings"} < set(saved)


def test_several_are_saved_side_by_side(tmp_path):
    both = [Measurement([Series("step", [x], "s")], {"channels": x}) for x in (128, 16)]
    measurement.save(both, tmp_path / "b.json", {})
    saved = json.loads((tmp_path / "b.json").read_text())
    assert [one["facts"]["channels"] for one in saved["measurements"]] == [128, 16]
    assert [one["series"][0]["values"] for one in saved["measurements"]] == [
        [128],
        [16],
    ]


@pytest.mark.parametrize(
    ("lines", "want"),
    [
        ("model name\t: A B\nflags\t\t: fpu avx2 avx512f\n", "A B (avx2, avx512f)"),
        ("model name\t: A B\nflags\t\t: fpu sse\n", "A B"),
        ("Features\t: fp asimd sve\n", "x (asimd, sve)"),
    ],
)
def test_a_processor_is_named_with_its_vector_extensions(lines, want, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "read_text", lambda path: lines * 2)
    monkeypatch.setattr(results.platform, "processor", lambda: "x")
    assert results.hardware()["processor"] == want
