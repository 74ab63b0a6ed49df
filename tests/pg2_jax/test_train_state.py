"""The optimizer of the paper and learning rates, step by step."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import train_state


def moves(optimizer, gradients):
    """The change of one weight at each step."""
    weight = jnp.zeros(())
    player = train_state.Player(params=weight, opt_state=optimizer.init(weight))
    weights = [0.0]
    for gradient in gradients:
        player = player.update(jnp.asarray(gradient), optimizer)
        weights.append(float(player.params))
    return np.diff(weights)


def adam(gradients, rates):
    """Adam with beta1 0.5, beta2 0.999 and epsilon 1e-8, in plain numbers."""
    first = second = 0.0
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        first, second = 0.5 * first + 0.5 * g, 0.999 * second + 0.001 * g * g
        mean, variance = first / (1 - 0.5**t), second / (1 - 0.999**t)
        yield -rate * mean / (math.sqrt(variance) + 1e-8)


def test_the_average_has_no_part_of_the_first_weights():
    average = train_state.average_of(jnp.asarray(100.0))
    assert float(average.params) == 100
    found = []
    for weight in (4.0, 8.0, 2.0):
        average = average.update(jnp.asarray(weight), 0.5)
        found.append(float(average.params))
    # Weights halve with age: (4), (8 + 4/2) / 1.5, (2 + 8/2 + 4/4) / 1.75.
    np.testing.assert_allclose(found, [4, 20 / 3, 4], rtol=1e-6)
    assert int(average.count) == 3


def test_a_player_averages_what_it_draws_with():
    optimizer = train_state.make_optimizer(1.0)
    weight = jnp.zeros(())
    state = optimizer.init(weight)
    plain = train_state.Player(params=weight, opt_state=state)
    kept = train_state.Player(weight, state, train_state.average_of(weight))
    for gradient in (1.0, -3.0):
        plain = plain.update(jnp.asarray(gradient), optimizer)
        before = kept
        kept = kept.update(jnp.asarray(gradient), optimizer, 0.75)
        assert kept.params == plain.params
    assert plain.drawing_params is plain.params
    # The older of two counts 3/4: (p2 + 0.75 p1) / 1.75.
    want = (kept.params + 0.75 * before.params) / 1.75
    np.testing.assert_allclose(kept.drawing_params, want, rtol=1e-6)


def test_other_weights_begin_a_new_average():
    optimizer = train_state.make_optimizer(1.0)
    weight = jnp.zeros(())
    kept = train_state.Player(
        weight, optimizer.init(weight), train_state.average_of(weight)
    ).update(jnp.ones(()), optimizer, 0.75)
    other = kept.with_weights(jnp.full((), 7.0))
    assert (float(other.params), float(other.drawing_params)) == (7, 7)
    assert int(other.average.count) == 0
    assert other.opt_state is kept.opt_state


GRADIENTS = [0.3, -1.5, 2.0, 0.01]


def test_adam_of_the_paper():
    got = moves(train_state.make_optimizer(1e-2), GRADIENTS)
    np.testing.assert_allclose(got, list(adam(GRADIENTS, [1e-2] * 4)), rtol=1e-3)


@pytest.mark.parametrize("steps", [3, 4])
def test_the_cosine_falls_to_zero(steps):
    rate = train_state.learning_rate(1e-2, decay="cosine", stage_steps=steps)
    got = moves(train_state.make_optimizer(rate), GRADIENTS)
    rates = [1e-2 * 0.5 * (1 + math.cos(math.pi * min(t / steps, 1))) for t in range(4)]
    want = list(adam(GRADIENTS, rates))
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-8)


def rates(count, **settings):
    rate = train_state.learning_rate(8.0, **settings)
    return [float(rate(step)) for step in range(count)]


def test_a_constant_rate_is_a_number():
    # A schedule would add a counter to the optimizer's memory: other checkpoints.
    assert train_state.learning_rate(8.0) == 8.0


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
