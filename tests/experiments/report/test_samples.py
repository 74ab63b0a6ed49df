"""Which pairs are shown."""

import numpy as np

from experiments import pictures
from experiments.report import samples
from pg2_jax.metrics import direction


def test_best_median_and_worst_do_not_overlap():
    values = np.array([0.5, np.nan, 0.9, 0.1, 0.7, 0.3, np.inf, 0.2])
    expected = {"best": [2, 4], "median": [0, 5], "worst": [3, 7]}
    assert samples.best_and_worst(values, direction.HIGHER) == expected
    lower = samples.best_and_worst(values, direction.LOWER)
    assert lower == {"best": [3, 7], "median": [5, 0], "worst": [2, 4]}
    near = samples.best_and_worst(values + 0.42, direction.NEAR_1)
    assert near == {"best": [0, 4], "median": [5, 2], "worst": [3, 7]}


def test_at_most_twenty_pairs_are_the_best():
    groups = samples.best_and_worst(np.arange(1000.0), direction.HIGHER)
    assert groups["best"] == list(range(999, 979, -1))
    assert groups["median"] == list(range(509, 489, -1))
    assert groups["worst"] == list(range(20))


def test_a_spread_has_both_ends():
    assert sorted(pictures.spread_rows(10, 4)) == [0, 3, 6, 9]
    assert sorted(pictures.spread_rows(3, 9)) == [0, 1, 2]
    assert sorted(pictures.spread_rows(9, 0)) == []
