"""The source's own pixels, moved body part by body part to the target pose.

The photo holds the textures already and both poses are known, so ten parts are carried
over by geometry alone, before any network. Deformable GANs (Siarohin et al., CVPR 2018)
move features so; here pixels are moved. The paper has nothing like it.

A target pixel reads the source at the same place of the source's frame of a part, by
bilinear interpolation. Everything is batched, and differentiable in the image.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax.pg2plus import part_frames, sampling
from pg2_jax.pg2plus.part_frames import (
    LAYER_OF,
    LAYERS,
    NUM_PARTS,
    RADIUS,
    REACH,
    Frames,
)

_JOINT_REACH = 0.1  # torso lengths that every limb begins before its first joint
_TORSO_SPAN, _TORSO_HALF = (-0.12, 1.2), 0.78  # along its axis; across, in its widths
_EDGE = 0.06  # torso lengths within which a part's mask falls from 1 to 0
_MAX_STRETCH = 2.5
MARGIN = 0.22  # torso lengths about a person for clothes, hair and bags
_CLOSE = 0.1  # the same, where little of the background may be lost
# The background is filled from cells of up to 4 times their height, smoothed so often.
_FLAT_LEVELS, _SMOOTHINGS = 2, 2
_STILL, _GONE = 0.04, 0.12  # torso lengths a pixel moves, to count as either


class Warped(NamedTuple):
    """The source's pixels at the target pose."""

    parts: jax.Array  # [B, H, W, 10, C] the source as each part carries it
    # [B, H, W, 10] in [0, 1], where each part lies, soft at its edge; 0 for a part that
    # is unknown in either pose.
    masks: jax.Array
    composite: jax.Array  # [B, H, W, C] the parts, back to front; 0 where there is none
    coverage: jax.Array  # [B, H, W, 1] in [0, 1], how much of a pixel it covers


def warp(
    image: jax.Array,
    source_keypoints: jax.Array,
    target_keypoints: jax.Array,
    height: int,
    width: int,
) -> Warped:
    """Moves the parts of a person in a photo [B, h, w, C] float32, of any size, to
    another pose: keypoints [B, 18, 3] float32, those of the source in pixels of the
    photo, those of the target in pixels of the picture to make, [B, height, width]."""
    # Both at once: half as much to compile.
    people = part_frames.frames(jnp.stack([source_keypoints, target_keypoints]))
    source, target = (Frames(*(x[i] for x in people)) for i in range(2))
    source = part_frames.with_stand_ins(source)
    along, across = _places(target, height, width)
    masks = _masks(target, along, across)
    x, y = _source_places(source, target, along, across)
    parts, inside = sampling.bilinear(image, x, y)
    usable = (source.known & target.known)[:, None, None, :]
    masks = jnp.where(usable, masks * inside, 0.0)
    return Warped(parts, masks, *_composite(parts, masks))


def background(
    keypoints: jax.Array, height: int, width: int, margin: float = MARGIN
) -> jax.Array:
    """Where a photo shows what is behind the person: [B, H, W, 1] in [0, 1], 1 farther
    than `margin` torso lengths from all parts of [B, 18, 3] keypoints, those too that
    are not seen but must be somewhere; 1 everywhere where no part is known."""
    person = part_frames.frames(part_frames.completed(keypoints))
    masks = _masks(person, *_places(person, height, width), grown=margin)
    body = jnp.where(person.known[:, None, None, :], masks, 0.0)
    return 1.0 - body.max(axis=-1, keepdims=True)


def still(
    source_keypoints: jax.Array, target_keypoints: jax.Array, height: int, width: int
) -> jax.Array:
    """Where a photo's pixels stay when its person takes the target pose: [B, H, W, 1]
    in [0, 1], 1 behind the person and on parts that hardly move, 0 where a part leaves.
    Keypoints are [B, 18, 3]; those that are not seen are where they must be."""
    both = part_frames.completed(jnp.stack([source_keypoints, target_keypoints]))
    people = part_frames.frames(both)
    source, target = (Frames(*(x[i] for x in people)) for i in range(2))
    along, across = _places(source, height, width)
    masks = _masks(source, along, across, grown=_CLOSE)
    # The map from target to source, with the roles exchanged: where each pixel goes.
    x, y = _source_places(target, source, along, across)
    dx = x - jnp.arange(width, dtype=jnp.float32).reshape(1, 1, width, 1)
    dy = y - jnp.arange(height, dtype=jnp.float32).reshape(1, height, 1, 1)
    unit = source.unit[:, None, None, None]
    way = jnp.sqrt(dx**2 + dy**2) / jnp.maximum(unit, 1e-3)
    leaves = masks * jnp.clip((way - _STILL) / (_GONE - _STILL), 0.0, 1.0)
    # A part that the target pose lacks leaves too, unless nobody is in it.
    unknown = target.known.any(axis=-1, keepdims=True) & ~target.known
    leaves = jnp.where(unknown[:, None, None, :], masks, leaves)
    known = (source.known & target.known.any(axis=-1, keepdims=True))[:, None, None, :]
    return 1.0 - jnp.where(known, leaves, 0.0).max(axis=-1, keepdims=True)


def without_person(image: jax.Array, free: jax.Array) -> jax.Array:
    """A photo [B, H, W, C] whose person is painted over with what is around: where the
    `background` [B, H, W, 1] is not free, averages of the free pixels, nearer ones
    first (pull-push, Gortler et al., "The Lumigraph", 1996). What is beside a person
    counts before what is above: walls and floors go on sideways."""
    pyramid = [(image * free, free)]
    while max(pyramid[-1][0].shape[1:3]) > 1:
        pyramid.append(_coarser(*pyramid[-1], flat=len(pyramid) <= _FLAT_LEVELS))
    mean, weight = pyramid.pop()
    filled = mean / jnp.maximum(weight, 1e-6)
    while pyramid:
        mean, weight = pyramid.pop()
        # What is free keeps its share; the rest is what is known farther away.
        filled = mean + (1.0 - weight) * sampling.enlarged(filled, *mean.shape[1:3])
        for _ in range(_SMOOTHINGS):
            filled = mean + (1.0 - weight) * _of_neighbours(filled)
    return filled


