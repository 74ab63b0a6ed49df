"""Inception-v3, whose features give FID and whose classes give the Inception Score.

The network of Szegedy et al. (2015), of which the field uses two trained ones: the
TensorFlow graph inception-2015-12-05 and torchvision's ImageNet model. Layers have
torchvision's names.
"""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax import downloads, errors
from pg2_jax.metrics import state_dict, weights

SIDE = 299  # pixels, of the square that the network sees
FEATURES = 2048
# Means and deviations of red, green and blue.
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NORM_EPSILON = 1e-3
# Scale, offset, mean and variance of a batch norm.
_NORM = ("weight", "bias", "running_mean", "running_var")
# The second classifier, which only training needs, and counters.
_UNUSED = ("AuxLogits.", "num_batches_tracked")


class Output(NamedTuple):
    """What the network makes of images, float32."""

    features: jax.Array  # [B, 2048], the last average pooling (pool_3).
    logits: jax.Array  # [B, classes]
    # The Inception Score of improved-gan, and with it PG2, leaves the bias out.
    logits_without_bias: jax.Array  # [B, classes]


class InceptionV3(nn.Module):
    """One of the two networks, torchvision's or the graph of 2015. They resize images
    by different grids, the graph's last block pools by maxima, and torchvision's
    averages count the zeros around an image."""

    classes: int
    is_torchvision: bool

    @nn.compact
    def __call__(self, images: jax.Array) -> Output:
        """[B, H, W, 3] uint8 or float, 0 to 255 -> features and logits."""
        x = resize_bilinear(images.astype(jnp.float32), self.is_torchvision)
        if not self.is_torchvision:
            x = (x - 128) / 128
        else:
            # x / 255 through torchvision's transform_input as if it had been normalized
            # for ImageNet, which it has not: so has the first pytorch-fid, from which
            # GFLA and its successors have their FID.
            mean, deviation = (jnp.asarray(x).reshape(1, 1, 1, 3) for x in _IMAGENET)
            x = x / 255 * (deviation / 0.5) + (mean - 0.5) / 0.5
        x = self._mixed(self._stem(x))
        features = jnp.mean(x, axis=(1, 2))
        shape, start = (FEATURES, self.classes), nn.initializers.lecun_normal()
        kernel = self.param("fc_kernel", start, shape)
        bias = self.param("fc_bias", nn.initializers.zeros, (self.classes,))
        logits = jnp.matmul(features, kernel, precision="highest")
        return Output(features, logits + bias[None], logits)

    def _stem(self, x: jax.Array) -> jax.Array:
        x = ConvNorm(32, (3, 3), 2, "VALID", name="Conv2d_1a_3x3")(x)
        x = ConvNorm(32, (3, 3), padding="VALID", name="Conv2d_2a_3x3")(x)
        x = _shrunk(ConvNorm(64, (3, 3), name="Conv2d_2b_3x3")(x))
        x = ConvNorm(80, name="Conv2d_3b_1x1")(x)
        return _shrunk(ConvNorm(192, (3, 3), padding="VALID", name="Conv2d_4a_3x3")(x))

    def _mixed(self, x: jax.Array) -> jax.Array:
        for block, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
            x = self._block_a(x, block, pooled)
        x = _join(
            ConvNorm(384, *_HALVING, name="Mixed_6a.branch3x3")(x),
            _chain(x, "Mixed_6a.branch3x3dbl", (64,), (96, (3, 3)), (96, *_HALVING)),
            _shrunk(x),
        )
        widths = {"Mixed_6b": 128, "Mixed_6c": 160, "Mixed_6d": 160, "Mixed_6e": 192}
        for block, width in widths.items():
            x = self._block_b(x, block, width)
        seven = (192,), (192, (1, 7)), (192, (7, 1)), (192, *_HALVING)
        x = _join(
            _chain(x, "Mixed_7a.branch3x3", (192,), (320, *_HALVING)),
            _chain(x, "Mixed_7a.branch7x7x3", *seven),
            _shrunk(x),
        )
        x = self._block_c(x, "Mixed_7b", self._averaged(x))
        if self.is_torchvision:
            return self._block_c(x, "Mixed_7c", self._averaged(x))
        return self._block_c(x, "Mixed_7c", nn.max_pool(x, (3, 3), padding="SAME"))

    def _block_a(self, x: jax.Array, block: str, pooled: int) -> jax.Array:
        return _join(
            ConvNorm(64, name=f"{block}.branch1x1")(x),
            _chain(x, f"{block}.branch5x5", (48,), (64, (5, 5))),
            _chain(x, f"{block}.branch3x3dbl", (64,), (96, (3, 3)), (96, (3, 3))),
            ConvNorm(pooled, name=f"{block}.branch_pool")(self._averaged(x)),
        )

    def _block_b(self, x: jax.Array, block: str, width: int) -> jax.Array:
        across, down = (width, (1, 7)), (width, (7, 1))
        twice = (width,), down, across, down, (192, (1, 7))
        return _join(
            ConvNorm(192, name=f"{block}.branch1x1")(x),
            _chain(x, f"{block}.branch7x7", (width,), across, (192, (7, 1))),
            _chain(x, f"{block}.branch7x7dbl", *twice),
            ConvNorm(192, name=f"{block}.branch_pool")(self._averaged(x)),
        )

    def _block_c(self, x: jax.Array, block: str, pooled: jax.Array) -> jax.Array:
        def forked(name: str, *layers: tuple[Any, ...]) -> jax.Array:
            y, last = _chain(x, name, *layers), f"{name}_{len(layers) + 1}"
            across = ConvNorm(384, (1, 3), name=f"{last}a")(y)
            return _join(across, ConvNorm(384, (3, 1), name=f"{last}b")(y))

        return _join(
            ConvNorm(320, name=f"{block}.branch1x1")(x),
            forked(f"{block}.branch3x3", (384,)),
            forked(f"{block}.branch3x3dbl", (448,), (384, (3, 3))),
            ConvNorm(192, name=f"{block}.branch_pool")(pooled),
        )

    def _averaged(self, x: jax.Array) -> jax.Array:
        return nn.avg_pool(x, (3, 3), (1, 1), "SAME", self.is_torchvision)


