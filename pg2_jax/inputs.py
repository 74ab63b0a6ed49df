"""What the networks see, derived on the device from a batch of photos and keypoints."""

from typing import Any, TypedDict

import jax
import jax.numpy as jnp

from pg2_jax import pose
from pg2_jax.architecture import Architecture
from pg2_jax.pg2plus import guides, parsing, part_warp

Array = Any  # numpy on the host, jax.Array on the devices


class Batch(TypedDict):
    """What the input pipeline yields. Where the photos are kept, a batch can have their
    numbers, [B] int32, in place of images; `with_images` looks them up."""

    source_image: Array  # [B, H, W, 3] uint8
    target_image: Array  # [B, H, W, 3] uint8
    source_keypoints: Array  # [B, 18, 3] float32
    target_keypoints: Array  # [B, 18, 3] float32


class Inputs(TypedDict):
    """One batch as the networks and losses take it."""

    source: jax.Array  # [B, H, W, 3] in [-1, 1]
    target: jax.Array  # [B, H, W, 3] in [-1, 1]
    pose: jax.Array  # the target pose as G1 takes it, see `pose_input`
    # [B, H, W, 1] in {0, 1}, the target's body; -1 where nothing is asked of the image.
    mask: jax.Array


def with_images(batch: Batch, photos: Array | None) -> Batch:
    """A batch of numbers with the images, taken from `photos`, [N, H, W, 3] uint8; by
    numpy or on the device, as the photos are. Without photos the batch as it is."""
    if photos is None:
        return batch
    source, target = photos[batch["source_image"]], photos[batch["target_image"]]
    return {**batch, "source_image": source, "target_image": target}


def prepare(batch: Batch, architecture: Architecture) -> Inputs:
    """Derives what the networks see from a batch: scaling, pose, body mask."""
    source = from_uint8(batch["source_image"])
    poses = batch["source_keypoints"], batch["target_keypoints"]
    return Inputs(
        source=source,
        target=from_uint8(batch["target_image"]),
        pose=pose_input(source, *poses, architecture),
        mask=pose.body_mask(batch["target_keypoints"], *architecture.size),
    )


def with_background_of_source(seen: Inputs, batch: Batch) -> Inputs:
    """A batch whose target stands in the source's background; -1 in the mask, which
    leaves it out of L1, is what the source's person hides and the target's does not."""
    size = seen["source"].shape[1:3]
    source_body = part_warp.background(batch["source_keypoints"], *size) < 0.5
    target_body = part_warp.background(batch["target_keypoints"], *size) < 0.5
    target = jnp.where(target_body, seen["target"], seen["source"])
    unknown = source_body & ~target_body
    mask = jnp.where(target_body, 1.0, jnp.where(unknown, -1.0, 0.0))
    return {**seen, "target": target, "mask": mask}


def from_uint8(image: jax.Array) -> jax.Array:
    """Scales uint8 [..., 3] in 0 .. 255 to float32 in [-1, 1]."""
    return image.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(image: jax.Array) -> jax.Array:
    """Clips float [..., 3] to [-1, 1] and rounds it to uint8 in 0 .. 255. The authors'
    test program truncates instead, which darkens by half a level."""
    return jnp.round(jnp.clip((image + 1.0) * 127.5, 0.0, 255.0)).astype(jnp.uint8)


def pose_input(
    source: jax.Array,
    source_keypoints: jax.Array,
    target_keypoints: jax.Array,
    architecture: Architecture,
    parsed: parsing.Parsed | None = None,
) -> jax.Array:
    """The pose to generate, as G1 was built to take it: heat maps [B, H, W, 18] of the
    target in the architecture's range; for the coordinate embedding [B, 54]; for the
    view [B, 3], 1 at its index in `pose.VIEWS`; for "part_transfer" the guide, for
    which alone the source, [B, H, W, 3] in [-1, 1], and its keypoints are needed, and
    which looks for its person if it was not `parsed` before. Keypoints are [B, 18,
    3]."""
    size = architecture.size
    if architecture.needs_source_pose:
        poses = source_keypoints, target_keypoints
        return guides.guide(source, *poses, *size, parsed)
    if architecture.pose_embedding == "coordinate":
        return pose.coordinates(target_keypoints, *size)
    if architecture.pose_embedding == "view":
        return jax.nn.one_hot(pose.view(target_keypoints), len(pose.VIEWS))
    maps = pose.heat_maps(target_keypoints, *size)
    return maps if architecture.heat_map_range == "zero_one" else 2.0 * maps - 1.0
