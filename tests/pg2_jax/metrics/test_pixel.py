"""Pixel distances, by hand and against scikit-image."""

import numpy as np
import pytest

from pg2_jax.metrics import pixel


def make_pair():
    target = np.full((2, 8, 4, 3), 100, np.uint8)
    generated = target.copy()
    generated[0, 0, 0] = (100, 103, 96)
    generated[1] = 90
    return generated, target


def test_distances_by_hand():
    generated, target = make_pair()
    values = 8 * 4 * 3
    np.testing.assert_allclose(pixel.l1(generated, target), [7 / values, 10])
    want = [5 / values, np.sqrt(values * 100) / values]
    np.testing.assert_allclose(pixel.l2(generated, target), want, rtol=1e-6)
    want = 10 * np.log10(255**2 / np.array([25 / values, 100]))
    np.testing.assert_allclose(pixel.psnr(generated, target), want, rtol=1e-6)


def test_distances_of_black_and_white():
    # The sum of the squares is beyond 2^31.
    black = np.zeros((1, 256, 256, 3), np.uint8)
    white = np.full_like(black, 255)
    np.testing.assert_allclose(pixel.l1(black, white), [255])
    np.testing.assert_allclose(pixel.psnr(white, black), [0], atol=1e-6)
    want = [255 / np.sqrt(256 * 256 * 3)]
    np.testing.assert_allclose(pixel.l2(black, white), want, rtol=1e-6)


def test_psnr_equals_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    target, generated = rng.integers(0, 256, (2, 3, 30, 20, 3)).astype(np.uint8)
    want = [
        metrics.peak_signal_noise_ratio(t, g, data_range=255)
        for t, g in zip(target, generated, strict=True)
    ]
    np.testing.assert_allclose(pixel.psnr(generated, target), want, rtol=1e-6)


def test_psnr_of_equal_images_is_infinite():
    assert pixel.psnr(*[make_pair()[1]] * 2).tolist() == [np.inf, np.inf]


def test_body_l1_counts_the_body_alone():
    target = np.full((2, 8, 8, 3), 100, np.uint8)
    generated = np.full((2, 8, 8, 3), 90, np.uint8)
    generated[0, 0, 0] = (100, 103, 112)
    mask = np.zeros((2, 8, 8, 1), np.float32)
    mask[0, 0, 0] = 1
    np.testing.assert_allclose(pixel.body_l1(generated, target, mask), [5, np.nan])


def gradients(generated, target, mask):
    return np.asarray(pixel.body_gradient(generated, target, mask))


def test_body_gradient_is_a_share_of_the_targets():
    checkers = np.indices((8, 4)).sum(axis=0) % 2
    target = np.broadcast_to(checkers[None, :, :, None] * 200, (5, 8, 4, 3))
    target = target.astype(np.uint8)
    generated = target.copy()
    generated[1] = target[1] // 2 + 50  # Half the contrast.
    generated[2] = 100  # The blur of all.
    generated[3] = checkers[:, :, None] * 250
    generated[4] = 255 - target[4]  # Sharp, if wrong.
    mask = np.ones((5, 8, 4, 1), np.float32)
    want = [1, 0.5, 0, 1.25, 1]
    np.testing.assert_allclose(gradients(generated, target, mask), want)
    # A column of 2 and a row of 3 in one channel: 2 differences down, 1 across.
    target, generated = np.zeros((2, 1, 3, 3, 3), np.uint8)
    target[0, 0, :, 1], generated[0, 0, :, 1] = (0, 10, 30), (5, 0, 1)
    mask = np.zeros((1, 3, 3, 1), np.uint8)
    mask[0, 0] = 1
    want = [(5 + 1) / (10 + 20)]
    np.testing.assert_allclose(gradients(generated, target, mask), want)
    mask[0, 1, 1] = 1  # The difference of 10 and 0 down, and of 0 and 0.
    want = [(5 + 1 + 0) / (10 + 20 + 10)]
    np.testing.assert_allclose(gradients(generated, target, mask), want)


def test_the_outline_of_the_body_has_no_gradient():
    rng = np.random.default_rng(0)
    generated, target = rng.integers(0, 256, (2, 1, 8, 6, 3)).astype(np.uint8)
    mask = np.zeros((1, 8, 6, 1), np.float32)
    mask[:, 2:6, 1:4] = 1

    def total(image):
        body = image[0, 2:6, 1:4].astype(int)
        return sum(np.abs(np.diff(body, axis=axis)).sum() for axis in (0, 1))

    want = [total(generated) / total(target)]
    np.testing.assert_allclose(gradients(generated, target, mask), want, rtol=1e-6)
    outside = np.where(mask, generated, 0).astype(np.uint8)
    np.testing.assert_allclose(gradients(outside, target, mask), want, rtol=1e-6)


def test_flat_targets_have_no_body_gradient():
    rng = np.random.default_rng(0)
    generated, target = rng.integers(0, 256, (2, 3, 8, 6, 3)).astype(np.uint8)
    mask = np.ones((3, 8, 6, 1), np.float32)
    target[0], mask[1], mask[2] = 7, 0, np.indices((8, 6)).sum(axis=0)[..., None] % 2
    assert np.isnan(gradients(generated, target, mask)).all()


def test_body_on_black():
    image = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    mask = np.array([[[[1.0], [0.0]], [[0.0], [1.0]]]], np.float32)
    want = [[[[0, 1, 2], [0, 0, 0]], [[0, 0, 0], [9, 10, 11]]]]
    painted = pixel.body_on_black(image, mask)
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, want)
