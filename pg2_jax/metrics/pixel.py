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
    return jnp.mean(_distance(generated, target), axis=(1, 2, 3))


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
    distance = _distance(generated, target) * mask
    return distance.sum(axis=(1, 2, 3)) / (3.0 * mask.sum(axis=(1, 2, 3)))


def _distance(generated: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.abs(generated.astype(jnp.float32) - target.astype(jnp.float32))
