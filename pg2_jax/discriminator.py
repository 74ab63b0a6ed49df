"""The discriminator D: DCGAN's, with 5x5 convolutions (paper, section 3.3)."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax.cpu_convolution import convolve


class Discriminator(nn.Module):
    """D: DCGAN's discriminator with 5x5 convolutions (section 3.3).

    Attributes:
        base_channels: channels of the first convolution; they double up to 8 times.
        layers: N - 1 convolutions of stride 2, so that 8 rows are left.
        dtype: what convolutions compute in; batch norm and logits are float32.
    """

    base_channels: int
    layers: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[B, H, W, 3 or 6] in [-1, 1] -> [B] logits, positive for "real".

        All images of a step go through one call, because they share the statistics
        of the batch norm.
        """
        init = _uniform_std(0.02)
        x = images
        for i in range(self.layers):
            conv = nn.Conv(
                self.base_channels * min(2**i, 8),
                (5, 5),
                strides=2,
                padding="SAME",
                dtype=self.dtype,
                kernel_init=init,
                conv_general_dilated=convolve,
                name=f"conv{i}",
            )
            x = conv(x).astype(jnp.float32)
            if i > 0:
                x = BatchNorm(name=f"norm{i}")(x)
            x = nn.leaky_relu(x, 0.2)
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=init, name="logit")(x)[:, 0]


class BatchNorm(nn.Module):
    """Normalizes by the statistics of the batch at hand, always.

    The released code never uses running averages, and D is not needed after training,
    so there is no state to keep (which nn.BatchNorm would insist on).
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H, W, C], mean 0 and variance 1 before the affine map."""
        channels = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, channels)
        offset = self.param("offset", nn.initializers.zeros, channels)
        mean = jnp.mean(x, axis=(0, 1, 2), keepdims=True)
        variance = jnp.mean(jnp.square(x - mean), axis=(0, 1, 2), keepdims=True)
        gain = scale.reshape(1, 1, 1, -1) * jax.lax.rsqrt(variance + 1e-5)
        return (x - mean) * gain + offset.reshape(1, 1, 1, -1)


@functools.cache
def _uniform_std(std: float) -> nn.initializers.Initializer:
    """Uniform with the given standard deviation, as the released code draws D."""
    bound = std * math.sqrt(3.0)

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init
