"""The layers that the networks are made of, NHWC."""

import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from pg2_jax import cpu_convolution

# Of all weights of the generators.
GLOROT = nn.initializers.xavier_uniform()


class BatchNorm(nn.Module):
    """Normalizes by the statistics of the batch at hand, always: the released code
    never uses running averages, and so there is no state to keep."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H, W, C], mean 0 and variance 1 before the affine map."""
        channels = x.shape[-1:]
        scale = self.param("scale", nn.initializers.ones, channels)
        offset = self.param("offset", nn.initializers.zeros, channels)
        mean = jnp.mean(x, axis=(0, 1, 2), keepdims=True)
        variance = jnp.mean(jnp.square(x - mean), axis=(0, 1, 2), keepdims=True)
        gain = scale.reshape(1, 1, 1, -1) * lax.rsqrt(variance + 1e-5)
        return (x - mean) * gain + offset.reshape(1, 1, 1, -1)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and the identity; no ReLU after the sum."""

    features: int
    precision: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, features] -> [B, H, W, features]."""
        name = "convolutions"
        return x + ConvBlock(self.features, self.precision, name=name)(x)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with ReLU."""

    features: int
    precision: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H, W, features]."""
        for name in ("conv0", "conv1"):
            layer = conv(self.features, 3, self.precision, name=name)
            x = relu(layer(x))
        return x


def conv(
    features: int,
    size: int,
    precision: str,
    *,
    name: str,
    stride: int = 1,
    kernel_init: Any = GLOROT,
    convolve: Any = None,
) -> nn.Conv:
    """A convolution as the networks use it; on a CPU not always XLA's own. `convolve`,
    if given, computes it on all platforms."""
    if jax.default_backend() == "cpu":
        convolve = convolve or cpu_convolution.convolve
    return nn.Conv(
        features,
        (size, size),
        strides=stride,
        padding="SAME",
        dtype=jnp.dtype(precision),
        kernel_init=kernel_init,
        conv_general_dilated=convolve,
        name=name,
    )


def rounded_convolution(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Any, **_: Any
) -> jax.Array:
    """[B, H, W, C], [K, K, C, D] -> [B, H, W, D], all float32. What is multiplied is
    rounded to bfloat16, and the gradient by x is; sums and the gradient by the kernel
    are not.

    On a GPU, XLA widens a convolution of bfloat16 with a float32 result to float32,
    inputs and all, and twice the bytes move. Matrix products it leaves as they are: so
    it is one here, from the channels C to those of all places of the kernel, D of
    each, which are then added up; that pays where D is small. It has no forward-mode
    derivative.
    """
    assert padding == "SAME" and tuple(strides) == (1, 1), (padding, strides)
    return _rounded_convolution(x, kernel)


@jax.custom_vjp
def _rounded_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _and_rounded(x, kernel)[0]


def _and_rounded(
    x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # Where x was bfloat16 before it was cast for `nn.Conv`, XLA drops both casts.
    x, kernel = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    size, _, _, features = kernel.shape
    y = _product(x, _columns(kernel), ((3,), (0,)))
    before, after = (size - 1) // 2, size // 2
    padded = jnp.pad(y, ((0, 0), (before, after), (before, after), (0, 0)))
    height, width = x.shape[1:3]
    places = [(i, j) for i in range(size) for j in range(size)]
    parts = [
        padded[:, i : i + height, j : j + width, n * features : (n + 1) * features]
        for n, (i, j) in enumerate(places)
    ]
    return functools.reduce(jnp.add, parts), (x, kernel)


def _rounded_gradients(
    rounded: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = rounded
    size, _, channels, features = kernel.shape
    shifted = cpu_convolution.shifted(dy.astype(jnp.bfloat16), size)
    by_input = _product(shifted, _columns(kernel), ((3,), (1,)), jnp.bfloat16)
    by_kernel = _product(x, shifted, ((0, 1, 2), (0, 1, 2)))
    by_kernel = by_kernel.reshape(channels, size, size, features)
    return by_input.astype(jnp.float32), by_kernel.transpose(1, 2, 0, 3)


_rounded_convolution.defvjp(_and_rounded, _rounded_gradients)


def _columns(kernel: jax.Array) -> jax.Array:
    """[K, K, C, D] -> [C, K * K * D]."""
    channels = kernel.shape[2]
    return kernel.transpose(2, 0, 1, 3).reshape(channels, -1)


def _product(
    a: jax.Array, b: jax.Array, axes: Any, result: Any = jnp.float32
) -> jax.Array:
    """The sum over the axes of a and of b."""
    return lax.dot_general(a, b, (axes, ((), ())), preferred_element_type=result)


def relu(x: jax.Array) -> jax.Array:
    """[...] -> [...], max(x, 0). On a GPU its gradient reads the result, with the same
    numbers: nothing needs x then, and the convolution before writes the result alone.
    There it has no forward-mode derivative (`jax.jvp`)."""
    return _relu_by_result(x) if jax.default_backend() == "gpu" else nn.relu(x)


@jax.custom_vjp
def _relu_by_result(x: jax.Array) -> jax.Array:
    return nn.relu(x)


def _relu_and_result(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    y = nn.relu(x)
    # Without the barrier XLA makes x > 0 of y > 0, and keeps both.
    return y, lax.optimization_barrier(y)


def _relu_gradient(y: jax.Array, dy: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(y > 0, dy, jnp.zeros_like(dy)),)


_relu_by_result.defvjp(_relu_and_result, _relu_gradient)


def upsample(x: jax.Array, like: jax.Array) -> jax.Array:
    """Nearest-neighbour enlargement by 2, [B, H/2, W/2, C] -> [B, H, W, C]: the halving
    of `like` undone. Where that rounded up there is one row too many, which is cut."""
    batch, height, width, channels = x.shape
    x = x[:, :, None, :, None, :]
    x = jnp.broadcast_to(x, (batch, height, 2, width, 2, channels))
    x = x.reshape(batch, 2 * height, 2 * width, channels)
    return x[:, : like.shape[1], : like.shape[2]]


def space_to_depth(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> [B, H / 2, W / 2, 4 C], sizes rounded up: each 2x2 pixels as one,
    the last row and column twice where the size is odd."""
    batch, height, width, channels = x.shape
    if height % 2 or width % 2:
        x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    tall, wide = (height + 1) // 2, (width + 1) // 2
    x = x.reshape(batch, tall, 2, wide, 2, channels).swapaxes(2, 3)
    return x.reshape(batch, tall, wide, 4 * channels)


def depth_to_space(x: jax.Array) -> jax.Array:
    """[B, H, W, 4 C] -> [B, 2 H, 2 W, C], the inverse of `space_to_depth`."""
    batch, tall, wide, channels = x.shape
    x = x.reshape(batch, tall, wide, 2, 2, channels // 4).swapaxes(2, 3)
    return x.reshape(batch, 2 * tall, 2 * wide, channels // 4)
