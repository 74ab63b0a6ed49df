"""Parts of the pairs: by pose difference, person and view."""

import numpy as np

from experiments.report import data_pairs, figures, report
from tests.experiments.report.test_tables import a_run


def test_bins_of_the_pose_difference():
    differences = np.array([0.0, 0.05, 0.5, 1.0, np.nan, 0.95])
    scores = np.array([1.0, 3.0, 5.0, 7.0, 100.0, 9.0])
    dots = figures.binned(scores, differences)
    assert [(dot.pairs, dot.y) for dot in dots] == [(2, 2), (1, 5), (2, 8)]
    # The middles of bins from 0, 0.5 and 0.9 on.
    np.testing.assert_allclose([dot.x for dot in dots], [0.05, 0.55, 0.95])
    np.testing.assert_array_equal([dot.low for dot in dots], [1, np.nan, 7])
    np.testing.assert_array_equal([dot.high for dot in dots], [3, np.nan, 9])
    assert figures.binned(scores * np.nan, scores) == []


def test_people_from_the_worst_to_the_best():
    scores = np.array([0.9, 0.1, 0.3, np.nan, 0.5])
    found = report.by_name(scores, ["x", "y", "x", "z", "y"])
    assert [(name, part.pairs) for name, part in found.items()] == [("y", 2), ("x", 2)]
    np.testing.assert_allclose([part.mean for part in found.values()], [0.3, 0.6])


def test_views_of_source_and_target():
    run = a_run([(x, "t") for x in "abcd"], l1=[1.0, 2.0, 4.0, 9.0])
    views = ("front to front", "front to back", "front to back", "")
    pairs = {
        key: data_pairs.Pair("x", None, view)
        for key, view in zip(run.keys, views, strict=True)
    }
    found = report.parts([run], {0: pairs}, "l1")["views"][0]
    assert {name: (part.pairs, part.mean) for name, part in found.items()} == {
        "front to front": (1, 1.0),
        "front to back": (2, 3.0),
    }


def test_a_run_on_other_pairs_has_no_people_and_views():
    run = a_run([("a", "t")], l1=[1.0])
    pairs = {"another": data_pairs.Pair("x", None, "front to back")}
    found = report.parts([run], {0: pairs}, "l1")
    assert found["people"] == found["views"] == found["pairs_of_people"] == {}
