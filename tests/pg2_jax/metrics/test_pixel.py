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


def test_body_on_black():
    image = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    mask = np.array([[[[1.0], [0.0]], [[0.0], [1.0]]]], np.float32)
    want = [[[[0, 1, 2], [0, 0, 0]], [[0, 0, 0], [9, 10, 11]]]]
    painted = pixel.body_on_black(image, mask)
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, want)
