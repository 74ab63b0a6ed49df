"""What the networks of pg2plus are told of a photo and of two poses: the guide."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax import pose
from pg2_jax.pg2plus import part_frames, part_warp, pull_push, skirts

# The channels of a guide.
COMPOSITE, BACKGROUND = slice(0, 3), slice(3, 6)
COVERAGE, FREE = slice(6, 7), slice(7, 8)
HEAD = slice(8 + part_frames.HEAD, 9 + part_frames.HEAD)
FINE = 8 + part_frames.NUM_PARTS  # of them before the heat maps
_VIEWS = 2 * len(pose.VIEWS)
CHANNELS = FINE + 2 * len(pose.JOINTS) + _VIEWS
# For sharp blending alone.
STILL, INSIDE = slice(CHANNELS, CHANNELS + 1), slice(CHANNELS + 1, CHANNELS + 2)
BODY = -0.1  # torso lengths: what is so far inside the parts is no background


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

    [B, H, W, CHANNELS], for "sharp" blending two channels more: the moved parts
    over one another, the source without its person, how much the parts cover, where the
    background is free, the mask of each part, the heat maps of the target and of the
    source, the views of both; and, for weights alone, where the source's pixels stay,
    and where the target certainly is.
    With how likely each pixel is the `person`, [B, H, W, 1] in [0, 1], which "sharp"
    blending is told, parts are moved without what is around them, and the background is
    free all around the person.
    """
    size = height, width
    free = part_warp.background(source_keypoints, *size)
    likely = person
    if person is not None:
        body = 1.0 - part_warp.background(source_keypoints, *size, BODY)
        # In doubt it is no background and does not move along: little hair stays, and
        # little of a wall moves.
        free = 1.0 - widened(jnp.maximum(possible(person), body))
        person = certain(person)
    if target_keypoints is None:
        channels = 3, 1, part_frames.NUM_PARTS, len(pose.JOINTS)
        composite, coverage, masks, target_maps = (
            jnp.zeros((source.shape[0], *size, count)) for count in channels
        )
        seen = source_keypoints, source_keypoints
    else:
        poses = source_keypoints, target_keypoints
        cloth = None
        if likely is not None:
            cloth = skirts.cloth(source, source_keypoints, likely)
        _, masks, composite, coverage, lap = part_warp.warp(
            source, *poses, *size, person, cloth=cloth
        )
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
        stays, inside = jnp.ones_like(free), jnp.zeros_like(free)
        if target_keypoints is not None:
            inside = jnp.maximum(part_warp.inside(target_keypoints, *size), lap)
        if person is not None and target_keypoints is not None:
            still = part_warp.still(source_keypoints, target_keypoints, *size)
            stays = 1.0 - (1.0 - still) * widened(1.0 - free)
        told += [stays, inside]
    # XLA would compute it anew for each slice.
    return jax.lax.optimization_barrier(jnp.concatenate(told, axis=-1))


def possible(person: jax.Array) -> jax.Array:
    """Where the person may be, which is no background, of how likely that is."""
    return jnp.clip(3.0 * person - 0.3, 0.0, 1.0)


def certain(person: jax.Array) -> jax.Array:
    """Where the person is for certain, which moves along, of how likely that is."""
    return jnp.clip(2.5 * person - 1.0, 0.0, 1.0)


def widened(mask: jax.Array) -> jax.Array:
    """A mask that begins a pixel earlier on all sides."""
    return nn.max_pool(mask, (3, 3), padding="SAME")
