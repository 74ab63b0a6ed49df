"""The networks of pg2plus, which mends what `part_warp` has moved. Not the paper's.

The generator is one U-Net at half resolution that blends four pictures by weights of
its own: the moved parts, the source without its person, the source as it is, and an
image that it generates for what none of them has. The discriminator judges patches.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax import pose
from pg2_jax.architecture import Architecture
from pg2_jax.layers import (
    GLOROT,
    ResidualBlock,
    conv,
    depth_to_space,
    space_to_depth,
    upsample,
)
from pg2_jax.pg2plus import part_warp, pull_push

_LEVELS = (2, 4, 4, 4)  # widths in base_channels, from half resolution down
_COMPOSITE, _BACKGROUND = slice(0, 3), slice(3, 6)
_COVERAGE, _FREE = slice(6, 7), slice(7, 8)
_FINE = 8 + part_warp.NUM_PARTS  # channels of the guide before the heat maps
_PIXELS = 3 + 7  # of the source, and of the guide up to the coverage
_VIEWS = 2 * len(pose.VIEWS)
GUIDE_CHANNELS = _FINE + 2 * len(pose.JOINTS) + _VIEWS
_STILL = slice(GUIDE_CHANNELS, GUIDE_CHANNELS + 1)  # for sharp blending alone
# By what its weights are sharpened in results: L1 makes them hedge, which shows as
# transparent limbs. By trial; results by 2.5 are sharper, and farther from the target
# by SSIM and L1.
_FINALLY = 1.75
# What geometry says of places that the person leaves counts as much as so much weight.
_GEOMETRY = 0.05
BODY = -0.1  # torso lengths: what is so far inside the parts is no background


class Layers(NamedTuple):
    """What a picture is blended of, and where; the weights add up to 1."""

    generated: jax.Array  # [B, H, W, 3] the network's own image, unbounded
    # [B, H, W, 4] of the moved parts, the source without its person, the source, and
    # the image.
    weights: jax.Array


def guide(
    source: jax.Array,
    source_keypoints: jax.Array,
    target_keypoints: jax.Array | None,
    height: int,
    width: int,
    blending: str = "soft",
    person: jax.Array | None = None,
) -> jax.Array:
    """All that the networks are told of the two poses, keypoints [B, 18, 3], of a
    source [B, H, W, 3] in [-1, 1]; of a person without points no part is moved. Without
    a target pose there will be nobody.

    [B, H, W, GUIDE_CHANNELS], for "sharp" blending one channel more: the moved parts
    over one another, the source without its person, how much the parts cover, where the
    background is free, the mask of each part, the heat maps of the target and of the
    source, the views of both; and where the source's pixels stay, for weights alone.
    With the `person`, of whom "sharp" blending is told, parts are moved without what is
    around them, and the background is free all around the person.
    """
    size = height, width
    free = part_warp.background(source_keypoints, *size)
    if person is not None:
        body = 1.0 - part_warp.background(source_keypoints, *size, BODY)
        free = 1.0 - widened(jnp.maximum(person, body))
    if target_keypoints is None:
        channels = 3, 1, part_warp.NUM_PARTS, len(pose.JOINTS)
        composite, coverage, masks, target_maps = (
            jnp.zeros((source.shape[0], *size, count)) for count in channels
        )
        seen = source_keypoints, source_keypoints
    else:
        poses = source_keypoints, target_keypoints
        _, masks, composite, coverage = part_warp.warp(source, *poses, *size, person)
        target_maps = pose.heat_maps(target_keypoints, *size)
        seen = target_keypoints, source_keypoints
    views = [jax.nn.one_hot(pose.view(points), len(pose.VIEWS)) for points in seen]
    flat = jnp.concatenate(views, axis=-1)[:, None, None, :]
    told = [
        composite,
        pull_push.without_person(source, free),
        coverage,
        free,
        masks,
        target_maps,
        pose.heat_maps(source_keypoints, *size),
        jnp.broadcast_to(flat, (source.shape[0], *size, _VIEWS)),
    ]
    if blending == "sharp":
        stays = jnp.ones_like(free)
        if person is not None and target_keypoints is not None:
            still = part_warp.still(source_keypoints, target_keypoints, *size)
            stays = 1.0 - (1.0 - still) * (1.0 - free)
        told.append(stays)
    return jnp.concatenate(told, axis=-1)


def widened(mask: jax.Array) -> jax.Array:
    """A mask that begins a pixel earlier on all sides."""
    return nn.max_pool(mask, (3, 3), padding="SAME")


class PartTransferGenerator(nn.Module):
    """The generator of pg2plus: a U-Net of the paper's residual blocks.

    Attributes:
        architecture: of the networks.
        final: whether the image is the result, rather than seen by a loss or by G2.
    """

    architecture: Architecture
    final: bool = False

    def __call__(self, source: jax.Array, pose: jax.Array) -> jax.Array:
        """[B, H, W, 3] in [-1, 1] and `guide` -> [B, H, W, 3], unbounded."""
        layers = self.layers(source, pose)
        behind = pose[..., _BACKGROUND]
        if self.architecture.blending == "soft":
            behind = _behind(source, pose[..., _FREE], layers)
        else:
            layers = layers._replace(weights=_where_it_stays(layers.weights, pose))
        return blend(pose[..., _COMPOSITE], behind, source, layers)

    @nn.compact
    def layers(self, source: jax.Array, guide: jax.Array) -> Layers:
        """What the image is blended of."""
        base, precision = self.architecture.base_channels, self.architecture.precision
        widths = [base * times for times in _LEVELS]
        fine = jnp.concatenate([source, guide[..., :_FINE]], axis=-1)
        # Half resolution, where a convolution costs a quarter; the last two alone see
        # the pixels themselves.
        coarse = halved(guide[..., _FINE:GUIDE_CHANNELS])
        x = jnp.concatenate([space_to_depth(fine), coarse], axis=-1)
        x = nn.relu(conv(widths[0], 3, precision, name="stem")(x))
        skips = []
        for i, width in enumerate(widths):
            if i:
                halve = conv(width, 3, precision, stride=2, name=f"halve{i - 1}")
                x = nn.relu(halve(x))
            x = self._block(width, f"encode{i}")(x)
            skips.append(x)
        for i in reversed(range(len(widths) - 1)):
            narrow = conv(widths[i], 1, precision, name=f"narrow{i}")
            x = jnp.concatenate([upsample(narrow(x), skips[i]), skips[i]], axis=-1)
            x = nn.relu(conv(widths[i], 3, precision, name=f"join{i}")(x))
            x = self._block(widths[i], f"decode{i}")(x)
        x = depth_to_space(conv(4 * base, 3, precision, name="enlarge")(x), source)
        x = jnp.concatenate([nn.relu(x), fine[..., :_PIXELS].astype(x.dtype)], axis=-1)
        x = nn.relu(conv(base, 3, precision, name="fine")(x))
        output = conv(7, 3, "float32", name="layers")(x)
        # No part gets weight where none lies.
        moved = jnp.log(jnp.maximum(guide[..., _COVERAGE], 1e-6))
        logits = output[..., 3:] + jnp.pad(moved, ((0, 0), (0, 0), (0, 0), (0, 3)))
        if self.architecture.blending == "sharp" and self.final:
            logits = _smooth(_FINALLY * logits)
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
        # The same weights for both ways of blending.
        guide = guide[..., :GUIDE_CHANNELS]
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


def halved(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> the means of each 2x2 pixels."""
    return nn.avg_pool(x, (2, 2), (2, 2), "SAME", count_include_pad=False)


