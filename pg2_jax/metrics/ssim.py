"""Structural similarity as PG2 computed it, exact and on the device."""

import jax
import jax.numpy as jnp

WINDOW = 7  # pixels, side of the uniform window


def ssim_pg2(generated: jax.Array, target: jax.Array) -> jax.Array:
    """The SSIM of PG2's score.py: scikit-image 0.13's default on uint8 RGB.

    Uniform 7x7 windows that lie inside the image, sample covariance, data range 255,
    the mean over windows and channels. Later papers print other variants under the
    same name; this one is called `ssim_pg2`.

    Args:
        generated: [B, H, W, 3] uint8.
        target: [B, H, W, 3] uint8.

    Returns:
        [B] float32 in [-1, 1], 1 for equal images.

    Raises:
        ValueError: images are not uint8, or smaller than the window.
    """
    if generated.dtype != jnp.uint8 or target.dtype != jnp.uint8:
        raise ValueError(
            f"ssim_pg2 takes uint8 images, got {generated.dtype} and {target.dtype}."
        )
    if min(target.shape[1:3]) < WINDOW:
        raise ValueError(
            f"ssim_pg2 needs images of at least {WINDOW}x{WINDOW} pixels, got "
            f"{target.shape[1]}x{target.shape[2]}."
        )
    x, y = generated.astype(jnp.int32), target.astype(jnp.int32)
    count = WINDOW * WINDOW
    sum_x, sum_y = _window_sum(x), _window_sum(y)
    # Scaled by count * (count - 1) the covariances are whole numbers below 2^31: exact,
    # where float32 would lose the difference of two large squares.
    var_x = count * _window_sum(x * x) - sum_x * sum_x
    var_y = count * _window_sum(y * y) - sum_y * sum_y
    covariance = count * _window_sum(x * y) - sum_x * sum_y
    scale = 1.0 / (count * (count - 1))
    mean_x, mean_y = sum_x / count, sum_y / count
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * scale * covariance + c2) / (scale * (var_x + var_y) + c2)
    return jnp.mean(luminance * structure, axis=(1, 2, 3))


def _window_sum(x: jax.Array) -> jax.Array:
    """Sums over the windows inside the image, rows first: [B, H-6, W-6, C]."""
    ones = (1, 1, 1, 1)
    for window in ((1, WINDOW, 1, 1), (1, 1, WINDOW, 1)):
        x = jax.lax.reduce_window(x, 0, jax.lax.add, window, ones, "VALID")
    return x


def masked_ssim_pg2(
    generated: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
    """`ssim_pg2` of both images with everything but the body painted black.

    As in PG2's score_mask.py the black background counts. The authors' program reads
    the source photo's mask by mistake; pass the target's unless you repeat theirs.

    Args:
        generated: [B, H, W, 3] uint8.
        target: [B, H, W, 3] uint8.
        mask: [B, H, W, 1] in {0, 1}.

    Returns:
        [B] float32 in [-1, 1].
    """
    body = mask.astype(jnp.uint8)
    return ssim_pg2(generated * body, target * body)
