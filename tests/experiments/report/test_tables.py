"""Differences of runs on the same pairs."""

import dataclasses
import pathlib

import numpy as np
import pytest

from experiments.evaluate import pairs_csv, statistics
from experiments.report import figures, report, tables
from experiments.report.evaluated_run import Run


def a_run(names, **scores):
    definitions = {
        "ssim_pg2": "of pairs; higher is better",
        "l1": "of pairs; lower is better",
        "body_gradient": "of pairs; nearer to 1 is better",
    }
    arrays = {name: np.array(values, float) for name, values in scores.items()}
    return Run(
        name="a run",
        folder=pathlib.Path("runs/a"),
        content={"metrics": {"refined": {}}, "definitions": definitions},
        stored={},
        scores=pairs_csv.ScoredPairs(names, {"refined": arrays}),
        history=[],
    )


def test_differences_are_those_of_the_same_pairs():
    names = [("a.jpg", "b.jpg"), ("b.jpg", "a.jpg"), ("c.jpg", "d.jpg")]
    mine = a_run(names, ssim_pg2=[0.5, 0.6, 0.9], l1=[3.0, np.nan, 5.0])
    its = a_run(names[::-1], ssim_pg2=[0.5, 0.5, 0.5], l1=[7.0, 1.0, 4.0])
    found = tables.compare(mine, "refined", its, "refined")
    # Minus 0.5, 0.5, 0.5: 0, 0.1, 0.4; a tie is not better.
    ssim = found["ssim_pg2"]
    np.testing.assert_allclose(ssim.mean, 0.5 / 3)
    assert (ssim.better, ssim.pairs) == (2 / 3, 3)
    (interval,) = statistics.intervals([np.array([0.0, 0.1, 0.4])])
    np.testing.assert_allclose(ssim.interval, interval)
    # 3 - 4 and 5 - 7; lower is better.
    l1 = found["l1"]
    assert (l1.mean, l1.better, l1.pairs, l1.verdict) == (-1.5, 1.0, 2, "better")


def scored(name, pairs, **means):
    """A run of pairs a, b, ... with these means of l1 for its kinds of images."""
    names = [(f"{x}.jpg", "t.jpg") for x in pairs]
    run = a_run(names, l1=np.ones(len(names)))
    metrics = {
        kind.replace("_", " "): {"l1": {"mean": mean}} for kind, mean in means.items()
    }
    run.content.update(metrics=metrics, image_size="8x4", pairs=len(names))
    return dataclasses.replace(run, name=name)


def test_bold_is_chosen_among_runs_of_the_same_pairs_and_their_copy():
    runs = [
        scored("a", "xy", copy_of_source=1.0, coarse=3.0, refined=2.0),
        scored("b", "xy", copy_of_source=1.0, refined=1.5),
        scored("c", "z", copy_of_source=0.9, refined=0.1),
        scored("d", "v", refined=0.05),
    ]
    (row,) = tables.scores(runs)
    best = {
        (runs[c.run].name, c.kind): wins
        for c, wins in zip(tables.columns(runs), row["best"], strict=True)
    }
    assert best == {
        ("a", "copy of source"): True,
        ("a", "coarse"): False,
        ("a", "refined"): False,
        ("b", "refined"): False,
        ("c", "copy of source"): False,
        ("c", "refined"): True,
        # Alone it beats nobody.
        ("d", "refined"): False,
    }


def test_copies_of_several_data_sets_have_lines_of_their_own():
    runs = [
        scored("a", "xy", copy_of_source=1.0, refined=2.0),
        scored("b", "z", copy_of_source=1.0, refined=1.5),
    ]
    styles = [style for _, style in figures.legend(runs, tables.columns(runs)).values()]
    assert styles == ["run-0 dotted", "run-0", "run-1 dotted", "run-1"]
    one = figures.legend(runs[:1], tables.columns(runs[:1]))
    assert [style for _, style in one.values()] == ["copy", "run-0"]


def test_names_break_after_their_signs_only():
    text = report._breakable("a_<b>/c-d.png")
    assert text == "a_<wbr>&lt;b&gt;/<wbr>c-<wbr>d.<wbr>png"


def test_nearer_to_1_is_better():
    names = [(f"{i}.jpg", "t.jpg") for i in range(4)]
    mine = a_run(names, body_gradient=[0.9, 1.2, 1.0, np.nan])
    its = a_run(names, body_gradient=[1.3, 0.7, 1.5, 1.0])
    found = tables.compare(mine, "refined", its, "refined")["body_gradient"]
    # -0.4, 0.5, -0.5, though each is nearer by 0.2, 0.1, 0.5.
    np.testing.assert_allclose(found.mean, -0.4 / 3)
    assert found.interval[0] < 0 < found.interval[1]
    assert (found.better, found.pairs, found.verdict) == (1.0, 3, "better")
    back = tables.compare(its, "refined", mine, "refined")["body_gradient"]
    assert (back.better, back.verdict) == (0.0, "worse")


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.1, "better"), (-0.1, "worse"), (0.0, "")]
)
def test_a_verdict_takes_an_interval_without_zero(shift, verdict):
    names = [(f"{i}.jpg", "t.jpg") for i in range(40)]
    noise = np.tile([-0.05, 0.05], 20)
    mine = a_run(names, ssim_pg2=0.5 + shift + noise)
    its = a_run(names, ssim_pg2=np.full(40, 0.5))
    found = tables.compare(mine, "refined", its, "refined")
    assert found["ssim_pg2"].verdict == verdict
