"""Who of a photo the person is, found by the network that moves people.

It is asked for the photo with nobody in it: what it does not keep is the person. It
learns that from pairs of photos, see `lesson`; no masks are needed.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from pg2_jax import losses, pose
from pg2_jax.architecture import Architecture
from pg2_jax.pg2plus import guides, part_transfer, part_warp, sampling

_HALVED = 64  # pixels of the shorter side from which half of them are enough
_OTHER = 0.15  # of colours in [-1, 1]: what differs so much is something else
# Where nobody is, a mean difference, as a share of that, of another scene. By trial: of
# synthetic people 0.2 at most in the same scene, 0.5 at least in another.
_CHANGED = 0.3
_TINY = 1e-6  # no logarithm of 0
_NEAR = 1.0  # torso lengths from the parts within which somebody can be the person


class Lesson(NamedTuple):
    """A photo with somebody in it, and which of its pixels stay with nobody."""

    source: jax.Array  # [B, H, W, 3] in [-1, 1]
    guide: jax.Array  # to nobody
    stays: jax.Array  # [B, H, W, 1] in [0, 1]
    known: jax.Array  # [B, H, W, 1] in {0, 1}, where that is known


def find(
    params: Any, source: jax.Array, keypoints: jax.Array, architecture: Architecture
) -> jax.Array:
    """How likely each pixel of a photo [B, H, W, 3] in [-1, 1] with keypoints [B, 18,
    3] is the person: [B, H, W, 1] in [0, 1], by what the generator keeps of the photo
    where there is to be nobody."""
    size = source.shape[1], source.shape[2]
    photo, points = _question(source, keypoints)
    guide = _guide(photo, points, architecture)
    kept = _kept(params, photo, guide, architecture)
    person = 1.0 - sampling.enlarged(kept, *size)
    person = jnp.maximum(person, part_warp.inside(keypoints, *size))
    # Without gaps of up to two pixels.
    person = -guides.widened(-guides.widened(person))
    near = 1.0 - part_warp.background(keypoints, *size, _NEAR)
    return jax.lax.stop_gradient(person * near)


def _question(photo: jax.Array, keypoints: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The photo and keypoints of which the generator is asked: of half the size, if
    that is large enough. It is a quarter of the work, and less of clothes and hair at
    the edge is missed."""
    if min(photo.shape[1:3]) < _HALVED:
        return photo, keypoints
    return part_transfer.halved(photo), pose.scaled(keypoints, 0.5)


def _guide(
    photo: jax.Array, points: jax.Array, architecture: Architecture
) -> jax.Array:
    size = photo.shape[1], photo.shape[2]
    return guides.guide(photo, points, None, *size, architecture.blending)


def lesson(
    source: jax.Array,
    target: jax.Array,
    source_keypoints: jax.Array,
    target_keypoints: jax.Array,
    architecture: Architecture,
) -> Lesson:
    """What a pair of photos [B, H, W, 3] in [-1, 1] with keypoints [B, 18, 3] teaches
    of what `find` asks. In the same scene what differs is the person, where the target
    shows nobody; in another scene, and in the middle of parts, the pose alone tells."""
    photo, points = _question(source, source_keypoints)
    other, goal = _question(target, target_keypoints)
    size = photo.shape[1], photo.shape[2]
    difference = jnp.abs(photo - other).mean(axis=-1, keepdims=True)
    differs = jnp.clip(difference / _OTHER, 0.0, 1.0)
    # People stand in each other's place: their middles are hardly ever free.
    middle = part_warp.background(points, *size, guides.BODY) <= 0.0
    beyond = part_warp.background(points, *size) >= 1.0
    free = part_warp.background(goal, *size) >= 1.0
    # Of a target without any part nobody knows where its person is.
    free &= (part_warp.background(goal, *size) < 1.0).any(axis=(1, 2), keepdims=True)
    both = beyond & free
    changed = losses.mean_of_each((differs - _CHANGED) * both) > 0.0
    changed = changed[:, None, None, None]
    stays = jnp.where(changed, beyond, 1.0 - differs)
    near = part_warp.background(points, *size, _NEAR) < 1.0
    known = near & jnp.where(changed, beyond, free)
    guide = _guide(photo, points, architecture)
    return Lesson(photo, guide, jnp.where(middle, 0.0, stays), middle | known)


def lesson_loss(params: Any, taught: Lesson, architecture: Architecture) -> jax.Array:
    """The cross entropy of a lesson and of what the generator keeps, [B]."""
    kept = _kept(params, taught.source, taught.guide, architecture)
    logs = jnp.log(kept + _TINY), jnp.log(1.0 - kept + _TINY)
    missed = -taught.stays * logs[0] - (1.0 - taught.stays) * logs[1]
    return losses.mean_of_each(missed * taught.known)


def _kept(
    params: Any, photo: jax.Array, guide: jax.Array, architecture: Architecture
) -> jax.Array:
    """How much of each pixel the generator keeps, [B, H, W, 1]."""
    network = part_transfer.PartTransferGenerator(architecture)
    layers: Any = network.apply({"params": params}, photo, guide, method="layers")
    return layers.weights[..., 2:3]
