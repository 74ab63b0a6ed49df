"""The networks of pg2plus, which mends what `part_warp` has moved. Not the paper's.

The generator is one U-Net at half resolution that says how four pictures are blended
(`blending`), one of which it generates itself for what the others do not have. The
discriminator judges patches.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax.architecture import Architecture
from pg2_jax.layers import (
    GLOROT,
    ResidualBlock,
    conv,
    depth_to_space,
    relu,
    space_to_depth,
    upsample,
)
from pg2_jax.pg2plus import blending, guides, sampling
from pg2_jax.pg2plus.blending import Layers

_LEVELS = (2, 4, 4, 4)  # widths in base_channels, from half resolution down
_PIXELS = 3 + guides.COVERAGE.stop  # of the source, and of the guide up to the coverage


class PartTransferGenerator(nn.Module):
    """The generator of pg2plus: a U-Net of the paper's residual blocks.

    Attributes:
        architecture: of the networks.
        final: whether the image is the result, rather than seen by a loss or by G2.
    """

    architecture: Architecture
    final: bool = False

    def __call__(self, source: jax.Array, pose: jax.Array) -> jax.Array:
        """[B, H, W, 3] in [-1, 1] and the guide -> [B, H, W, 3], unbounded."""
        layers = self.layers(source, pose)
        weights = blending.where_it_can_be(layers.weights, pose, self.final)
        moved, behind = pose[..., guides.COMPOSITE], pose[..., guides.BACKGROUND]
        return blending.blend(moved, behind, source, layers._replace(weights=weights))

    @nn.compact
    def layers(self, source: jax.Array, guide: jax.Array) -> Layers:
        """What the image is blended of."""
        base, precision = self.architecture.base_channels, self.architecture.precision
        widths = [base * times for times in _LEVELS]
        fine = jnp.concatenate([source, guide[..., : guides.FINE]], axis=-1)
        # Half resolution, where a convolution costs a quarter; the last two alone see
        # the pixels themselves.
        coarse = sampling.halved(guide[..., guides.FINE : guides.CHANNELS])
        x = jnp.concatenate([space_to_depth(fine), coarse], axis=-1)
        x = relu(conv(widths[0], 3, precision, name="stem")(x))
        skips = []
        for i, width in enumerate(widths):
            if i:
                halve = conv(width, 3, precision, stride=2, name=f"halve{i - 1}")
                x = relu(halve(x))
            x = self._block(width, f"encode{i}")(x)
            skips.append(x)
        for i in reversed(range(len(widths) - 1)):
            narrow = conv(widths[i], 1, precision, name=f"narrow{i}")
            x = jnp.concatenate([upsample(narrow(x), skips[i]), skips[i]], axis=-1)
            x = relu(conv(widths[i], 3, precision, name=f"join{i}")(x))
            x = self._block(widths[i], f"decode{i}")(x)
        x = depth_to_space(conv(4 * base, 3, precision, name="enlarge")(x))
        x = x[:, : source.shape[1], : source.shape[2]]
        x = jnp.concatenate([relu(x), fine[..., :_PIXELS].astype(x.dtype)], axis=-1)
        x = relu(conv(base, 3, precision, name="fine")(x))
        output = conv(7, 3, "float32", name="layers")(x)
        # No part gets weight where none lies.
        moved = jnp.log(jnp.maximum(guide[..., guides.COVERAGE], 1e-6))
        logits = output[..., 3:] + jnp.pad(moved, ((0, 0), (0, 0), (0, 0), (0, 3)))
        if self.final:
            logits = blending.result_logits(logits, guide)
        return Layers(output[..., :3], jax.nn.softmax(logits))

    def _block(self, features: int, name: str) -> nn.Module:
        remat = self.architecture.remat
        kind: Any = nn.remat(ResidualBlock) if remat else ResidualBlock
        return kind(features, self.architecture.precision, name=name)


class PatchDiscriminator(nn.Module):
    """Judges patches of 26 pixels, so that it sees texture and edges, not the person:
    it does not win at once, as the paper's does where people are few."""

    architecture: Architecture

    @nn.compact
    def __call__(
        self, guide: jax.Array, *images: jax.Array
    ) -> list[tuple[jax.Array, list[jax.Array]]]:
        """The guide [B, H, W, G], images [B, H, W, C] -> for each image the logits [B,
        H / 4, W / 4], positive for "real", and the features of each layer."""
        base = self.architecture.discriminator_channels
        precision = self.architecture.precision
        # The last two channels are for the weights of blending alone.
        guide = guide[..., : guides.CHANNELS]
        first = _FirstLayer(base, precision, name="conv0")(guide, *images)
        # No normalization: a penalty on the gradient needs each example by itself.
        layers = [
            conv(base * 2, 4, precision, stride=2, name="conv1"),
            conv(base * 4, 3, precision, name="conv2"),
        ]
        judge = conv(1, 3, "float32", name="logits")
        judged = []
        for x in first:
            features = [nn.leaky_relu(x, 0.2)]
            for layer in layers:
                features.append(nn.leaky_relu(layer(features[-1]), 0.2))
            kept = [x.astype(jnp.float32) for x in features]
            judged.append((judge(features[-1])[..., 0], kept))
        return judged


class _FirstLayer(nn.Module):
    """A 4x4 convolution of stride 2 of images, each beside the same guide, which has 20
    times their channels: what it adds is computed once, and its gradient too."""

    features: int
    precision: str

    @nn.compact
    def __call__(self, guide: jax.Array, *images: jax.Array) -> list[jax.Array]:
        """[B, H, W, G], each [B, H, W, C] -> each [B, H / 2, W / 2, features]."""
        channels = images[0].shape[-1]
        shape = (4, 4, channels + guide.shape[-1], self.features)
        kernel = self.param("kernel", GLOROT, shape).astype(self.precision)
        bias = self.param("bias", nn.initializers.zeros, shape[-1:])

        def convolved(x: jax.Array, part: jax.Array) -> jax.Array:
            form = ("NHWC", "HWIO", "NHWC")
            x = x.astype(self.precision)
            return jax.lax.conv_general_dilated(
                x, part, (2, 2), "SAME", dimension_numbers=form
            )

        of_guide = convolved(guide, kernel[:, :, channels:])
        of_guide += bias.astype(self.precision).reshape(1, 1, 1, -1)
        return [convolved(x, kernel[:, :, :channels]) + of_guide for x in images]
