"""The generators of PG2, G1 and G2, and what decides the shapes of all networks.

Convolutions are NHWC with SAME padding. G1 and G2 have no normalization and a linear
output; their weights start Glorot-uniform and biases at zero (paper, section 3, and
the released models.py).
"""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax import errors, variants
from pg2_jax.blocks import (
    GLOROT,
    ConvBlock,
    ResidualBlock,
    conv,
    kept_small,
    rgb,
    upsample,
)
from pg2_jax.discriminator import Discriminator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything that decides the shapes of the weights and what they are fed.

    Attributes:
        image_height: H in pixels.
        image_width: W in pixels.
        stages: "two_stage": G1, G2 and D (the paper's G1+G2+D); "one_stage": G1 and D
            (G1+D); "coarse": G1 alone.
        pose_embedding: how G1 takes the target pose. "heatmap": heat maps beside the
            photo (paper). "coordinate" and "encoder": joined at the bottleneck, as
            coordinates (CE) or through an encoder of the heat maps (HME), section 4.2.
            "view": only the word front, side or back, joined at the bottleneck.
        coarse_network: "bottleneck": G1 (paper); "refinement": the network of G2,
            which has no fully connected layer, on the inputs of G1.
        coarse_block: "residual" (paper) or "plain" blocks in G1.
        base_channels: channels of the first block of G1 and G2.
        bottleneck_size: units of G1's fully connected bottleneck, and of the feature
            of a pose that joins there.
        discriminator_channels: channels of D's first convolution.
        refine_decoder: "symmetric" (paper) or "constant" (released code).
        refine_full_skip: whether G2 has a skip connection at full resolution.
        refine_sees_pose: whether G2 is given the target pose's heat maps too.
        refine_output: whether G2 draws a "difference" map to add to G1's image (paper)
            or the "image" itself.
        discriminator_input: "pair" (paper): D sees the source and an image, stacked on
            the channels; "triplet" (released code): D sees one image.
        heat_map_range: "zero_one" (paper) or "minus_one_one" (released code).
        precision: what convolutions compute in, "float32" or "bfloat16"; the weights
            are float32 in both.
        remat: whether a gradient computes the inside of G1's and G2's blocks again
            instead of keeping it: less memory, the same weights.
    """

    image_height: int
    image_width: int
    stages: str = "two_stage"
    pose_embedding: str = "heatmap"
    coarse_network: str = "bottleneck"
    coarse_block: str = "residual"
    base_channels: int = 128
    bottleneck_size: int = 64
    discriminator_channels: int = 64
    refine_decoder: str = "symmetric"
    refine_full_skip: bool = True
    refine_sees_pose: bool = False
    refine_output: str = "difference"
    discriminator_input: str = "pair"
    heat_map_range: str = "zero_one"
    precision: str = "float32"
    remat: bool = False

    def __post_init__(self):
        for name in variants.CHOICES:
            variants.require(name, getattr(self, name))
        height, width = self.image_height, self.image_width
        if height < 32:
            raise ValueError(
                f"Image size {height}x{width}: the height must be at least 32, because "
                "G2 has log2(height) - 4 blocks and needs one."
            )
        if self.coarse_network == "refinement" and self.pose_embedding != "heatmap":
            rule = (
                " joins the pose at the fully connected layer, which "
                "coarse_network=refinement does not have."
            )
            raise errors.ArgumentError("pose_embedding", self.pose_embedding, rule)
        if self.refine_sees_pose and self.pose_embedding in ("coordinate", "view"):
            rule = (
                " gives G2 the heat maps, which "
                f"pose_embedding={self.pose_embedding} does without."
            )
            raise errors.ArgumentError("refine_sees_pose", True, rule)

    @property
    def blocks(self) -> int:
        """Blocks of G1, N = log2(H) - 2, rounded down: 5 at 128x64, 6 at 256x256."""
        return int(math.log2(self.image_height)) - 2

    @property
    def dtype(self) -> jnp.dtype:
        """What convolutions compute in."""
        return jnp.dtype(self.precision)

    def coarse(self) -> "CoarseGenerator | RefinementGenerator":
        """What draws the coarse image: G1, or the network of G2 in its place."""
        if self.coarse_network == "refinement":
            return self.refine()
        return CoarseGenerator(
            base_channels=self.base_channels,
            bottleneck_size=self.bottleneck_size,
            blocks=self.blocks,
            block=self.coarse_block,
            pose_embedding=self.pose_embedding,
            dtype=self.dtype,
            remat=self.remat,
        )

    def refine(self) -> "RefinementGenerator":
        """G2."""
        return RefinementGenerator(
            base_channels=self.base_channels,
            blocks=self.blocks - 2,
            decoder=self.refine_decoder,
            full_skip=self.refine_full_skip,
            dtype=self.dtype,
            remat=self.remat,
        )

    def discriminator(self) -> Discriminator:
        """D."""
        return Discriminator(
            base_channels=self.discriminator_channels,
            layers=self.blocks - 1,
            dtype=self.dtype,
        )


class CoarseGenerator(nn.Module):
    """G1: residual U-Net with a fully connected bottleneck (paper, section 3.1).

    Attributes:
        base_channels: channels of encoder block i are base_channels * (i + 1).
        bottleneck_size: units of the fully connected layer, and of the pose's feature
            where the pose joins there.
        blocks: N blocks in the encoder, and N in the decoder.
        block: "residual" (paper) or "plain".
        pose_embedding: as in `Architecture`.
        dtype: what convolutions compute in; the output is float32.
        remat: as in `Architecture`.
    """

    base_channels: int
    bottleneck_size: int
    blocks: int
    block: str
    pose_embedding: str
    dtype: jnp.dtype
    remat: bool = False

    @nn.compact
    def __call__(self, source: jax.Array, pose: jax.Array) -> jax.Array:
        """Draws the coarse image.

        Args:
            source: [B, H, W, 3] in [-1, 1].
            pose: of the target: [B, H, W, 18] heat maps ("heatmap", "encoder"),
                [B, 54] coordinates or a [B, 3] view, as `inputs.pose_input` makes it.

        Returns:
            [B, H, W, 3], unbounded, meant to be in [-1, 1].
        """
        beside = self.pose_embedding == "heatmap"
        x = jnp.concatenate([source, pose], axis=-1) if beside else source
        skips = self._encode(x)
        code = self._fully_connected(skips[-1], "to_code")
        if not beside:
            code = jnp.concatenate([code, self._pose_feature(pose)], axis=-1)
        return self._decode(code, skips)

    def _encode(self, x: jax.Array, prefix: str = "") -> list[jax.Array]:
        """The outputs of the N blocks, each but the first at half the size before."""
        stem = conv(self.base_channels, 3, self.dtype, name=f"{prefix}stem")
        x = nn.relu(stem(x))
        outputs = []
        for i in range(self.blocks):
            if i:
                name = f"{prefix}halve{i - 1}"
                halve = conv(self._width(i), 3, self.dtype, stride=2, name=name)
                x = nn.relu(halve(x))
            x = self._block(x.shape[-1], f"{prefix}encode{i}")(x)
            outputs.append(x)
        return outputs

    def _decode(self, code: jax.Array, skips: list[jax.Array]) -> jax.Array:
        """The image drawn from the bottleneck's units and the encoder's outputs."""
        batch, height, width, _ = skips[-1].shape
        size = height * width * self.base_channels
        x = nn.Dense(size, kernel_init=GLOROT, name="from_code")(code)
        x = x.reshape(batch, height, width, self.base_channels).astype(self.dtype)
        for i in reversed(range(self.blocks)):
            x = jnp.concatenate([x, skips[i]], axis=-1)
            x = self._block(x.shape[-1], f"decode{i}")(x)
            if i > 0:
                # The paper enlarges first; a 1x1 convolution gives the same before,
                # with a quarter of the work.
                narrow = conv(self._width(i - 1), 1, self.dtype, name=f"narrow{i}")
                x = upsample(nn.relu(narrow(x)), skips[i - 1])
        return rgb(x)

    def _pose_feature(self, pose: jax.Array) -> jax.Array:
        """[B, bottleneck_size] to stand beside the image's code; a view stays [B, 3].

        The paper gives no sizes: the feature is as wide as the code, and CE's first
        layer, too. Without the ReLU between them its two layers would be one.
        """
        if self.pose_embedding == "view":
            return pose
        if self.pose_embedding == "encoder":
            encoded = self._encode(pose, "pose_")[-1]
            return self._fully_connected(encoded, "pose_to_code")
        hidden = nn.relu(self._fully_connected(pose, "pose_hidden"))
        return self._fully_connected(hidden, "pose_to_code")

    def _fully_connected(self, x: jax.Array, name: str) -> jax.Array:
        """[B, ...] -> [B, bottleneck_size]."""
        dense = nn.Dense(self.bottleneck_size, kernel_init=GLOROT, name=name)
        return dense(x.reshape(x.shape[0], -1))

    def _block(self, features: int, name: str) -> nn.Module:
        kind = ResidualBlock if self.block == "residual" else ConvBlock
        return kept_small(kind, self.remat)(features, self.dtype, name=name)

    def _width(self, i: int) -> int:
        return self.base_channels * (i + 1)


class RefinementGenerator(nn.Module):
    """G2: a U-Net without fully connected layer (section 3.2).

    Attributes:
        base_channels: channels of encoder block i are base_channels * (i + 1).
        blocks: N - 2 blocks in the encoder, and as many in the decoder.
        decoder: "symmetric": the decoder's channels mirror the encoder's (paper);
            "constant": all are base_channels (released code).
        full_skip: whether the last decoder block sees the first encoder block; the
            authors' 128x64 model lacks this skip, their 256x256 model has it.
        dtype: what convolutions compute in; the output is float32.
        remat: as in `Architecture`.
    """

    base_channels: int
    blocks: int
    decoder: str
    full_skip: bool
    dtype: jnp.dtype
    remat: bool = False

    @nn.compact
    def __call__(self, *images: jax.Array) -> jax.Array:
        """Draws the difference map, or the image itself.

        Args:
            *images: [B, H, W, any]; in the paper G1's image and the source photo.

        Returns:
            [B, H, W, 3], unbounded.
        """
        widths = [self.base_channels * (i + 1) for i in range(self.blocks)]
        block = kept_small(ConvBlock, self.remat)
        x = jnp.concatenate(images, axis=-1)
        x = nn.relu(conv(widths[0], 3, self.dtype, name="stem")(x))
        skips = []
        for i, features in enumerate(widths):
            x = block(features, self.dtype, name=f"encode{i}")(x)
            skips.append(x)
            if i < self.blocks - 1:
                halve = conv(features, 3, self.dtype, stride=2, name=f"halve{i}")
                x = nn.relu(halve(x))
        for i in reversed(range(self.blocks)):
            if i > 0 or self.full_skip:
                # The deepest block meets itself here, as in the released code.
                x = jnp.concatenate([x, skips[i]], axis=-1)
            symmetric = self.decoder == "symmetric"
            features = widths[i] if symmetric else self.base_channels
            x = block(features, self.dtype, name=f"decode{i}")(x)
            if i > 0:
                x = upsample(x, skips[i - 1])
        return rgb(x)
