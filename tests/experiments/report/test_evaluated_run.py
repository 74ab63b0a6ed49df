"""Reading the runs of a report: names, and what is refused."""

import json

import numpy as np
import pytest

from experiments.evaluate import pairs_csv, protocol, statistics
from experiments.report import evaluated_run

NAMES = [("a.jpg", "b.jpg"), ("b.jpg", "a.jpg")]


def write_run(folder, names=NAMES, **content):
    """An evaluated run of two pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = {"refined": {"ssim_pg2": np.linspace(0.2, 0.4, len(names))}}
    pairs_csv.write(folder / "pairs.csv", names, scores)
    facts = protocol.Facts("32x16", "none", {})
    whole = {
        "pairs": len(names),
        "image_size": "32x16",
        "data_dir": "data",
        "data": {"seed": 0},
        "definitions": statistics.DEFINITIONS,
        "metrics": statistics.records(scores, facts),
        **content,
    }
    (folder / "metrics.json").write_text(json.dumps(whole))
    return folder


def test_runs_have_the_shortest_names_that_differ(tmp_path):
    folders = [write_run(tmp_path / name) for name in ("a/run", "b/run", "c")]
    found = evaluated_run.read_all(",".join(map(str, folders)))
    assert [run.name for run in found] == ["a/run", "b/run", "c"]


def test_runs_can_be_named(tmp_path):
    first, second = write_run(tmp_path / "x=y"), write_run(tmp_path / "b")
    found = evaluated_run.read_all(
        f" ours, long = {first}, {second}".replace(" ours,", "")
    )
    assert [(run.name, run.folder) for run in found] == [
        ("long", first),
        ("b", second),
    ]
    assert evaluated_run.read_all(str(first))[0].name == "x=y"


def test_what_a_run_holds(tmp_path):
    (run,) = evaluated_run.read_all(str(write_run(tmp_path / "a")))
    assert run.final == "refined"
    assert run.keys == ["a__b", "b__a"]
    assert (run.stored, run.history, run.config) == ({}, [], {})


def remove_metrics(folder):
    (folder / "metrics.json").unlink()


def damage_metrics(folder):
    (folder / "metrics.json").write_text('{"pairs": 2,')


def list_metrics(folder):
    (folder / "metrics.json").write_text("[]")


def empty_metrics(folder):
    (folder / "metrics.json").write_text('{"pairs": 2}')


def damage_config(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe")


def add_a_pair(folder):
    with open(folder / "pairs.csv", "a") as file:
        file.write("c.jpg,d.jpg,refined,0.5\n")


def damage_history(folder):
    (folder / "history.jsonl").write_text("{\n")


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (remove_metrics, r"a has no metrics.json. Score it first: .*--workdir=\S+a$"),
        (damage_metrics, r"^--workdirs: .*a/metrics.json: not JSON: "),
        (list_metrics, r"a/metrics.json: not a JSON object"),
        (empty_metrics, r'a/metrics.json has no "metrics"; it is not what --mode='),
        (damage_config, r"a/config.json: not JSON: "),
        (add_a_pair, r"a/pairs.csv and metrics.json are of two .*: 3 .* and 2 "),
        (damage_history, r"a/history.jsonl, line 1: not JSON"),
    ],
)
def test_a_damaged_run_is_refused(tmp_path, breaks, message):
    folder = write_run(tmp_path / "a")
    breaks(folder)
    with pytest.raises(ValueError, match=message):
        evaluated_run.read_all(str(folder))


@pytest.mark.parametrize(
    ("workdirs", "message"),
    [
        (",", "--workdirs=, names no folder"),
        ("ours=", "--workdirs: ours= names no folder"),
        ("{0}/none", "there is no folder .*/none"),
        ("{0}/a,x={0}/../{1}/a", "names .*/a twice"),
        ("x={0}/a,x={0}/b", "gives two runs the name x"),
        (",".join(["{0}/a"] * 9), "names 9 runs; a report shows at most 8"),
    ],
)
def test_bad_lists_are_refused(tmp_path, workdirs, message):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    with pytest.raises(ValueError, match=message):
        evaluated_run.read_all(workdirs.format(tmp_path, tmp_path.name))


@pytest.mark.parametrize(
    ("content", "names", "message"),
    [
        ({}, NAMES[::-1], ""),
        ({"image_size": "64x32"}, NAMES, "images of 32x16 and of 64x32"),
        ({"data": {"seed": 1}, "data_dir": "old"}, NAMES, "another data set: data and"),
        (
            {"reader": "memory"},
            NAMES,
            "photos read with tf_data and with memory, which",
        ),
        ({}, [*NAMES, ("c", "d")], "other pairs: 2 and 3, of which 2 are the same"),
        ({"data": {"seed": 0}}, [("", "a__b.png"), ("", "b__a.png")], ""),
    ],
    ids=["order", "size", "data", "reader", "pairs", "another method"],
)
def test_what_can_be_compared(tmp_path, content, names, message):
    folders = write_run(tmp_path / "a"), write_run(tmp_path / "b", names, **content)
    first, second = evaluated_run.read_all(",".join(map(str, folders)))
    found = evaluated_run.not_comparable(first, second)
    assert found.startswith(message) and bool(found) == bool(message)


def test_pairs_that_repeat_in_another_order_cannot_be_compared(tmp_path):
    folder = write_run(tmp_path / "a", [*NAMES, NAMES[0]])
    other = write_run(tmp_path / "b", [NAMES[0], *NAMES])
    found = evaluated_run.read_all(f"{folder},{other}")
    assert "some pairs more than once" in evaluated_run.not_comparable(*found)


def test_a_run_without_scores_of_pairs_is_shown_and_not_compared(tmp_path):
    for name in "ab":
        write_run(tmp_path / name)
    (tmp_path / "b/pairs.csv").unlink()
    first, second = evaluated_run.read_all(f"{tmp_path}/a,{tmp_path}/b")
    assert second.keys == []
    assert (
        evaluated_run.not_comparable(first, second)
        == "no pairs.csv of b; evaluate again"
    )
