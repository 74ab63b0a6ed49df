"""SSIM against scikit-image and against the figures of the authors' programs."""

import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax.metrics import pixel, ssim

SIZES = ["128x64", "256x256"]


def smooth_images(seed, shape):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, shape).astype(np.float64)
    for axis in (1, 2):
        images = (images + np.roll(images, 1, axis) + np.roll(images, 2, axis)) / 3
    return images.astype(np.uint8)


@pytest.mark.parametrize("contrast", [1, 8, 255])
def test_ssim_pg2_equals_scikit_image(contrast):
    metrics = pytest.importorskip("skimage.metrics")
    target = smooth_images(0, (3, 32, 20, 3)) // contrast
    noise = np.random.default_rng(1).integers(-20, 21, target.shape)
    generated = np.clip(target + noise, 0, 255).astype(np.uint8)
    want = [
        metrics.structural_similarity(t, g, channel_axis=2, data_range=255)
        for t, g in zip(target, generated, strict=True)
    ]
    np.testing.assert_allclose(ssim.ssim_pg2(generated, target), want, atol=1e-6)


def test_ssim_of_equal_images_is_one():
    image = smooth_images(3, (2, 16, 16, 3))
    np.testing.assert_allclose(ssim.ssim_pg2(image, image), [1, 1], atol=1e-7)


@pytest.mark.parametrize("size", SIZES)
def test_figures_of_the_authors_programs(golden, size):
    data = np.load(golden / "metrics_golden.npz")
    target, generated = data[f"target_{size}"], data[f"generated_{size}"]
    mask = data[f"mask_{size}"][..., None] // 255
    got = ssim.ssim_pg2(generated, target)
    np.testing.assert_allclose(got, data[f"ssim_{size}"], atol=1e-5)
    got = ssim.masked_ssim_pg2(generated, target, mask)
    np.testing.assert_allclose(got, data[f"mask_ssim_{size}"], atol=1e-5)
    got = pixel.l1(generated, target)
    np.testing.assert_allclose(got, data[f"l1_{size}"], rtol=1e-5)


def test_body_l1_counts_the_body_alone():
    target = np.full((2, 8, 8, 3), 100, np.uint8)
    generated = np.full((2, 8, 8, 3), 90, np.uint8)
    generated[0, 0, 0] = (100, 103, 112)
    mask = np.zeros((2, 8, 8, 1), np.float32)
    mask[0, 0, 0] = 1
    np.testing.assert_allclose(pixel.body_l1(generated, target, mask), [5, np.nan])


def test_ssim_refuses_floats_and_tiny_images():
    with pytest.raises(ValueError, match="uint8 images, got float32"):
        ssim.ssim_pg2(jnp.zeros((1, 8, 8, 3)), jnp.zeros((1, 8, 8, 3)))
    tiny = jnp.zeros((1, 6, 8, 3), jnp.uint8)
    with pytest.raises(ValueError, match="at least 7x7 pixels, got 6x8"):
        ssim.ssim_pg2(tiny, tiny)
