"""What the networks of pg2plus are told of a photo and of two poses: the guide."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax import pose
from pg2_jax.pg2plus import (
    bodies,
    parsing,
    part_frames,
    part_warp,
    pull_push,
    sampling,
    skirts,
)
from pg2_jax.pg2plus.bodies import Person

# The channels of a guide.
COMPOSITE, BACKGROUND = slice(0, 3), slice(3, 6)
COVERAGE = slice(6, 7)
HEAD = slice(8 + part_frames.HEAD, 9 + part_frames.HEAD)
FINE = 8 + part_frames.NUM_PARTS  # of them before the heat maps
_VIEWS = 2 * len(pose.VIEWS)
CHANNELS = FINE + 2 * len(pose.JOINTS) + _VIEWS
# For the weights of blending alone.
STILL, INSIDE = slice(CHANNELS, CHANNELS + 1), slice(CHANNELS + 1, CHANNELS + 2)
_SHADE = 0.35  # of a head's light is lost at the nape
BODY = -0.1  # torso lengths: what is so far inside the parts is no background


def guide(
    source: jax.Array,
    source_keypoints: jax.Array,
    target_keypoints: jax.Array,
    height: int,
    width: int,
    parsed: parsing.Parsed | None = None,
) -> jax.Array:
    """All that the networks are told of the two poses, keypoints [B, 18, 3], of a
    source [B, H, W, 3] in [-1, 1]; of a person without points no part is moved. The
    person is found in the photo, unless it was `parsed` before: parts are moved without
    what is around them, and the background is free all around the person.

    [B, H, W, CHANNELS + 2]: the moved parts over one another, the source without its
    person, how much the parts cover, where the background is free, the mask of each
    part, the heat maps of the target and of the source, the views of both; and, for
    weights alone, where the source's pixels stay, and where the target certainly is.
    """
    poses, size = bodies.pair(source_keypoints, target_keypoints), (height, width)
    likely, hair, seen = parsed or parsing.parse(source, poses[0])
    body = 1.0 - part_warp.background(poses[0], *size, BODY)
    # In doubt it is no background and does not move along: little hair stays, and
    # little of a wall moves.
    free = 1.0 - widened(jnp.maximum(possible(likely), body))
    person = certain(likely)
    strands, light, _ = hairy(source, poses[0], hair * person)
    _, masks, composite, coverage, lap = part_warp.warp(
        source,
        *poses,
        *size,
        parsing.Parsed(person, hair, seen),
        hairy=shaded(strands, light),
        cloth=skirts.cloth(source, poses[0], likely),
    )
    still = part_warp.still(*poses, *size)
    views = [
        jax.nn.one_hot(pose.view(points), len(pose.VIEWS))
        for points in (target_keypoints, source_keypoints)
    ]
    flat = jnp.concatenate(views, axis=-1)[:, None, None, :]
    told = [
        composite,
        pull_push.without_person(source, free),
        coverage,
        free,
        masks,
        pose.heat_maps(target_keypoints, *size),
        pose.heat_maps(source_keypoints, *size),
        jnp.broadcast_to(flat, (source.shape[0], *size, _VIEWS)),
        1.0 - (1.0 - still) * widened(1.0 - free),
        jnp.maximum(part_warp.inside(poses[1], *size), lap),
    ]
    # XLA would compute it anew for each slice.
    return jax.lax.optimization_barrier(jnp.concatenate(told, axis=-1))


def hairy(
    image: jax.Array, person: Person, hair: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A photo [B, h, w, 3] with hair everywhere: that of the ring about the face, and
    its mean colour where the ring has none. Hair is what is likeliest, [B, h, w, 1] in
    [0, 1], outside of the face, even if nowhere certain, as on bald heads. And the
    light in which it is, less down to the nape, and where the photo itself has hair,
    [B, h, w, 1] each."""
    outside, x, y, low = part_warp.beside_face(person, *image.shape[1:3])
    hair = hair * outside
    most = hair.max(axis=(1, 2, 3), keepdims=True)
    sure = jnp.clip(4.0 * hair / jnp.maximum(most, 1e-3) - 2.0, 0.0, 1.0)
    # Its edge has other colours in it.
    inner = -widened(-sure) + 0.01 * sure
    total = jnp.sum(inner * image, axis=(1, 2), keepdims=True)
    mean = total / jnp.maximum(inner.sum(axis=(1, 2), keepdims=True), 1e-3)
    strands = sampling.bilinear(jnp.concatenate([image, inner], axis=-1), x, y)
    strands = mean + strands[..., 3:] * (strands[..., :3] - mean)
    return strands + sure * (image - strands), 1.0 - _SHADE * low * (1.0 - sure), sure


def shaded(image: jax.Array, light: jax.Array) -> jax.Array:
    """An image in [-1, 1] in so much light, [B, h, w, 1] in [0, 1]."""
    return (image + 1.0) * light - 1.0


def possible(person: jax.Array) -> jax.Array:
    """Where the person may be, which is no background, of how likely that is."""
    return jnp.clip(3.0 * person - 0.3, 0.0, 1.0)


def certain(person: jax.Array) -> jax.Array:
    """Where the person is for certain, which moves along, of how likely that is."""
    return jnp.clip(2.5 * person - 1.0, 0.0, 1.0)


def widened(mask: jax.Array) -> jax.Array:
    """A mask that begins a pixel earlier on all sides."""
    return nn.max_pool(mask, (3, 3), padding="SAME")