# inception-2015-12-05, "the Inception network" of the Inception Score and of FID.
TF_2015 = InceptionV3(classes=1008, is_torchvision=False)
# torchvision's inception_v3 with the weights IMAGENET1K_V1.
TORCHVISION = InceptionV3(classes=1000, is_torchvision=True)


class ConvNorm(nn.Module):
    """A convolution without bias, its batch norm as an affine map, and ReLU."""

    features: int
    kernel: tuple[int, int] = (1, 1)  # height, width
    strides: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H', W', features], 0 or more."""
        shape = (*self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        gain = self.param("gain", nn.initializers.ones, (self.features,))
        offset = self.param("offset", nn.initializers.zeros, (self.features,))
        x = jax.lax.conv_general_dilated(
            x,
            kernel,
            (self.strides,) * 2,
            self.padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=jax.lax.Precision.HIGHEST,
        )
        return nn.relu(x * gain.reshape(1, 1, 1, -1) + offset.reshape(1, 1, 1, -1))


_HALVING = (3, 3), 2, "VALID"  # kernel, strides and padding of a `ConvNorm`


def _chain(x: jax.Array, name: str, *layers: tuple[Any, ...]) -> jax.Array:
    """Convolutions after one another, numbered from 1, by `ConvNorm`'s arguments."""
    for i, layer in enumerate(layers, start=1):
        x = ConvNorm(*layer, name=f"{name}_{i}")(x)
    return x


def _join(*branches: jax.Array) -> jax.Array:
    return jnp.concatenate(branches, axis=-1)


def _shrunk(x: jax.Array) -> jax.Array:
    return nn.max_pool(x, (3, 3), (2, 2), "VALID")


def resize_bilinear(
    images: jax.Array, half_pixel_centers: bool, side: int = SIDE
) -> jax.Array:
    """[B, H, W, C] float -> [B, side, side, C], without a filter when it shrinks.
    Half-pixel centres are torch's align_corners=False and TensorFlow 2; without them it
    is TensorFlow 1's resize_bilinear(align_corners=False)."""
    for axis in (2, 1):
        size = images.shape[axis]
        scale = np.float32(size) / np.float32(side)
        position = np.arange(side, dtype=np.float32)
        if half_pixel_centers:
            half = np.float32(0.5)
            position = np.maximum((position + half) * scale - half, 0)
        else:
            position = position * scale
        low = np.minimum(np.floor(position).astype(np.int32), size - 1)
        below = jnp.take(images, low, axis=axis)
        above = jnp.take(images, np.minimum(low + 1, size - 1), axis=axis)
        shape = [1, 1, 1, 1]
        shape[axis] = side
        weight = (position - low.astype(np.float32)).reshape(shape)
        images = below + (above - below) * weight
    return images


Weights = weights.Weights[InceptionV3]


def read(path: pathlib.Path) -> Weights:
    """Reads a state dict by torchvision's names; the classes tell the network."""
    weights.check_file(path, (".pth", ".pt", ".safetensors"), "Inception-v3")
    network, params = from_state_dict(state_dict.read(path), str(path))
    return weights.Weights(network, params, path.name, downloads.sha256(path))


def from_state_dict(
    state: Mapping[str, np.ndarray], name: str
) -> tuple[InceptionV3, dict[str, Any]]:
    """Network and weights of a state dict, of the file `name`: of 1008 classes the
    graph of 2015 (pytorch-fid, torch-fidelity), of 1000 torchvision's ImageNet."""
    classes = len(state.get("fc.bias", ()))
    by_classes = {network.classes: network for network in (TF_2015, TORCHVISION)}
    network = by_classes.get(classes, TF_2015)
    shapes = weights.shapes_of(network, SIDE)
    layers = sorted(shapes.keys() - {"fc_kernel", "fc_bias"})
    used = {key for key in state if not any(word in key for word in _UNUSED)}
    own = ("conv.weight", *(f"bn.{part}" for part in _NORM))
    wanted = {f"{layer}.{part}" for layer in layers for part in own}
    wanted |= {"fc.weight", "fc.bias"}
    what = f"{name} holds no Inception-v3"
    for verb, names in (("lacks", wanted - used), ("has the unknown", used - wanted)):
        if names:
            raise ValueError(f"{what}: it {verb} {errors.few(sorted(names))}.")
    if classes not in by_classes:
        raise ValueError(
            f"{name} has {classes} classes; known are 1008 (the graph of 2015) and "
            "1000 (torchvision's ImageNet)."
        )
    params: dict[str, Any] = {"fc_kernel": state["fc.weight"].T}
    params["fc_bias"] = state["fc.bias"]
    for layer in layers:
        kernel = state[f"{layer}.conv.weight"]
        kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel
        scale, offset, mean, variance = (
            np.asarray(state[f"{layer}.bn.{part}"], np.float64) for part in _NORM
        )
        gain = scale / np.sqrt(variance + _NORM_EPSILON)
        offset = offset - mean * gain
        params[layer] = {"kernel": kernel, "gain": gain, "offset": offset}
    return network, weights.fitted(params, shapes, what, name)