def _smooth(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> binomial means of 3x3 pixels: 2x2 pixels come from the same place
    at half resolution, and along edges their differences would show as dots."""
    x = jnp.concatenate([x[:, :1], x, x[:, -1:]], axis=1)
    x = jnp.concatenate([x[:, :, :1], x, x[:, :, -1:]], axis=2)
    return nn.avg_pool(nn.avg_pool(x, (2, 2)), (2, 2))


def _behind(source: jax.Array, free: jax.Array, layers: Layers) -> jax.Array:
    """The source [B, H, W, 3] without its person, filled right up to it: what the
    network keeps of the photo is no person, nor is what is `free`, [B, H, W, 1]."""
    kept = jax.lax.stop_gradient(layers.weights[..., 2:3])
    kept = -widened(-kept)  # the edge of a person is neither
    sure = jnp.clip(2.0 * kept - 1.0, 0.0, 1.0)
    return pull_push.without_person(source, jnp.maximum(free, sure))


def _where_it_stays(weights: jax.Array, guide: jax.Array) -> jax.Array:
    """The weights [B, H, W, 4] without the source where its person leaves: the others
    share what it would have got."""
    moved, behind, kept, own = jnp.split(weights, 4, axis=-1)
    kept = kept * jnp.maximum(guide[..., _STILL], 1e-6)
    weights = jnp.concatenate([moved, behind, kept, own], axis=-1)
    return weights / weights.sum(axis=-1, keepdims=True)


def without_what_leaves(weights: jax.Array, guide: jax.Array) -> jax.Array:
    """The same where the background is better than what the network generates: the
    others share by their weights, and where they have next to none it goes to the moved
    parts where they cover, else to what is behind."""
    covered = guide[..., _COVERAGE]
    moved, behind, kept, own = jnp.split(weights, 4, axis=-1)
    leaves = kept * (1.0 - guide[..., _STILL])
    share = leaves / (1.0 - kept + _GEOMETRY)
    moved = moved + share * (moved + _GEOMETRY * covered)
    behind = behind + share * (behind + _GEOMETRY * (1.0 - covered))
    own = own * (1.0 + share)
    return jnp.concatenate([moved, behind, kept - leaves, own], axis=-1)


def blend(
    composite: jax.Array, background: jax.Array, source: jax.Array, layers: Layers
) -> jax.Array:
    """The picture [B, H, W, 3] of the moved parts, the background, the source and the
    layers, all of one size, which need not be the network's."""
    moved, behind, kept, own = jnp.split(layers.weights, 4, axis=-1)
    pictures = moved * composite + behind * background + kept * source
    return pictures + own * layers.generated
