"""Parts of the pairs: by pose difference, person and view."""

import numpy as np

from experiments.report import figures, report


def test_bins_of_the_pose_difference():
    differences = np.array([0.0, 0.05, 0.5, 1.0, np.nan, 0.95])
    scores = np.array([1.0, 3.0, 5.0, 7.0, 100.0, 9.0])
    curve = figures.curve("a run", "run-0", scores, differences)
    assert list(zip(curve.counts, curve.y, strict=True)) == [(2, 2), (1, 5), (2, 8)]
    # The middles of bins from 0, 0.5 and 0.9 on.
    np.testing.assert_allclose(curve.x, [0.05, 0.55, 0.95])
    np.testing.assert_array_equal(curve.low, [1, np.nan, 7])
    np.testing.assert_array_equal(curve.high, [3, np.nan, 9])
    nothing = figures.curve("a run", "run-0", scores * np.nan, scores)
    assert len(nothing.x) == 0


def test_people_from_the_worst_to_the_best():
    scores = np.array([0.9, 0.1, 0.3, np.nan, 0.5])
    found = report.by_name(scores, ["x", "y", "x", "z", "y"])
    assert [(name, part.pairs) for name, part in found.items()] == [("y", 2), ("x", 2)]
    np.testing.assert_allclose([part.mean for part in found.values()], [0.3, 0.6])


def test_views_of_source_and_target():
    views = np.array([[0, 0], [0, 2], [0, 2], [-1, 2]])
    found = report.by_view(np.array([1.0, 2.0, 4.0, 9.0]), views)
    assert {k: (p.pairs, p.mean) for k, p in found.items()} == {
        (0, 0): (1, 1.0),
        (0, 2): (2, 3.0),
    }
