"""SSIM against scikit-image and against the figures of the authors' programs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax.metrics import pixel, ssim

SIZES = ["128x64", "256x256"]
GAUSS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def smooth_images(seed, shape):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, shape).astype(np.float64)
    for axis in (1, 2):
        images = (images + np.roll(images, 1, axis) + np.roll(images, 2, axis)) / 3
    return images.astype(np.uint8)


def make_pair(shape, contrast=1, seed=0):
    """A target of this contrast (1 is full) and the same with noise."""
    target = smooth_images(seed, shape) // contrast
    noise = np.random.default_rng(seed + 1).integers(-20, 21, target.shape)
    return np.clip(target + noise, 0, 255).astype(np.uint8), target


def scikit_image(generated, target, data_range=255, **settings):
    """structural_similarity of each pair; data_range may depend on the image."""
    metrics = pytest.importorskip("skimage.metrics")
    if not callable(data_range):
        data_range = functools.partial(lambda value, image: value, data_range)
    return [
        metrics.structural_similarity(
            t, g, channel_axis=2, data_range=data_range(g), **settings
        )
        for t, g in zip(target, generated, strict=True)
    ]


def value_range(image):
    return float(image.max()) - float(image.min())


@pytest.mark.parametrize("contrast", [1, 8, 255])
def test_ssim_pg2_equals_scikit_image(contrast):
    generated, target = make_pair((3, 32, 20, 3), contrast)
    want = scikit_image(generated, target)
    np.testing.assert_allclose(ssim.ssim_pg2(generated, target), want, atol=1e-6)


@pytest.mark.parametrize("contrast", [1, 8, 255])
def test_ssim_gauss_equals_scikit_image(contrast):
    generated, target = make_pair((3, 32, 20, 3), contrast)
    want = scikit_image(generated, target, value_range, **GAUSS)
    np.testing.assert_allclose(ssim.ssim_gauss(generated, target), want, atol=1e-6)


@pytest.mark.parametrize("level", [2, 250])
def test_ssim_gauss_is_exact_on_bright_images_of_low_contrast(level):
    # With data_range 3 the constants are so small that float32 moments about zero
    # would give a difference of 0.2.
    rng = np.random.default_rng(0)
    generated = (level + rng.integers(0, 4, (2, 40, 30, 3))).astype(np.uint8)
    target = smooth_images(1, generated.shape)
    target[:, 10:] = 255
    generated[:, 15:30] = level
    want = scikit_image(generated, target, value_range, **GAUSS)
    np.testing.assert_allclose(ssim.ssim_gauss(generated, target), want, atol=1e-5)


@pytest.mark.parametrize("contrast", [1, 255])
def test_ssim_win51_equals_scikit_image_on_images_from_zero_to_one(contrast):
    generated, target = make_pair((2, 60, 52, 3), contrast)
    want = scikit_image(generated / 255, target / 255, 1, win_size=51)
    np.testing.assert_allclose(ssim.ssim_win51(generated, target), want, atol=1e-6)


def test_ssim_gauss_padded_equals_scikit_image_on_white_borders():
    generated, target = make_pair((1, 256, 176, 3))
    generated = generated // 2
    sides = ((0, 0), (0, 0), (40, 40), (0, 0))
    wide = [np.pad(image, sides, constant_values=255) for image in (generated, target)]
    assert wide[0].shape == (1, 256, 256, 3)
    want = scikit_image(*wide, value_range, **GAUSS)
    got = ssim.ssim_gauss_padded(generated, target)
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert got[0] > ssim.ssim_gauss(generated, target)[0] + 0.01


@pytest.mark.parametrize("metric", [ssim.ssim_pg2, ssim.ssim_gauss, ssim.ssim_win51])
def test_ssim_of_equal_images_is_one(metric):
    image = smooth_images(3, (2, 56, 51, 3))
    np.testing.assert_allclose(metric(image, image), [1, 1], atol=1e-6)


def test_ssim_of_images_of_one_colour():
    grey, white = (np.full((1, 56, 51, 3), level, np.uint8) for level in (100, 255))
    # By hand: no covariance, so that the luminance alone is left.
    c1 = (0.01 * 255) ** 2
    want = (2 * 100 * 255 + c1) / (100**2 + 255**2 + c1)
    for metric in (ssim.ssim_pg2, ssim.ssim_win51):
        np.testing.assert_allclose(metric(grey, white), [want], rtol=1e-6)
        np.testing.assert_allclose(metric(grey, grey), [1])
    photo = smooth_images(0, grey.shape)
    for target in (grey, white, photo):
        assert np.isnan(ssim.ssim_gauss(grey, target)).all()
    # The other way round the data range is that of the photo.
    want = scikit_image(photo, white, value_range, **GAUSS)
    np.testing.assert_allclose(ssim.ssim_gauss(photo, white), want, atol=1e-6)


def test_the_batch_does_not_mix():
    generated, target = make_pair((5, 52, 53, 3))
    for metric in (ssim.ssim_pg2, ssim.ssim_gauss, ssim.ssim_win51):
        alone = [metric(generated[i : i + 1], target[i : i + 1])[0] for i in range(5)]
        together = jax.jit(lambda g, t, metric=metric: metric(g, t))(generated, target)
        np.testing.assert_allclose(together, alone, atol=1e-6)
        assert np.ptp(alone) > 1e-4


@pytest.mark.parametrize("size", SIZES)
def test_figures_of_the_authors_programs(golden, size):
    data = np.load(golden / "metrics_golden.npz")
    target, generated = data[f"target_{size}"], data[f"generated_{size}"]
    mask = data[f"mask_{size}"][..., None] // 255
    bodies = [pixel.body_on_black(image, mask) for image in (generated, target)]
    for name, metric in {
        "ssim": ssim.ssim_pg2,
        "psnr": pixel.psnr,
        "l1": pixel.l1,
        "l2": pixel.l2,
    }.items():
        got = metric(generated, target)
        np.testing.assert_allclose(got, data[f"{name}_{size}"], rtol=1e-5)
        got = metric(*bodies)
        np.testing.assert_allclose(got, data[f"mask_{name}_{size}"], rtol=1e-5)
    for name, metric in (("patn", ssim.ssim_gauss), ("gfla", ssim.ssim_win51)):
        got = metric(generated, target)
        np.testing.assert_allclose(got, data[f"ssim_{name}_{size}"], atol=1e-5)


@pytest.mark.parametrize(
    ("metric", "window"),
    [(ssim.ssim_pg2, 7), (ssim.ssim_gauss, 11), (ssim.ssim_win51, 51)],
)
def test_ssim_refuses_floats_and_images_smaller_than_the_window(metric, window):
    with pytest.raises(ValueError, match="uint8 images, got float32"):
        metric(jnp.zeros((1, 60, 60, 3)), jnp.zeros((1, 60, 60, 3)))
    small = jnp.zeros((1, window - 1, 60, 3), jnp.uint8)
    message = f"at least {window}x{window} pixels, got {window - 1}x60"
    with pytest.raises(ValueError, match=message):
        metric(small, small)


def test_ssim_gauss_padded_refuses_other_sizes():
    image = jnp.zeros((1, 256, 256, 3), jnp.uint8)
    with pytest.raises(ValueError, match="images of 256x176 pixels, got 256x256"):
        ssim.ssim_gauss_padded(image, image)
