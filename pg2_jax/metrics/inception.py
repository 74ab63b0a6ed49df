"""Inception-v3, whose features give FID and whose classes give the Inception Score.

One network (Szegedy et al. 2015) with the differences between the two trained ones that
the field uses as fields: the TensorFlow graph inception-2015-12-05 and torchvision's
ImageNet model. `inception_weights` fills it.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

SIDE = 299  # pixels, of the square that the network sees
FEATURES = 2048
NORM_EPSILON = 1e-3


class Conv(NamedTuple):
    """A convolution without bias, named as torchvision's, fixed batch norm and ReLU."""

    name: str
    features: int
    kernel: tuple[int, int] = (1, 1)  # height, width
    strides: int = 1
    padding: str = "SAME"


class Fork(NamedTuple):
    """Layers side by side at the end of a branch."""

    layers: tuple[Conv, ...]


# What a branch can begin with in place of a convolution.
SMOOTH = "3x3 pooling of stride 1, average or maximum by `InceptionV3.last_pool`"
SHRINK = "3x3 maximum of stride 2"

Branch = tuple[Conv | Fork | str, ...]


def _chain(name: str, *layers: tuple[Any, ...]) -> Branch:
    """Convolutions after one another, numbered from 1."""
    return tuple(Conv(f"{name}_{i}", *rest) for i, rest in enumerate(layers, start=1))


def _halving(features: int) -> tuple[Any, ...]:
    return features, (3, 3), 2, "VALID"


def _block_a(pooled: int) -> tuple[Branch, ...]:
    return (
        (Conv("branch1x1", 64),),
        _chain("branch5x5", (48,), (64, (5, 5))),
        _chain("branch3x3dbl", (64,), (96, (3, 3)), (96, (3, 3))),
        (SMOOTH, Conv("branch_pool", pooled)),
    )


def _block_b(width: int) -> tuple[Branch, ...]:
    across, down = (width, (1, 7)), (width, (7, 1))
    return (
        (Conv("branch1x1", 192),),
        _chain("branch7x7", (width,), across, (192, (7, 1))),
        _chain("branch7x7dbl", (width,), down, across, down, (192, (1, 7))),
        (SMOOTH, Conv("branch_pool", 192)),
    )


def _block_c() -> tuple[Branch, ...]:
    def fork(name: str) -> Fork:
        return Fork((Conv(f"{name}a", 384, (1, 3)), Conv(f"{name}b", 384, (3, 1))))

    return (
        (Conv("branch1x1", 320),),
        (Conv("branch3x3_1", 384), fork("branch3x3_2")),
        (*_chain("branch3x3dbl", (448,), (384, (3, 3))), fork("branch3x3dbl_3")),
        (SMOOTH, Conv("branch_pool", 192)),
    )


STEM: Branch = (
    Conv("Conv2d_1a_3x3", *_halving(32)),
    Conv("Conv2d_2a_3x3", 32, (3, 3), padding="VALID"),
    Conv("Conv2d_2b_3x3", 64, (3, 3)),
    SHRINK,
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, (3, 3), padding="VALID"),
    SHRINK,
)
# In the order of the network, by torchvision's names.
BLOCKS: dict[str, tuple[Branch, ...]] = {
    "Mixed_5b": _block_a(32),
    "Mixed_5c": _block_a(64),
    "Mixed_5d": _block_a(64),
    "Mixed_6a": (
        (Conv("branch3x3", *_halving(384)),),
        _chain("branch3x3dbl", (64,), (96, (3, 3)), _halving(96)),
        (SHRINK,),
    ),
    "Mixed_6b": _block_b(128),
    "Mixed_6c": _block_b(160),
    "Mixed_6d": _block_b(160),
    "Mixed_6e": _block_b(192),
    "Mixed_7a": (
        _chain("branch3x3", (192,), _halving(320)),
        _chain("branch7x7x3", (192,), (192, (1, 7)), (192, (7, 1)), _halving(192)),
        (SHRINK,),
    ),
    "Mixed_7b": _block_c(),
    "Mixed_7c": _block_c(),
}


def layer_names() -> list[str]:
    """The convolutions by torchvision's names, in the order of the network."""
    branches = [(f"{block}.", b) for block, its in BLOCKS.items() for b in its]
    names = []
    for prefix, branch in [("", STEM), *branches]:
        for layer in branch:
            parts = layer.layers if isinstance(layer, Fork) else [layer]
            names += [prefix + part.name for part in parts if isinstance(part, Conv)]
    return names


class Output(NamedTuple):
    """What the network makes of images, float32."""

    features: jax.Array  # [B, 2048], the last average pooling (pool_3).
    logits: jax.Array  # [B, classes]
    # The Inception Score of improved-gan, and with it PG2, leaves the bias out.
    logits_without_bias: jax.Array  # [B, classes]


