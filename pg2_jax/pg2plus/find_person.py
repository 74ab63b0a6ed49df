"""Who of a photo the person is, found by the network that moves people."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax.architecture import Architecture
from pg2_jax.pg2plus import part_transfer, part_warp, sampling

_UNKNOWN_EVERY = 4
_HALVED = 64  # pixels of the shorter side from which half of them are enough
_NEAR = 1.0  # torso lengths from the parts within which somebody can be the person


def find(
    params: Any, source: jax.Array, keypoints: jax.Array, architecture: Architecture
) -> jax.Array:
    """Who of a photo [B, H, W, 3] in [-1, 1] with keypoints [B, 18, 3] the person is:
    [B, H, W, 1] in [0, 1], by what the generator keeps of the photo where there is to
    be nobody. It learns that by moving people; no mask teaches it."""
    size = source.shape[1], source.shape[2]
    halved = min(size) >= _HALVED
    person = 1.0 - _kept(params, source, keypoints, architecture, halved)
    person = jnp.maximum(person, part_warp.inside(keypoints, *size))
    # Without gaps of up to two pixels and without single pixels; nothing far away. In
    # doubt it is the person: a little wall that moves along is better than some hair
    # that stays. What is enlarged is wide and soft already.
    person = -part_transfer.widened(-part_transfer.widened(person))
    if not halved:
        person = jnp.clip(2.0 * nn.avg_pool(person, (3, 3), padding="SAME"), 0.0, 1.0)
    near = 1.0 - part_warp.background(keypoints, *size, _NEAR)
    return jax.lax.stop_gradient(person * near)


def _kept(
    params: Any,
    source: jax.Array,
    keypoints: jax.Array,
    architecture: Architecture,
    halved: bool,
) -> jax.Array:
    """How much of each pixel the generator keeps, [B, H, W, 1], when there is to be
    nobody. Asked of the photo at half its size it is a quarter of the work, and less
    of clothes and hair at the edge is missed."""
    height, width = source.shape[1:3]
    if halved:
        source = part_transfer.halved(source)
        points = (keypoints[..., :2] + 0.5) / 2 - 0.5
        keypoints = jnp.concatenate([points, keypoints[..., 2:]], axis=-1)
    size = source.shape[1], source.shape[2]
    told = part_transfer.guide(source, keypoints, None, *size, architecture.blending)
    network = part_transfer.PartTransferGenerator(architecture)
    layers: Any = network.apply({"params": params}, source, told, method="layers")
    return sampling.enlarged(layers.weights[..., 2:3], height, width)


def known(
    params: Any, source: jax.Array, keypoints: jax.Array, architecture: Architecture
) -> part_transfer.Person:
    """`find`, all of whom are relied on."""
    mask = find(params, source, keypoints, architecture)
    return part_transfer.Person(mask, jnp.ones_like(mask[:, :1, :1]))


def partly_known(
    params: Any,
    source: jax.Array,
    keypoints: jax.Array,
    architecture: Architecture,
    step: jax.Array,
) -> part_transfer.Person:
    """`find` for training: in each of `step`'s batches a quarter of the people
    stay unknown, for whom the network goes on learning who is the person."""
    mask = find(params, source, keypoints, architecture)
    known = (jnp.arange(len(mask)) + step) % _UNKNOWN_EVERY != 0
    known = known[:, None, None, None]
    guess = 1.0 - part_warp.background(keypoints, *mask.shape[1:3])
    return part_transfer.Person(
        jnp.where(known, mask, guess), known.astype(jnp.float32)
    )
