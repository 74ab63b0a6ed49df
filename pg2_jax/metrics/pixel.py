"""Pixel distances between generated and target images."""

import jax
import jax.numpy as jnp


def l1(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Mean absolute difference (score.py's L1).

    Args:
        generated: [B, H, W, 3] uint8.
        target: [B, H, W, 3] uint8.

    Returns:
        [B] float32 in grey levels, 0 .. 255.
    """
    return _total(jnp.abs(_difference(generated, target))) / _values(target)


def l2(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Root of the summed squares, divided by the number of values (score.py's L2).

    As the authors coded it: neither a mean squared error nor its root, and smaller for
    larger images.

    Args:
        generated: [B, H, W, 3] uint8.
        target: [B, H, W, 3] uint8.

    Returns:
        [B] float32, 0 for equal images.
    """
    return jnp.sqrt(_squares(generated, target)) / _values(target)


def psnr(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Peak signal-to-noise ratio for the data range 255.

    Args:
        generated: [B, H, W, 3] uint8.
        target: [B, H, W, 3] uint8.

    Returns:
        [B] float32 in dB; infinite for equal images, as in scikit-image.
    """
    mean = _squares(generated, target) / _values(target)
    return 10 * jnp.log10(255.0**2 / mean)


def body_l1(generated: jax.Array, target: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean absolute difference over the pixels of the body alone.

    Unlike the masked L1 of score_mask.py, which divides by the whole image, the figure
    does not shrink with the body.

    Args:
        generated: [B, H, W, 3] uint8.
        target: [B, H, W, 3] uint8.
        mask: [B, H, W, 1] in {0, 1}.

    Returns:
        [B] float32 in grey levels, 0 .. 255; NaN where the mask is empty.
    """
    distance = jnp.abs(_difference(generated, target)) * mask.astype(jnp.int32)
    return _total(distance) / (3.0 * mask.sum(axis=(1, 2, 3)))


def body_on_black(image: jax.Array, mask: jax.Array) -> jax.Array:
    """Paints everything but the body black, as PG2's score_mask.py does.

    A masked metric is the metric of two such images: the black background counts.

    Args:
        image: [B, H, W, 3] uint8.
        mask: [B, H, W, 1] in {0, 1}.

    Returns:
        [B, H, W, 3] uint8.
    """
    return image * mask.astype(jnp.uint8)


def _difference(generated: jax.Array, target: jax.Array) -> jax.Array:
    return generated.astype(jnp.int32) - target.astype(jnp.int32)


def _squares(generated: jax.Array, target: jax.Array) -> jax.Array:
    return _total(jnp.square(_difference(generated, target)))


def _total(x: jax.Array) -> jax.Array:
    """Sums [B, H, W, 3] int32 to [B] float32: exactly along the rows, which have room
    for the squares of 11,000 pixels, and only then in floats."""
    return x.sum(axis=(2, 3)).astype(jnp.float32).sum(axis=1)


def _values(image: jax.Array) -> int:
    return image.shape[1] * image.shape[2] * image.shape[3]
