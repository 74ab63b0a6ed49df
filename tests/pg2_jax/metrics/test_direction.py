"""Which values of a metric are better."""

import numpy as np
import pytest

from pg2_jax.metrics import direction, suite


@pytest.mark.parametrize(
    ("one", "order"),
    [
        (direction.HIGHER, [2.5, 1.5, 0.75, 0.0]),
        (direction.LOWER, [0.0, 0.75, 1.5, 2.5]),
        (direction.NEAR_1, [0.75, 1.5, 0.0, 2.5]),
    ],
)
def test_merit_is_higher_where_values_are_better(one, order):
    values = np.array([0.0, 1.5, 0.75, 2.5])
    assert values[np.argsort(-one.merit(values))].tolist() == order
    assert max(values.tolist(), key=one.merit) == order[0]


def test_a_definition_says_its_direction():
    for metric in suite.METRICS.values():
        assert direction.of(metric.describe()) is metric.better
    metric = suite.Metric("half; and half", "", better=direction.NEAR_1)
    assert direction.of(metric.describe()) is direction.NEAR_1
