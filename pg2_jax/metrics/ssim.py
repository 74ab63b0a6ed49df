"""Structural similarity in the four forms that the field prints under one name.

Every form compares windows that lie inside both images, channel by channel, and
averages over windows and channels, as scikit-image's `structural_similarity` does. They
differ in window, covariance and data range, and their figures cannot be compared.

All take uint8 [B, H, W, 3] twice, at least as large as the window, and give float32 [B]
in [-1, 1], 1 for equal images.
"""

import jax
import jax.numpy as jnp

from pg2_jax.metrics import windows

PG2_WINDOW = 7  # pixels, side of the uniform window
LARGE_WINDOW = 51
GAUSS_WINDOW = windows.GAUSS_WINDOW

PADDED_FROM = (256, 176)  # height, width of DeepFashion's cropped photos
_PADDING = 40  # pixels on either side
WHITE, BLACK = 255, 0


@jax.jit
def ssim_pg2(generated: jax.Array, target: jax.Array) -> jax.Array:
    """The SSIM of PG2's score.py: scikit-image 0.13's default on uint8 RGB. Uniform 7x7
    windows, sample covariance, data range 255."""
    _check(generated, target, PG2_WINDOW, "ssim_pg2")
    return windows.uniform(generated, target, PG2_WINDOW)


@jax.jit
def ssim_win51(generated: jax.Array, target: jax.Array) -> jax.Array:
    """The SSIM of GFLA and of those that copied it: windows as large as a torso.
    Uniform 51x51 windows, sample covariance; data range 1 for images in [0, 1], which
    is 255 here."""
    _check(generated, target, LARGE_WINDOW, "ssim_win51")
    return windows.uniform(generated, target, LARGE_WINDOW)


@jax.jit
def ssim_gauss(generated: jax.Array, target: jax.Array) -> jax.Array:
    """The SSIM of Deformable GANs and PATN: Gaussian windows, a range that varies.

    Gaussian weights with sigma 1.5 (11x11 pixels), population covariance; the data
    range is the largest minus the smallest value of the generated image, so that a pale
    image is judged with smaller constants. NaN for a generated image of a single value:
    with the data range 0 the constants that keep SSIM from 0 / 0 vanish (scikit-image
    gives NaN or noise).
    """
    _check(generated, target, GAUSS_WINDOW, "ssim_gauss")
    values = generated.astype(jnp.float32)
    data_range = values.max(axis=(1, 2, 3)) - values.min(axis=(1, 2, 3))
    similarity = windows.gaussian(generated, target, data_range)
    return jnp.where(data_range > 0, similarity, jnp.nan)


@jax.jit
def ssim_gauss_padded(generated: jax.Array, target: jax.Array) -> jax.Array:
    """`ssim_gauss` of 256x176 images with 40 white columns on either side. PATN scores
    DeepFashion so: its photos are the middle of white 256x256 ones. The border is the
    same in both images and lifts the figure."""
    return ssim_gauss(pad(generated, WHITE), pad(target, WHITE))


def pad(image: jax.Array, value: int) -> jax.Array:
    """Adds 40 columns of one value on either side: [B, 256, 176, 3] -> [B, 256, 256,
    3]."""
    if image.shape[1:3] != PADDED_FROM:
        raise ValueError(
            "ssim_gauss_padded is defined for images of 256x176 pixels, got "
            f"{image.shape[1]}x{image.shape[2]}."
        )
    sides = ((0, 0), (0, 0), (_PADDING, _PADDING), (0, 0))
    return jnp.pad(image, sides, constant_values=value)


def _check(generated: jax.Array, target: jax.Array, window: int, name: str) -> None:
    if generated.dtype != jnp.uint8 or target.dtype != jnp.uint8:
        raise ValueError(
            f"{name} takes uint8 images, got {generated.dtype} and {target.dtype}."
        )
    if min(target.shape[1:3]) < window:
        raise ValueError(
            f"{name} needs images of at least {window}x{window} pixels, got "
            f"{target.shape[1]}x{target.shape[2]}."
        )
