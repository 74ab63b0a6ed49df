"""The networks of PG2: the generators G1 and G2, and the discriminator D.

Convolutions are NHWC with SAME padding. G1 and G2 have no normalization and a linear
output; their weights start Glorot-uniform and biases at zero (paper, section 3, and
the released models.py).
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax.architecture import Architecture
from pg2_jax.layers import (
    GLOROT,
    BatchNorm,
    ConvBlock,
    ResidualBlock,
    conv,
    relu,
    rounded_convolution,
    upsample,
)
from pg2_jax.pg2plus.part_transfer import PartTransferGenerator, PatchDiscriminator


def coarse_generator(architecture: Architecture, *, final: bool = False) -> nn.Module:
    """What generates the coarse image: G1, or another network in its place; `final`,
    where no loss and no G2 sees its image, matters for pg2plus alone."""
    if architecture.coarse_network == "refinement":
        return RefinementGenerator(architecture)
    if architecture.coarse_network == "part_transfer":
        return PartTransferGenerator(architecture, final)
    return CoarseGenerator(architecture)


def discriminator(architecture: Architecture) -> nn.Module:
    """D: the paper's, or the one that judges patches."""
    if architecture.discriminator == "patch":
        return PatchDiscriminator(architecture)
    return Discriminator(architecture)


class CoarseGenerator(nn.Module):
    """G1: residual U-Net with a fully connected bottleneck (paper, section 3.1)."""

    architecture: Architecture

    @nn.compact
    def __call__(self, source: jax.Array, pose: jax.Array) -> jax.Array:
        """The coarse image [B, H, W, 3], unbounded, meant to be in [-1, 1] as the
        source is; the target's pose is what `inputs.pose_input` makes."""
        beside = self.architecture.pose_embedding == "heatmap"
        x = jnp.concatenate([source, pose], axis=-1) if beside else source
        skips = self._encode(x)
        code = self._fully_connected(skips[-1], "to_code")
        if not beside:
            code = jnp.concatenate([code, self._pose_feature(pose)], axis=-1)
        return self._decode(code, skips)

    def _encode(self, x: jax.Array, prefix: str = "") -> list[jax.Array]:
        """The outputs of the N blocks, each but the first at half the size before."""
        precision = self.architecture.precision
        stem = conv(self._width(0), 3, precision, name=f"{prefix}stem")
        x = relu(stem(x))
        outputs = []
        for i in range(self.architecture.blocks):
            if i:
                name = f"{prefix}halve{i - 1}"
                halve = conv(self._width(i), 3, precision, stride=2, name=name)
                x = relu(halve(x))
            x = self._block(x.shape[-1], f"{prefix}encode{i}")(x)
            outputs.append(x)
        return outputs

    def _decode(self, code: jax.Array, skips: list[jax.Array]) -> jax.Array:
        """The image, from the bottleneck's units and the encoder's outputs."""
        precision, channels = self.architecture.precision, self._width(0)
        batch, height, width, _ = skips[-1].shape
        units = height * width * channels
        from_code = nn.Dense(units, kernel_init=GLOROT, name="from_code")
        x = from_code(code).reshape(batch, height, width, channels).astype(precision)
        for i in reversed(range(self.architecture.blocks)):
            x = jnp.concatenate([x, skips[i]], axis=-1)
            x = self._block(x.shape[-1], f"decode{i}")(x)
            if i > 0:
                # The paper enlarges first; 1x1 before it is the same with a quarter of
                # the work.
                narrow = conv(self._width(i - 1), 1, precision, name=f"narrow{i}")
                x = upsample(relu(narrow(x)), skips[i - 1])
        return _rgb(x)

    def _pose_feature(self, pose: jax.Array) -> jax.Array:
        """[B, bottleneck_size] to stand beside the image's code; a view stays [B, 3].
        The paper gives no sizes: the feature is as wide as the code, and CE's first
        layer, too. Without the ReLU between them its two layers would be one."""
        if self.architecture.pose_embedding == "view":
            return pose
        if self.architecture.pose_embedding == "encoder":
            encoded = self._encode(pose, "pose_")[-1]
            return self._fully_connected(encoded, "pose_to_code")
        hidden = relu(self._fully_connected(pose, "pose_hidden"))
        return self._fully_connected(hidden, "pose_to_code")

    def _fully_connected(self, x: jax.Array, name: str) -> jax.Array:
        """[B, ...] -> [B, bottleneck_size]."""
        size = self.architecture.bottleneck_size
        dense = nn.Dense(size, kernel_init=GLOROT, name=name)
        return dense(x.reshape(x.shape[0], -1))

    def _block(self, features: int, name: str) -> nn.Module:
        kind: Any = ConvBlock
        if self.architecture.coarse_block == "residual":
            kind = ResidualBlock
        if self.architecture.remat:
            kind = nn.remat(kind)
        return kind(features, self.architecture.precision, name=name)

    def _width(self, i: int) -> int:
        return self.architecture.base_channels * (i + 1)


