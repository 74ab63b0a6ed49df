"""The networks of PG2: generators G1 and G2, and the discriminator D.

Convolutions are NHWC with SAME padding. G1 and G2 have no normalization and a linear
output; their weights start Glorot-uniform and biases at zero (paper, section 3, and
the released models.py and wgan_gp.py).
"""

import dataclasses
import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

_GLOROT = nn.initializers.xavier_uniform()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything that decides the shapes of the weights and what they are fed.

    Attributes:
        image_height: H in pixels.
        image_width: W in pixels.
        base_channels: channels of the first block of G1 and G2.
        bottleneck_size: units of G1's fully connected bottleneck.
        discriminator_channels: channels of D's first convolution.
        refine_decoder: "symmetric" (paper) or "constant" (released code).
        refine_full_skip: whether G2 has a skip connection at full resolution.
        critic_input: "pair" (paper): D sees the source and an image, stacked on the
            channels; "triplet" (released code): D sees one image.
        heat_map_range: "zero_one" (paper) or "minus_one_one" (released code).
    """

    image_height: int
    image_width: int
    base_channels: int = 128
    bottleneck_size: int = 64
    discriminator_channels: int = 64
    refine_decoder: str = "symmetric"
    refine_full_skip: bool = True
    critic_input: str = "pair"
    heat_map_range: str = "zero_one"

    def __post_init__(self):
        height, width, halvings = self.image_height, self.image_width, self.blocks - 1
        if height < 32:
            raise ValueError(
                f"Image size {height}x{width}: the height must be at least 32, because "
                "G2 has log2(height) - 4 blocks and needs one."
            )
        if height % 2**halvings or width % 2**halvings:
            raise ValueError(
                f"Image size {height}x{width}: both sides must be multiples of "
                f"{2**halvings}, because G1's {self.blocks} blocks (log2(height) - 2) "
                f"halve the image {halvings} times."
            )

    @property
    def blocks(self) -> int:
        """Blocks of G1, N = log2(H) - 2: 5 at 128x64, 6 at 256x256."""
        return int(math.log2(self.image_height)) - 2

    def generators(self) -> tuple["CoarseGenerator", "RefinementGenerator"]:
        """G1 and G2."""
        coarse = CoarseGenerator(
            base_channels=self.base_channels,
            bottleneck_size=self.bottleneck_size,
            blocks=self.blocks,
        )
        refine = RefinementGenerator(
            base_channels=self.base_channels,
            blocks=self.blocks - 2,
            decoder=self.refine_decoder,
            full_skip=self.refine_full_skip,
        )
        return coarse, refine

    def discriminator(self) -> "Discriminator":
        """D."""
        return Discriminator(
            base_channels=self.discriminator_channels, layers=self.blocks - 1
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and the identity; no ReLU after the sum."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, features] -> [B, H, W, features]."""
        return x + ConvBlock(self.features, name="convolutions")(x)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with ReLU."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[B, H, W, C] -> [B, H, W, features]."""
        x = nn.relu(conv3x3(self.features, name="conv0")(x))
        return nn.relu(conv3x3(self.features, name="conv1")(x))


def conv3x3(features: int, *, name: str, stride: int = 1) -> nn.Conv:
    """A 3x3 convolution as G1 and G2 use it."""
    return nn.Conv(
        features, (3, 3), strides=stride, padding="SAME", kernel_init=_GLOROT, name=name
    )


def upsample(x: jax.Array) -> jax.Array:
    """Nearest-neighbour enlargement by 2: [B, H, W, C] -> [B, 2H, 2W, C]."""
    batch, height, width, channels = x.shape
    x = x[:, :, None, :, None, :]
    x = jnp.broadcast_to(x, (batch, height, 2, width, 2, channels))
    return x.reshape(batch, 2 * height, 2 * width, channels)


