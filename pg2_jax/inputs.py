"""What the networks see, derived on the device from a batch of photos and keypoints."""

from typing import Any, TypedDict

import jax
import jax.numpy as jnp

from pg2_jax import pose
from pg2_jax.architecture import Architecture

Array = Any  # numpy on the host, jax.Array on the devices


class Batch(TypedDict):
    """What the input pipeline yields; everything else is derived on the device."""

    source_image: Array  # [B, H, W, 3] uint8
    target_image: Array  # [B, H, W, 3] uint8
    source_keypoints: Array  # [B, 18, 3] float32
    target_keypoints: Array  # [B, 18, 3] float32


class Inputs(TypedDict):
    """One batch as the networks and losses take it."""

    source: jax.Array  # [B, H, W, 3] in [-1, 1]
    target: jax.Array  # [B, H, W, 3] in [-1, 1]
    pose: jax.Array  # the target pose as G1 takes it, see `pose_input`
    mask: jax.Array  # [B, H, W, 1] in {0, 1}, the target's body


def prepare(batch: Batch, architecture: Architecture) -> Inputs:
    """Derives what the networks see from a batch: scaling, pose, body mask."""
    size = (architecture.image_height, architecture.image_width)
    return Inputs(
        source=from_uint8(batch["source_image"]),
        target=from_uint8(batch["target_image"]),
        pose=pose_input(batch["target_keypoints"], architecture),
        mask=pose.body_mask(batch["target_keypoints"], *size),
    )


def from_uint8(image: jax.Array) -> jax.Array:
    """Scales uint8 [..., 3] in 0 .. 255 to float32 in [-1, 1]."""
    return image.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(image: jax.Array) -> jax.Array:
    """Clips float [..., 3] to [-1, 1] and rounds it to uint8 in 0 .. 255. The authors'
    test program truncates instead, which darkens by half a level."""
    return jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0)).astype(jnp.uint8)


def pose_input(keypoints: jax.Array, architecture: Architecture) -> jax.Array:
    """The pose [B, 18, 3], (x, y, visible), as G1 was built to take it. Heat maps [B,
    H, W, 18] in the architecture's range; for the coordinate embedding [B, 54]; for the
    view [B, 3], 1 at its index in `pose.VIEWS`."""
    size = (architecture.image_height, architecture.image_width)
    if architecture.pose_embedding == "coordinate":
        return pose.coordinates(keypoints, *size)
    if architecture.pose_embedding == "view":
        return jax.nn.one_hot(pose.view(keypoints), len(pose.VIEWS))
    maps = pose.heat_maps(keypoints, *size)
    return maps if architecture.heat_map_range == "zero_one" else 2.0 * maps - 1.0


def flip_at_random(batch: Batch, key: jax.Array) -> Batch:
    """Mirrors each pair, both photos and both poses, with probability one half."""
    size, _, width, _ = batch["source_image"].shape
    flipped = jax.random.bernoulli(key, 0.5, (size,))
    mirrored = Batch(
        source_image=batch["source_image"][:, :, ::-1],
        target_image=batch["target_image"][:, :, ::-1],
        source_keypoints=pose.flip_keypoints(batch["source_keypoints"], width),
        target_keypoints=pose.flip_keypoints(batch["target_keypoints"], width),
    )

    def choose(mirror: jax.Array, same: jax.Array) -> jax.Array:
        return jnp.where(flipped.reshape(-1, *[1] * (same.ndim - 1)), mirror, same)

    return jax.tree.map(choose, mirrored, batch)
