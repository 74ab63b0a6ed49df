"""What G1 and G2 are made of."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax.cpu_convolution import convolve

# Of all weights of G1 and G2.
GLOROT = nn.initializers.xavier_uniform()


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and the identity; no ReLU after the sum."""

    features: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, features] -> [B, H, W, features]."""
        return x + ConvBlock(self.features, self.dtype, name="convolutions")(x)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with ReLU."""

    features: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H, W, features]."""
        for name in ("conv0", "conv1"):
            x = nn.relu(conv(self.features, 3, self.dtype, name=name)(x))
        return x


def conv(
    features: int, size: int, dtype: jnp.dtype, *, name: str, stride: int = 1
) -> nn.Conv:
    """A convolution as G1 and G2 use it."""
    return nn.Conv(
        features,
        (size, size),
        strides=stride,
        padding="SAME",
        dtype=dtype,
        kernel_init=GLOROT,
        conv_general_dilated=convolve,
        name=name,
    )


def rgb(x: jax.Array) -> jax.Array:
    """The last convolution, [B, H, W, C] -> [B, H, W, 3]; in float32, because 8 bits
    of precision would show in the image."""
    return conv(3, 3, jnp.dtype("float32"), name="rgb")(x)


def upsample(x: jax.Array, like: jax.Array) -> jax.Array:
    """Nearest-neighbour enlargement by 2, the inverse of a halving.

    Half of an odd side is rounded up, so that enlarging gives one row too many, which
    is cut.

    Args:
        x: [B, ceil(H / 2), ceil(W / 2), C].
        like: [B, H, W, any], what was halved.

    Returns:
        [B, H, W, C].
    """
    batch, height, width, channels = x.shape
    x = x[:, :, None, :, None, :]
    x = jnp.broadcast_to(x, (batch, height, 2, width, 2, channels))
    x = x.reshape(batch, 2 * height, 2 * width, channels)
    return x[:, : like.shape[1], : like.shape[2]]


def kept_small(block: Callable[..., nn.Module], remat: bool) -> Any:
    """A kind of block, whose inside a gradient may have to compute again."""
    return nn.remat(block) if remat else block
