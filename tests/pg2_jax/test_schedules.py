"""Learning rates, by hand."""

import numpy as np
import pytest

from pg2_jax import schedules


def rates(count, **settings):
    rate = schedules.learning_rate(8.0, **settings)
    return [float(rate(step)) for step in range(count)]


def test_a_constant_rate_is_a_number():
    # A schedule would add a counter to the optimizer's memory: other checkpoints.
    assert schedules.learning_rate(8.0) == 8.0


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        ({"decay": "halving", "halve_every": 2}, [8, 8, 4, 4, 2, 2]),
        ({"decay": "cosine", "stage_steps": 2}, [8, 4, 0, 0]),
        ({"warmup_steps": 3}, [2, 4, 6, 8, 8]),
        ({"decay": "cosine", "stage_steps": 3, "warmup_steps": 1}, [4, 8, 4, 0, 0]),
        (
            {"decay": "halving", "halve_every": 1, "warmup_steps": 1},
            [4, 8, 4, 2],
        ),
        ({"decay": "cosine", "stage_steps": 1, "warmup_steps": 1}, [4, 8, 0]),
    ],
)
def test_rates_by_hand(settings, want):
    np.testing.assert_allclose(rates(len(want), **settings), want, atol=1e-6)