def _coarser(
    mean: jax.Array, weight: jax.Array, flat: bool
) -> tuple[jax.Array, jax.Array]:
    """A level of half the width and, if not `flat`, half the height. One free pixel
    makes a cell count in full: its edge would take on the colour of afar else."""
    cell = (1, 1 if flat and mean.shape[2] > 1 else 2, 2, 1)
    total, weights = (
        jax.lax.reduce_window(x, 0.0, jax.lax.add, cell, cell, "SAME")
        for x in (mean, weight)
    )
    full = jnp.minimum(weights, 1.0)
    return total * (full / jnp.maximum(weights, 1e-6)), full


def _of_neighbours(x: jax.Array) -> jax.Array:
    """The mean of the four pixels around each; beyond the border is the border."""
    tall = jnp.concatenate([x[:, :1], x, x[:, -1:]], axis=1)
    wide = jnp.concatenate([x[:, :, :1], x, x[:, :, -1:]], axis=2)
    return (tall[:, :-2] + tall[:, 2:] + wide[:, :, :-2] + wide[:, :, 2:]) / 4


def _places(target: Frames, height: int, width: int) -> tuple[jax.Array, jax.Array]:
    """Each pixel in each part's frame, in pixels along and across; [B, H, W, 10]."""
    columns = jnp.arange(width, dtype=jnp.float32).reshape(1, 1, width, 1)
    rows = jnp.arange(height, dtype=jnp.float32).reshape(1, height, 1, 1)

    def each(x: jax.Array) -> jax.Array:
        return x[:, None, None, :]

    dx = columns - each(target.origin[..., 0])
    dy = rows - each(target.origin[..., 1])
    along = dx * each(target.along[..., 0]) + dy * each(target.along[..., 1])
    across = dx * each(target.across[..., 0]) + dy * each(target.across[..., 1])
    return along, across


def _masks(
    target: Frames, along: jax.Array, across: jax.Array, grown: float = 0.0
) -> jax.Array:
    """Where each part lies in the target, from 1 inside to 0 outside, with a border of
    `grown` torso lengths; [B, H, W, 10]."""
    unit = target.unit[:, None, None, None]
    length = target.length[:, None, None, :]
    torso, head = 4, 5
    shape = (1, 1, 1, NUM_PARTS)
    first = np.full(NUM_PARTS, -_JOINT_REACH, np.float32)
    last = np.ones(NUM_PARTS, np.float32)
    first[head] = last[head] = 0.0  # a disc about its centre
    end = length * last.reshape(shape) + unit * REACH.reshape(shape)
    nearest = jnp.clip(along, unit * first.reshape(shape), end)
    radius = unit * RADIUS.reshape(shape)
    distance = jnp.sqrt((along - nearest) ** 2 + across**2) - radius

    begin, stop = _TORSO_SPAN
    torso_width = jnp.abs(target.width[:, None, None, torso])
    box = jnp.maximum(
        jnp.maximum(
            begin * length[..., torso] - along[..., torso],
            along[..., torso] - stop * length[..., torso],
        ),
        jnp.abs(across[..., torso]) - _TORSO_HALF * torso_width,
    )
    distance = distance.at[..., torso].set(box)
    edge = jnp.maximum(_EDGE * unit, 1.0)
    return jnp.clip(0.5 - (distance - grown * unit) / edge, 0.0, 1.0)


def _source_places(
    source: Frames, target: Frames, along: jax.Array, across: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Each pixel of each part in the source photo, x and y; [B, H, W, 10]."""

    def each(x: jax.Array) -> jax.Array:
        return x[:, None, None, :]

    def ratio(a: jax.Array, b: jax.Array) -> jax.Array:
        return a / jnp.where(jnp.abs(b) > 1e-6, b, 1.0)

    # A foreshortened limb is stretched between its joints; what is beyond is not.
    size = ratio(source.unit, target.unit)[:, None, None, None]
    length = each(target.length)
    inner = jnp.clip(along, 0.0, length)
    far = inner * each(ratio(source.length, target.length)) + (along - inner) * size
    stretch = ratio(ratio(source.width, target.width), size[:, 0, 0])
    stretch = jnp.clip(stretch, -_MAX_STRETCH, _MAX_STRETCH)
    aside = across * each(stretch) * size
    x, y = (
        each(source.origin[..., i])
        + far * each(source.along[..., i])
        + aside * each(source.across[..., i])
        for i in range(2)
    )
    return x, y


def _composite(parts: jax.Array, masks: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The parts over one another, back to front, and how much they cover."""
    composite = jnp.zeros_like(parts[..., 0, :])
    coverage = jnp.zeros_like(masks[..., :1])
    for layer in range(len(LAYERS)):
        members = slice(*np.searchsorted(LAYER_OF, [layer, layer + 1]))
        opacity = masks[..., members]
        together = opacity.sum(axis=-1, keepdims=True)
        mean = jnp.sum(parts[..., members, :] * opacity[..., None], axis=-2)
        mean = mean / jnp.maximum(together, 1e-6)
        covers = 1.0 - jnp.prod(1.0 - opacity, axis=-1, keepdims=True)
        composite = composite * (1.0 - covers) + mean * covers
        coverage = coverage * (1.0 - covers) + covers
    return composite, coverage
