"""LPIPS (Zhang et al. 2018), version 0.1: how alike two images look to a network.

The arithmetic is that of the PyTorch package lpips; `lpips_weights` fills it.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

# The scaling layer: ImageNet's means and deviations for values in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10


class Conv(NamedTuple):
    """A convolution with bias, and ReLU, by its name in torchvision's state dict."""

    name: str
    features: int
    kernel: int = 3
    strides: int = 1
    padding: int = 1
    compared: bool = True  # Whether LPIPS compares what comes out.


class Pool(NamedTuple):
    """Maximum of windows, stride 2, without padding."""

    window: int


class Lpips(nn.Module):
    """The distance of two images."""

    backbone: str  # The network whose features are compared.
    layers: tuple[Conv | Pool, ...]  # Up to the last that is compared.
    smallest_side: int  # Pixels that an image must have at least.

    def __call__(self, generated: jax.Array, target: jax.Array) -> jax.Array:
        """[B, H, W, 3] uint8 twice -> [B] float32, 0 for equal images."""
        return self.distance(*(x / jnp.float32(127.5) - 1 for x in (generated, target)))

    @nn.compact
    def distance(self, generated: jax.Array, target: jax.Array) -> jax.Array:
        """[B, H, W, 3] float32 in [-1, 1] twice -> [B] float32, 0 for equal images."""
        count = len(generated)
        x = jnp.concatenate([generated, target])  # one pass for both
        x = (x - _row(_SHIFT)) / _row(_SCALE)
        total = jnp.zeros(count)
        taps = 0
        for layer in self.layers:
            if isinstance(layer, Pool):
                x = nn.max_pool(x, (layer.window,) * 2, (2, 2))
                continue
            convolution = nn.Conv(
                layer.features,
                (layer.kernel, layer.kernel),
                strides=layer.strides,
                padding=layer.padding,
                precision="highest",
                name=layer.name,
            )
            x = nn.relu(convolution(x))
            if layer.compared:
                shape = (layer.features,)
                weight = self.param(f"lin{taps}", nn.initializers.ones, shape)
                unit = x / (_length(x) + _EPSILON)
                squares = (unit[:count] - unit[count:]) ** 2
                total += (squares * _row(weight)).sum(axis=-1).mean(axis=(1, 2))
                taps += 1
        return total


def _length(x: jax.Array) -> jax.Array:
    """[..., C] -> [..., 1]; its gradient at 0 is 0, where that of a norm is NaN."""
    squared = jnp.sum(x * x, axis=-1, keepdims=True)
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)


def _row(values: Any) -> jax.Array:
    return jnp.asarray(values).reshape(1, 1, 1, -1)


ALEXNET = Lpips(
    "AlexNet",
    (
        Conv("features.0", 64, kernel=11, strides=4, padding=2),
        Pool(3),
        Conv("features.3", 192, kernel=5, padding=2),
        Pool(3),
        Conv("features.6", 384),
        Conv("features.8", 256),
        Conv("features.10", 256),
    ),
    smallest_side=31,
)


def _stage(first: int, features: int, count: int) -> tuple[Conv | Pool, ...]:
    """Convolutions of VGG16, of which the last is compared, after a pooling."""
    named = [(f"features.{first + 2 * i}", i == count - 1) for i in range(count)]
    layers = [Conv(name, features, compared=last) for name, last in named]
    return (Pool(2), *layers) if first else tuple(layers)


VGG16 = Lpips(
    "VGG16",
    (
        *(*_stage(0, 64, 2), *_stage(5, 128, 2), *_stage(10, 256, 3)),
        *(*_stage(17, 512, 3), *_stage(24, 512, 3)),
    ),
    smallest_side=16,
)
NETWORKS = {"lpips_alex": ALEXNET, "lpips_vgg": VGG16}


def convolutions(network: Lpips) -> list[Conv]:
    """The convolutions of a network, in order."""
    return [layer for layer in network.layers if isinstance(layer, Conv)]