class InceptionV3(nn.Module):
    """The network, with what differs between the trained ones."""

    classes: int
    average_counts_padding: bool  # The zeros around an image, in average pooling.
    last_pool: str  # "average", or "max" in the last block's pooling of stride 1.
    # Grid of the bilinear resize to 299x299. "corner": TensorFlow 1, the first pixels'
    # corners meet; "centre": torch, half-pixel centres.
    resize: str
    # What the first convolution sees. "symmetric": (x - 128) / 128. "transform_input":
    # x / 255 through torchvision's transform_input as if it had been normalized for
    # ImageNet, which it has not: so has the first pytorch-fid, from which GFLA and its
    # successors have their FID.
    scaling: str

    @nn.compact
    def __call__(self, images: jax.Array) -> Output:
        """[B, H, W, 3] uint8 or float, 0 to 255 -> features and logits."""
        x = resize_bilinear(images.astype(jnp.float32), self.resize == "centre")
        if self.scaling == "symmetric":
            x = (x - 128) / 128
        else:
            # ImageNet's means and deviations of red, green and blue.
            mean, deviation = (
                jnp.asarray(values).reshape(1, 1, 1, 3)
                for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
            )
            x = x / 255 * (deviation / 0.5) + (mean - 0.5) / 0.5
        for layer in STEM:
            x = self._apply(x, layer, "")
        for name, branches in BLOCKS.items():
            parts = [x] * len(branches)
            for i, branch in enumerate(branches):
                for layer in branch:
                    parts[i] = self._apply(parts[i], layer, f"{name}.")
            x = jnp.concatenate(parts, axis=-1)
        features = jnp.mean(x, axis=(1, 2))
        shape, start = (FEATURES, self.classes), nn.initializers.lecun_normal()
        kernel = self.param("fc_kernel", start, shape)
        bias = self.param("fc_bias", nn.initializers.zeros, (self.classes,))
        logits = jnp.matmul(features, kernel, precision="highest")
        return Output(features, logits + bias[None], logits)

    def _apply(self, x: jax.Array, layer: Conv | Fork | str, block: str) -> jax.Array:
        if isinstance(layer, Conv):
            return ConvNorm(layer, name=block + layer.name)(x)
        if isinstance(layer, Fork):
            parts = [self._apply(x, part, block) for part in layer.layers]
            return jnp.concatenate(parts, axis=-1)
        if layer == SHRINK:
            return nn.max_pool(x, (3, 3), (2, 2), "VALID")
        if self.last_pool == "max" and block == "Mixed_7c.":
            return nn.max_pool(x, (3, 3), (1, 1), "SAME")
        return nn.avg_pool(
            x, (3, 3), (1, 1), "SAME", count_include_pad=self.average_counts_padding
        )


# inception-2015-12-05, "the Inception network" of the Inception Score and of FID.
TF_2015 = InceptionV3(
    classes=1008,
    average_counts_padding=False,
    last_pool="max",
    resize="corner",
    scaling="symmetric",
)
# torchvision's inception_v3 with the weights IMAGENET1K_V1.
TORCHVISION = InceptionV3(
    classes=1000,
    average_counts_padding=True,
    last_pool="average",
    resize="centre",
    scaling="transform_input",
)


class ConvNorm(nn.Module):
    """One `Conv`. Its batch norm is an affine map: see `inception_weights`."""

    layer: Conv

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H', W', features], 0 or more."""
        features = self.layer.features
        shape = (*self.layer.kernel, x.shape[-1], features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        gain = self.param("gain", nn.initializers.ones, (features,))
        offset = self.param("offset", nn.initializers.zeros, (features,))
        x = jax.lax.conv_general_dilated(
            x,
            kernel,
            (self.layer.strides,) * 2,
            self.layer.padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=jax.lax.Precision.HIGHEST,
        )
        return nn.relu(x * gain.reshape(1, 1, 1, -1) + offset.reshape(1, 1, 1, -1))


def parameter_shapes(network: InceptionV3) -> dict[str, Any]:
    """The shapes of a network's weights, nested as the weights are."""
    image = jnp.zeros((1, SIDE, SIDE, 3), jnp.uint8)
    return jax.eval_shape(network.init, jax.random.key(0), image)["params"]


def resize_bilinear(
    images: jax.Array, half_pixel_centers: bool, side: int = SIDE
) -> jax.Array:
    """[B, H, W, C] float -> [B, side, side, C], without a filter when it shrinks.
    Half-pixel centres are torch's align_corners=False and TensorFlow 2; without them it
    is TensorFlow 1's resize_bilinear(align_corners=False)."""
    for axis in (2, 1):
        low, high, weight = _grid(images.shape[axis], side, half_pixel_centers)
        shape = [1, 1, 1, 1]
        shape[axis] = side
        below = jnp.take(images, low, axis=axis)
        above = jnp.take(images, high, axis=axis)
        images = below + (above - below) * weight.reshape(shape)
    return images


def _grid(size: int, side: int, half_pixel_centers: bool):
    """Both neighbours of each new pixel, and the weight of the second."""
    scale = np.float32(size) / np.float32(side)
    position = np.arange(side, dtype=np.float32)
    if half_pixel_centers:
        position = np.maximum((position + np.float32(0.5)) * scale - np.float32(0.5), 0)
    else:
        position = position * scale
    low = np.minimum(np.floor(position).astype(np.int32), size - 1)
    return low, np.minimum(low + 1, size - 1), position - low.astype(np.float32)
