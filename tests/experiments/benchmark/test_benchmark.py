"""The benchmark measures what it says and keeps its books."""

import itertools
import json
import pathlib
import subprocess
import sys

import pytest

from experiments.benchmark import checkpoint, data, memory
from experiments.benchmark.report import Goal, Report, Series

ROOT = pathlib.Path(__file__).parents[3]


def test_medians_ratios_and_goals():
    fast, slow = Series("fast", [2, 9, 4], "s"), Series("slow", [4, 9, 2], "s")
    assert fast.median == 4
    ratio = fast.over(slow, "fast / slow")
    assert (ratio.name, list(ratio.values), ratio.median) == (
        "fast / slow",
        [0.5, 1.0, 2.0],
        1.0,
    )
    assert Goal("", 4, 4, at_most=True).met and Goal("", 4, 4, at_most=False).met
    assert not Goal("", 5, 4, at_most=True).met
    assert not Goal("", 3, 4, at_most=False).met


def test_the_report_is_printed_and_saved_with_its_origin(tmp_path, capsys):
    goals = [Goal("at most 3 s", 4, 3, at_most=True)]
    report = Report([Series("build", [4, 1, 1234], "s")], goals, {"pairs": 7})
    report.print()
    printed = capsys.readouterr().out
    assert "pairs: 7" in printed and "1,234" in printed
    assert "MISSED: at most 3 s (4)" in printed
    report.save(tmp_path / "b.json", {"what": "data"})
    saved = json.loads((tmp_path / "b.json").read_text())
    assert saved["series"] == [
        {"name": "build", "values": [4, 1, 1234], "unit": "s", "median": 4}
    ]
    assert saved["goals"][0]["met"] is False and saved["facts"] == {"pairs": 7}
    assert saved["hardware"]["cores"] >= 1 and saved["versions"]["numpy"]
    assert {"commit", "settings"} < set(saved)


def test_the_full_size_is_that_of_market1501():
    sizes = data._PHOTOS_OF_PEOPLE
    assert sum(n * (n - 1) for n in sizes) == 263_632
    assert (len(sizes), sum(sizes)) == (747, 12_697)


def test_everything_is_measured_in_turns(tmp_path, monkeypatch):
    """With the builder in this process: starting others is for the real program."""
    from data_prep import build_tfrecords

    def build(source, output):
        options = build_tfrecords.Options(
            source_dir=str(source), output_dir=str(output), overwrite=True
        )
        build_tfrecords.build(options)
        return 2.0, 3.0, 500.0

    monkeypatch.setattr(data, "_build", build)
    monkeypatch.setattr(data, "_TEST_PEOPLE", 2)
    people = [*range(2, 11), *[2] * 738]
    monkeypatch.setattr(data, "_PHOTOS_OF_PEOPLE", people)
    monkeypatch.setattr(data, "_READ_PAIRS", 128)
    report = data.measure(tmp_path, scale=0.01, repeats=2)
    # The first 7 people have 2, 3, ..., 8 photos.
    assert report.facts["training pairs"] == sum(n * (n - 1) for n in range(2, 9))
    assert report.facts["photos"] == sum(range(2, 11))
    found = {series.name: series for series in report.series}
    assert {len(series.values) for series in report.series} == {2}
    assert found["build"].values == (2.0, 2.0)
    assert found["build, peak memory"].median == 500
    read, alone = found["read and decode"], found["decode alone"]
    ratio = found["read and decode / decode alone"]
    assert min(read.values) > 0 and min(found["read records alone"].values) > 0
    for mine, its, both in zip(read.values, alone.values, ratio.values, strict=True):
        assert both == mine / its
    memory, speed = report.goals
    assert (memory.found, memory.limit) == (500, 1024)
    assert speed.limit == min(5000, 0.9 * alone.median)


def test_the_people_are_those_of_market1501():
    sizes = data._PHOTOS_OF_PEOPLE
    assert (sizes * (sizes - 1)).sum() == 263_632
    tenth = sizes[:75]
    assert 20_000 < (tenth * (tenth - 1)).sum() < 33_000


def test_decoding_alone_decodes_all_photos(pair_dataset, monkeypatch):
    monkeypatch.setattr(data, "HEIGHT", 32)
    monkeypatch.setattr(data, "WIDTH", 16)
    monkeypatch.setattr(data, "_DECODE_AT_ONCE", 3)
    files = [str(path) for path in pathlib.Path(pair_dataset).glob("*-train.*")]
    encoded = data._jpegs(files, 6)
    assert len(encoded) == 12 and encoded[0] != encoded[1]
    steps = itertools.islice(data._decode_alone(encoded), 3)
    shapes = [step.shape for step in steps]
    assert shapes == [(6, 32, 16, 3)] * 3


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--what=luck", "--what=luck: value should be one of <data|metrics|train|"),
        ("--scale=0", "--scale=0"),
        ("--output=no/such/b.json", "--output=no/such/b.json: there is no folder"),
        ("--output=tests", "--output=tests is a folder, not a file"),
        ("--workdir=/no/such", "--workdir=/no/such: there is no such folder"),
        ("--batch_size=2", "--batch_size=2 is for --what=train"),
        ("faster", "unexpected argument 'faster'"),
    ],
)
def test_mistakes_are_named_at_once(argument, message):
    command = [sys.executable, "-m", "experiments.benchmark.__main__", argument]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1 and message in done.stderr
    assert "Traceback" not in done.stderr


def test_parts_of_a_batch_need_less_memory():
    """A third of the memory is the state and the batch. What --remat saves cannot be
    seen here: XLA's compiler for the CPU merges what was to be computed again."""

    def planned(**options):
        return memory.planned_bytes((64, 32), 16, "stage I", 0.05, **options)

    assert planned(grad_accumulation=4) < 0.6 * planned()


def test_a_checkpoint_has_the_size_of_the_state(tmp_path):
    # Wide enough that the parts which are written twice, at times half a megabyte, and
    # the names of the arrays are little of it.
    report = checkpoint.measure(tmp_path, scale=0.08, repeats=2)
    size, *seconds = report.series
    # Weights and two moments in float32; random bits do not compress by much.
    want = report.facts["parameters"] * 3 * 4 / 2**30
    assert 0.9 * want < size.values[0] < 1.1 * want
    assert all(len(s.values) == 2 and min(s.values) > 0 for s in seconds)
