"""Pictures at the photo's own resolution, by models that move its pixels.

The network works at its size and says with what weights the moved parts, the photo
without and with its person, and its own image are blended. Weights and image are
enlarged; the others are read from the photo itself, which is taken apart first.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from pg2_jax import cpu_convolution, errors, inputs
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.inference import exported_model, scene
from pg2_jax.inference.source_photo import Source
from pg2_jax.pg2plus import part_transfer, part_warp, sampling
from pg2_jax.photos import crop

MAX_SIDE = 1024
_GENERATED = 0.1  # torso lengths about a person in which the network generates
# (source, poses [N, 18, 3] in pixels of the model's image, max_side) -> the photo's
# part, uint8 [h, w, 3], and the pictures; None where the joints are not known.
Pictures = tuple[np.ndarray, list[np.ndarray]] | None
Enlarge = Callable[[Source, np.ndarray, int], Pictures]


def of(model: restore.Generators | exported_model.Program) -> Enlarge | None:
    """What makes a model's pictures at the photo's resolution; None for a model that
    generates every pixel itself, or whose network cannot be looked into."""
    if isinstance(model, exported_model.Program) or model.refine is not None:
        return None
    if not model.architecture.needs_source_pose:
        return None

    def enlarge(source: Source, poses: np.ndarray, max_side: int) -> Pictures:
        if source.pose is None:
            return None
        photo = photo_of(source.photo, source.frame, source.image.shape[:2], max_side)
        place = scene.read(model, source, source.image if photo is None else photo)
        given = (source.image, *place, np.asarray(source.pose, np.float32))
        program = cpu_convolution.jitted(_generate, "scale", "architecture")
        # One after the other: at this size each fills the memory of many small ones.
        pictures = [
            program(
                model.coarse,
                *(x[None] for x in (*given, pose.astype(np.float32))),
                scale=len(place.photo) // len(source.image),
                architecture=model.architecture,
            )
            for pose in poses
        ]
        return place.photo, [np.asarray(picture[0]) for picture in pictures]

    return enlarge


def photo_of(
    photo: Image.Image, frame: crop.Frame, size: crop.Size, max_side: int
) -> np.ndarray | None:
    """The part of a photo that the model sees at its (height, width) `size`, at the
    photo's own resolution, uint8 [h, w, 3]; None where it has no more pixels."""
    scale = _scale(frame, size, max_side)
    if scale == 1:
        return None
    left, top, right, bottom = (scale * side for side in frame.target)
    larger = crop.Frame(frame.source, crop.Box(left, top, right, bottom))
    return np.asarray(crop.apply(photo, larger, (scale * size[0], scale * size[1])))


def _scale(frame: crop.Frame, size: crop.Size, max_side: int) -> int:
    """By how much the model's image is enlarged within `max_side`: the power of two
    next to the photo's resolution, so that few programs are compiled."""
    if max_side < 1:
        raise errors.ArgumentError("max_side", max_side, " must be 1 or more.")
    finest = max(1.0, frame.source.height / frame.target.height)
    most = max(1.0, max_side / max(size))
    nearest = 2 ** round(math.log2(finest))
    return min(nearest, 2 ** math.floor(math.log2(most)))


def _generate(
    params: restore.PyTree,
    image: jax.Array,
    photo: jax.Array,
    background: jax.Array,
    person: jax.Array,
    source_pose: jax.Array,
    target_pose: jax.Array,
    *,
    scale: int,
    architecture: Architecture,
) -> jax.Array:
    """The picture, uint8 [1, h, w, 3], of a photo of that size taken apart."""
    source, large, behind = map(inputs.from_uint8, (image, photo, background))
    poses = source_pose, target_pose
    seen = None
    if architecture.blending == "sharp":
        seen = part_transfer.Person(person, jnp.ones((1, 1, 1, 1)))
    guide = inputs.pose_input(source, *poses, architecture, seen)
    network = part_transfer.PartTransferGenerator(architecture, final=True)
    layers: Any = network.apply({"params": params}, source, guide, method="layers")
    if seen is not None:
        weights = part_transfer.without_what_leaves(layers.weights, guide)
        layers = layers._replace(weights=weights)
    height, width = photo.shape[1:3]
    own, weights, mask = (
        sampling.enlarged(x, height, width) for x in (*layers, person)
    )
    before, after = (_enlarged(points, scale) for points in poses)
    moved = part_warp.warp(
        large, before, after, height, width, None if seen is None else mask
    )
    # Away from the person in the new pose a piece of the photo is better than what the
    # network makes up.
    away = part_warp.background(after, height, width, _GENERATED)
    own += away * (behind - own)
    layers = part_transfer.Layers(own, weights)
    return inputs.to_uint8(part_transfer.blend(moved.composite, behind, large, layers))


def _enlarged(keypoints: jax.Array, scale: int) -> jax.Array:
    """Keypoints in pixels of an image `scale` times as large: pixels have centres."""
    points = (keypoints[..., :2] + 0.5) * scale - 0.5
    return jnp.concatenate([points, keypoints[..., 2:]], axis=-1)