class RefinementGenerator(nn.Module):
    """G2: a U-Net of N - 2 blocks without fully connected layer (section 3.2)."""

    architecture: Architecture

    @nn.compact
    def __call__(self, *images: jax.Array) -> jax.Array:
        """The difference map, or the image itself: [B, H, W, any] -> [B, H, W, 3],
        unbounded. The paper's images are G1's and the source photo."""
        base, precision = self.architecture.base_channels, self.architecture.precision
        blocks = self.architecture.blocks - 2
        widths = [base * (i + 1) for i in range(blocks)]
        block: Any = nn.remat(ConvBlock) if self.architecture.remat else ConvBlock
        x = jnp.concatenate(images, axis=-1)
        x = relu(conv(base, 3, precision, name="stem")(x))
        skips = []
        for i, features in enumerate(widths):
            x = block(features, precision, name=f"encode{i}")(x)
            skips.append(x)
            if i < blocks - 1:
                halve = conv(features, 3, precision, stride=2, name=f"halve{i}")
                x = relu(halve(x))
        for i in reversed(range(blocks)):
            if i > 0 or self.architecture.refine_full_skip:
                # The deepest block meets itself here, as in the released code.
                x = jnp.concatenate([x, skips[i]], axis=-1)
            symmetric = self.architecture.refine_decoder == "symmetric"
            features = widths[i] if symmetric else base
            x = block(features, precision, name=f"decode{i}")(x)
            if i > 0:
                x = upsample(x, skips[i - 1])
        return _rgb(x)


class Discriminator(nn.Module):
    """D: DCGAN's, with 5x5 convolutions (section 3.3), N - 1 to leave 8 rows."""

    architecture: Architecture

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """[B, H, W, 3 or 6] in [-1, 1] -> [B] logits, positive for "real". All images
        of a step go through one call: they share the batch norm's statistics."""
        x = images
        for i in range(self.architecture.blocks - 1):
            halve = conv(
                self.architecture.discriminator_channels * min(2**i, 8),
                5,
                self.architecture.precision,
                name=f"conv{i}",
                stride=2,
                kernel_init=_uniform,
            )
            x = halve(x).astype(jnp.float32)
            if i > 0:
                x = BatchNorm(name=f"norm{i}")(x)
            x = nn.leaky_relu(x, 0.2)
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=_uniform, name="logit")(x)[:, 0]


def _rgb(x: jax.Array) -> jax.Array:
    """The last convolution, [B, H, W, C] -> [B, H, W, 3]; in float32, because 8 bits
    of precision would show in the image. On a GPU only its sums are, if x has no more
    than 8 bits anyway."""
    rounded = x.dtype == jnp.bfloat16 and jax.default_backend() == "gpu"
    convolve = rounded_convolution if rounded else None
    return conv(3, 3, "float32", name="rgb", convolve=convolve)(x)


def _uniform(key, shape, dtype=jnp.float32):
    """With standard deviation 0.02, as in the released code."""
    bound = 0.02 * math.sqrt(3.0)
    return jax.random.uniform(key, shape, dtype, -bound, bound)