class CoarseGenerator(nn.Module):
    """G1: residual U-Net with a fully connected bottleneck (paper, section 3.1).

    Attributes:
        base_channels: channels of encoder block i are base_channels * (i + 1).
        bottleneck_size: units of the fully connected layer.
        blocks: N residual blocks in the encoder, and N in the decoder.
    """

    base_channels: int
    bottleneck_size: int
    blocks: int

    @nn.compact
    def __call__(self, source: jax.Array, pose: jax.Array) -> jax.Array:
        """Draws the coarse image.

        Args:
            source: [B, H, W, 3] in [-1, 1].
            pose: [B, H, W, 18] heat maps of the target pose.

        Returns:
            [B, H, W, 3], unbounded, meant to be in [-1, 1].
        """
        widths = [self.base_channels * (i + 1) for i in range(self.blocks)]
        x = jnp.concatenate([source, pose], axis=-1)
        x = nn.relu(conv3x3(widths[0], name="stem")(x))
        skips = []
        for i, features in enumerate(widths):
            x = ResidualBlock(features, name=f"encode{i}")(x)
            skips.append(x)
            if i < self.blocks - 1:
                x = nn.relu(conv3x3(widths[i + 1], stride=2, name=f"halve{i}")(x))
        x = self._bottleneck(x)
        for i in reversed(range(self.blocks)):
            x = jnp.concatenate([x, skips[i]], axis=-1)
            x = ResidualBlock(x.shape[-1], name=f"decode{i}")(x)
            if i > 0:
                # The paper enlarges first; a 1x1 convolution gives the same before,
                # with a quarter of the work.
                narrow = nn.Conv(
                    widths[i - 1], (1, 1), kernel_init=_GLOROT, name=f"narrow{i}"
                )
                x = upsample(nn.relu(narrow(x)))
        return conv3x3(3, name="rgb")(x)

    def _bottleneck(self, x: jax.Array) -> jax.Array:
        """[B, h, w, C] -> [B, h, w, base_channels] through `bottleneck_size` units."""
        batch, height, width, _ = x.shape
        code = nn.Dense(self.bottleneck_size, kernel_init=_GLOROT, name="to_code")
        x = code(x.reshape(batch, -1))
        size = height * width * self.base_channels
        x = nn.Dense(size, kernel_init=_GLOROT, name="from_code")(x)
        return x.reshape(batch, height, width, self.base_channels)


class RefinementGenerator(nn.Module):
    """G2: a U-Net without bottleneck that draws a difference map (section 3.2).

    Attributes:
        base_channels: channels of encoder block i are base_channels * (i + 1).
        blocks: N - 2 blocks in the encoder, and as many in the decoder.
        decoder: "symmetric": the decoder's channels mirror the encoder's (paper);
            "constant": all are base_channels (released code).
        full_skip: whether the last decoder block sees the first encoder block; the
            authors' 128x64 model lacks this skip, their 256x256 model has it.
    """

    base_channels: int
    blocks: int
    decoder: str
    full_skip: bool

    @nn.compact
    def __call__(self, coarse: jax.Array, source: jax.Array) -> jax.Array:
        """Draws the difference map; the refined image is coarse + difference.

        Args:
            coarse: [B, H, W, 3], G1's image.
            source: [B, H, W, 3] in [-1, 1].

        Returns:
            [B, H, W, 3], unbounded.
        """
        widths = [self.base_channels * (i + 1) for i in range(self.blocks)]
        x = jnp.concatenate([coarse, source], axis=-1)
        x = nn.relu(conv3x3(widths[0], name="stem")(x))
        skips = []
        for i, features in enumerate(widths):
            x = ConvBlock(features, name=f"encode{i}")(x)
            skips.append(x)
            if i < self.blocks - 1:
                x = nn.relu(conv3x3(features, stride=2, name=f"halve{i}")(x))
        for i in reversed(range(self.blocks)):
            if i > 0 or self.full_skip:
                # The deepest block meets itself here, as in the released code.
                x = jnp.concatenate([x, skips[i]], axis=-1)
            symmetric = self.decoder == "symmetric"
            features = widths[i] if symmetric else self.base_channels
            x = ConvBlock(features, name=f"decode{i}")(x)
            if i > 0:
                x = upsample(x)
        return conv3x3(3, name="rgb")(x)


class Discriminator(nn.Module):
    """D: DCGAN's discriminator with 5x5 convolutions (section 3.3).

    Attributes:
        base_channels: channels of the first convolution; they double up to 8 times.
        layers: N - 1 convolutions of stride 2, so that 8 rows are left.
    """

    base_channels: int
    layers: int

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
                kernel_init=init,
                name=f"conv{i}",
            )
            x = conv(x)
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
