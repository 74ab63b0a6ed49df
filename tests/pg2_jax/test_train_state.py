"""The optimizer of the paper, step by step."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import schedules, train_state


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


GRADIENTS = [0.3, -1.5, 2.0, 0.01]


def test_adam_of_the_paper():
    got = moves(train_state.make_optimizer(1e-2), GRADIENTS)
    np.testing.assert_allclose(got, list(adam(GRADIENTS, [1e-2] * 4)), rtol=1e-3)


@pytest.mark.parametrize("steps", [3, 4])
def test_the_cosine_falls_to_zero(steps):
    rate = schedules.learning_rate(1e-2, decay="cosine", stage_steps=steps)
    got = moves(train_state.make_optimizer(rate), GRADIENTS)
    rates = [1e-2 * 0.5 * (1 + math.cos(math.pi * min(t / steps, 1))) for t in range(4)]
    want = list(adam(GRADIENTS, rates))
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-8)
