"""Eq. 1-4 by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import losses


def test_l1_counts_the_body_twice():
    target = jnp.zeros((1, 2, 2, 3))
    mask = jnp.array([1.0, 0.0, 0.0, 0.0]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(losses.l1(target + 1, target, mask), [5 / 4], rtol=1e-6)


def test_l1_without_a_mask_is_the_plain_mean():
    target = jnp.zeros((2, 2, 2, 3)).at[1, 0, 0, 0].set(6.0)
    np.testing.assert_allclose(
        losses.l1(target * 0, target, None), [0, 6 / 12], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("target", "mask", "message"),
    [
        ((1, 2, 2, 1), (1, 2, 2, 1), "one shape"),
        ((1, 2, 2, 3), (1, 2, 2, 3), r"mask: expected shape \(1, 2, 2, 1\)"),
    ],
)
def test_shapes_that_would_broadcast_are_refused(target, mask, message):
    with pytest.raises(ValueError, match=message):
        losses.l1(jnp.zeros((1, 2, 2, 3)), jnp.zeros(target), jnp.zeros(mask))


def bce(logit, label):
    probability = 1 / (1 + math.exp(-logit))
    return -math.log(probability if label else 1 - probability)


def test_binary_cross_entropy():
    logits = jnp.array([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(
        losses.cross_entropy(logits, 1.0), [bce(x, 1) for x in (-2, 0, 3)], rtol=1e-5
    )
    np.testing.assert_allclose(
        losses.cross_entropy(logits, 0.0), [bce(x, 0) for x in (-2, 0, 3)], rtol=1e-5
    )


def test_losses_stay_finite_for_huge_logits():
    logits = jnp.array([-1e4, 1e4])
    np.testing.assert_allclose(losses.cross_entropy(logits, 1.0), [1e4, 0], atol=1e-6)
    np.testing.assert_allclose(losses.cross_entropy(logits, 0.0), [0, 1e4], atol=1e-6)


def test_equations_two_and_four_and_the_released_triplet():
    target, refined, source = jnp.array([1.0]), jnp.array([-0.5]), jnp.array([0.3])
    np.testing.assert_allclose(
        losses.pair_discriminator_loss(target, refined),
        [bce(1, 1) + bce(-0.5, 0)],
        rtol=1e-5,
    )
    want = 0.5 * bce(1, 1) + 0.25 * bce(-0.5, 0) + 0.25 * bce(0.3, 0)
    np.testing.assert_allclose(
        losses.triplet_discriminator_loss(target, refined, source), [want], rtol=1e-5
    )
    got = losses.generator_loss(jnp.array([0.5]), jnp.array([0.25]), 10.0)
    np.testing.assert_allclose(got, [3.0])
