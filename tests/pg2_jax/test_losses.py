"""Eq. 1-4 by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import losses
from pg2_jax.metrics import ssim


def test_l1_counts_the_body_twice():
    target = jnp.zeros((1, 2, 2, 3))
    mask = jnp.array([1.0, 0.0, 0.0, 0.0]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(losses.l1(target + 1, target, mask), [5 / 4], rtol=1e-6)


def test_l1_without_a_body_is_the_plain_mean():
    target = jnp.zeros((2, 2, 2, 3)).at[1, 0, 0, 0].set(6.0)
    mask = jnp.zeros((2, 2, 2, 1))
    np.testing.assert_allclose(
        losses.l1(target * 0, target, mask), [0, 6 / 12], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("target", "mask", "message"),
    [
        ((1, 2, 2, 1), (1, 2, 2, 1), "one shape"),
        ((1, 2, 2, 3), (1, 2, 2, 3), r"mask: expected shape \(1, 2, 2, 1\)"),
    ],
)
@pytest.mark.parametrize("loss", [losses.l1, losses.dissimilarity])
def test_shapes_that_would_broadcast_are_refused(loss, target, mask, message):
    with pytest.raises(ValueError, match=message):
        loss(jnp.zeros((1, 2, 2, 3)), jnp.zeros(target), jnp.zeros(mask))


def similarity(x, y):
    """SSIM of one window of one channel in [-1, 1], by its definition."""
    x, y = x + 1, y + 1  # black is 0
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    alike = (2 * x.mean() * y.mean() + c1) * (2 * covariance + c2)
    return alike / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (x.var() + y.var() + c2))


def test_dissimilarity_is_that_of_each_window_and_counts_the_body_twice():
    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 1, (2, 2, 9, 8, 3))
    mask = random.integers(-1, 2, (2, 9, 8, 1)).astype(np.float32)
    seen = np.where(mask < 0, y, x)
    want = np.zeros((2, 3, 2, 3))
    for index in np.ndindex(want.shape):
        b, i, j, c = index
        window = b, slice(i, i + 7), slice(j, j + 7), c
        weight = 1 + mask[b, i + 3, j + 3, 0]
        want[index] = weight * (1 - similarity(seen[window], y[window]))
    arrays = (jnp.asarray(z, jnp.float32) for z in (x, y, mask))
    got = losses.dissimilarity(*arrays)
    np.testing.assert_allclose(got, want.mean(axis=(1, 2, 3)), rtol=1e-4)


def test_dissimilarity_is_the_metrics_on_photos():
    """But for the covariance: of all pixels here, of a sample there."""
    random = np.random.default_rng(0)
    target = random.integers(0, 256, (3, 24, 16, 3))
    noise = random.normal(0, 20, target.shape)
    generated = np.clip(np.round(0.8 * target + 30 + noise), 0, 255)
    photos = [x.astype(np.uint8) for x in (generated, target)]
    want = 1 - np.asarray(ssim.ssim_pg2(*photos))
    images = (jnp.asarray(x / 127.5 - 1, jnp.float32) for x in photos)
    got = losses.dissimilarity(*images, jnp.zeros((3, 24, 16, 1)))
    np.testing.assert_allclose(got, want, atol=1e-3)
    assert want.min() > 0.05


def test_dissimilarity_needs_a_window():
    images = jnp.zeros((1, 6, 8, 3)), jnp.zeros((1, 6, 8, 3))
    with pytest.raises(ValueError, match="at least 7x7 pixels, got 6x8"):
        losses.dissimilarity(*images, jnp.zeros((1, 6, 8, 1)))


def test_dissimilarity_has_a_gradient_where_images_are_flat_and_equal():
    flat = jnp.full((1, 8, 8, 3), 0.5)
    mask = jnp.zeros((1, 8, 8, 1))
    value, gradient = jax.value_and_grad(
        lambda x: losses.dissimilarity(x, flat, mask).sum()
    )(flat)
    np.testing.assert_allclose(value, 0.0, atol=1e-5)
    np.testing.assert_allclose(gradient, jnp.zeros_like(flat), atol=1e-4)


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


def test_the_hinge_loss_of_patches():
    real = jnp.array([[[2.0, 0.5]], [[-1.0, 1.0]]])
    fake = jnp.array([[[-3.0, -0.5]], [[1.0, 0.0]]])
    got = losses.hinge_discriminator_loss(real, fake)
    want = [(0 + 0.5) / 2 + (0 + 0.5) / 2, (2 + 0) / 2 + (2 + 1) / 2]
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_feature_matching_is_the_mean_over_layers():
    generated = [jnp.array([[1.0, 3.0], [0.0, 0.0]]), jnp.zeros((2, 1, 2))]
    target = [jnp.array([[0.0, 1.0], [0.0, 4.0]]), jnp.ones((2, 1, 2)) * 5]
    got = losses.feature_matching(generated, target)
    np.testing.assert_allclose(got, [(1.5 + 5) / 2, (2 + 5) / 2], rtol=1e-6)


def test_l1_leaves_out_where_nothing_is_asked():
    target = jnp.zeros((1, 2, 2, 3))
    mask = jnp.array([1.0, 0.0, -1.0, -1.0]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(losses.l1(target + 1, target, mask), [3 / 4], rtol=1e-6)
