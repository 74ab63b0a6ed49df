"""Conversion between stored images (uint8) and what the networks see ([-1, 1])."""

import jax
import jax.numpy as jnp


def from_uint8(image: jax.Array) -> jax.Array:
    """Scales uint8 [..., 3] in 0 .. 255 to float32 in [-1, 1]."""
    return image.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(image: jax.Array) -> jax.Array:
    """Clips float [..., 3] to [-1, 1] and rounds it to uint8 in 0 .. 255.

    The authors' test program truncates instead, which darkens by half a level.
    """
    return jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0)).astype(jnp.uint8)
