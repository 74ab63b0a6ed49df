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

from pg2_jax.pg2plus import missing_joints, part_frames, pull_push, sampling
from pg2_jax.pg2plus.part_frames import (
    HEAD,
    LAYER_OF,
    LAYERS,
    NUM_PARTS,
    RADIUS,
    REACH,
    TORSO,
    Frames,
)

_JOINT_REACH = 0.1  # torso lengths that every limb begins before its first joint
_TORSO_SPAN, _TORSO_HALF = (-0.12, 1.2), 0.78  # along its axis; across, in its widths
_EDGE = 0.06  # torso lengths within which a part's mask falls from 1 to 0
_MAX_STRETCH = 2.5
MARGIN = 0.22  # torso lengths about a person for clothes, hair and bags
_CLOSE = 0.1  # the same, where little of the background may be lost
# What arms can hide, and which: both over the thighs, torso and head; a forearm over
# the upper arm of the other side.
_ARMS, _FOREARMS = 6, 8  # where they begin
_UNDER_ARMS = *((part, (6, 7, 8, 9)) for part in (0, 1, 4, 5)), (6, (9,)), (7, (8,))
_SHOULDER = 0.25  # of an upper arm
_INSIDE = -0.1  # from there on a limb or a head is certainly the person
_HEAD_ALONE = 0.12  # torso lengths by which a head is narrower than its disc, with hair
_STILL, _GONE = 0.02, 0.08  # torso lengths a pixel moves, to count as either


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
    person: jax.Array | None = None,
) -> Warped:
    """Moves the parts of a person in a photo [B, h, w, C] float32, of any size, to
    another pose: keypoints [B, 18, 3] float32, those of the source in pixels of the
    photo, those of the target in pixels of the picture to make, [B, height, width].

    Where the `person` is in the photo, [B, h, w, 1] in [0, 1], need not be known. If it
    is, composite and coverage are of the person alone, not of all that masks hold."""
    # Both at once: half as much to compile.
    people = part_frames.frames(jnp.stack([source_keypoints, target_keypoints]))
    source, target = (Frames(*(x[i] for x in people)) for i in range(2))
    source = part_frames.with_stand_ins(source)
    along, across = _places(target, height, width)
    masks = _masks(target, along, across)
    x, y = _source_places(source, target, along, across)
    if person is not None:
        image = jnp.concatenate([image, person], axis=-1)
    usable = (source.known & target.known)[:, None, None, :]
    in_photo = sampling.on_photo(x, y, *image.shape[1:3])
    masks = jnp.where(usable, masks * in_photo, 0.0)
    clear = _without_arms(image, source, target, person)
    parts = _read(image, clear, x, y)
    # XLA would read them anew for each layer that is put over others.
    parts, masks = jax.lax.optimization_barrier((parts, masks))
    if person is None:
        return Warped(parts, masks, *_composite(parts, masks))
    parts, shares = parts[..., :-1], parts[..., -1]
    composite, coverage = _composite(parts, masks * shares)
    # The person's own colours up to the edge.
    return Warped(parts, masks, composite / jnp.maximum(coverage, 1e-3), coverage)


def background(
    keypoints: jax.Array, height: int, width: int, margin: float = MARGIN
) -> jax.Array:
    """Where a photo shows what is behind the person: [B, H, W, 1] in [0, 1], 1 farther
    than `margin` torso lengths from all parts of [B, 18, 3] keypoints, those too that
    are not seen but must be somewhere; 1 everywhere where no part is known."""
    person = part_frames.frames(missing_joints.completed(keypoints))
    masks = _masks(person, *_places(person, height, width), grown=_grown(margin))
    body = jnp.where(person.known[:, None, None, :], masks, 0.0)
    return 1.0 - body.max(axis=-1, keepdims=True)


def inside(keypoints: jax.Array, height: int, width: int) -> jax.Array:
    """Where the person of [B, 18, 3] keypoints certainly is: [B, H, W, 1] in [0, 1], 1
    in the middle of the head and of the limbs that are seen."""
    person = part_frames.frames(keypoints)
    masks = _masks(person, *_places(person, height, width), grown=_grown(_INSIDE))
    # In the torso's place there can be gaps beside an arm.
    masks = masks.at[..., TORSO].set(0.0)
    return jnp.where(person.known[:, None, None, :], masks, 0.0).max(-1, keepdims=True)


def still(
    source_keypoints: jax.Array, target_keypoints: jax.Array, height: int, width: int
) -> jax.Array:
    """Where a photo's pixels stay when its person takes the target pose: [B, H, W, 1]
    in [0, 1], 1 behind the person and on parts that hardly move, 0 where a part leaves,
    with the clothes and the hair about it. Keypoints are [B, 18, 3]; those that are not
    seen are where they must be."""
    both = missing_joints.completed(jnp.stack([source_keypoints, target_keypoints]))
    people = part_frames.frames(both)
    source, target = (Frames(*(x[i] for x in people)) for i in range(2))
    along, across = _places(source, height, width)
    masks = _masks(source, along, across, grown=_grown(MARGIN))
    # The map from target to source, with the roles exchanged: where each pixel goes.
    x, y = _source_places(target, source, along, across)
    dx = x - jnp.arange(width, dtype=jnp.float32).reshape(1, 1, width, 1)
    dy = y - jnp.arange(height, dtype=jnp.float32).reshape(1, height, 1, 1)
    unit = source.unit[:, None, None, None]
    way = jnp.sqrt(dx**2 + dy**2) / jnp.maximum(unit, 1e-3)
    leaves = masks * _far(way)
    # A part that the target pose lacks leaves too, unless nobody is in it.
    unknown = target.known.any(axis=-1, keepdims=True) & ~target.known
    leaves = jnp.where(unknown[:, None, None, :], masks, leaves)
    known = (source.known & target.known.any(axis=-1, keepdims=True))[:, None, None, :]
    return 1.0 - jnp.where(known, leaves, 0.0).max(axis=-1, keepdims=True)


def _read(image: jax.Array, clear: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """The pixels of the parts, [B, H, W, 10, C], at their places in a photo: forearms
    of the photo itself, what arms can hide of one that is `clear` of arms."""
    # XLA would compute it anew for each neighbour that is read.
    clear = jax.lax.optimization_barrier(clear)
    body, forearms = (
        sampling.bilinear(photo, x[..., some], y[..., some])
        for photo, some in ((clear, slice(_FOREARMS)), (image, slice(_FOREARMS, None)))
    )
    return jnp.concatenate([body, forearms], axis=3)


def _without_arms(
    image: jax.Array, source: Frames, target: Frames, person: jax.Array | None
) -> jax.Array:
    """A photo [B, h, w, C] in which arms that go elsewhere than the part under them are
    painted over with what is around on the body: it would take them along. So are gaps
    in the middle of the torso beside them that are not the `person`."""
    along, across = _places(source, *image.shape[1:3])

    def masks(grown: float) -> jax.Array:
        grown_masks = _masks(source, along, across, grown)
        known = (source.known & target.known)[:, None, None, :]
        return jnp.where(known, grown_masks, 0.0)

    core, close = masks(-_CLOSE), masks(_CLOSE)
    hidden = _hidden_by_arms(source, target, along, across, masks(0.0), close)
    middle = core[..., TORSO : TORSO + 1]
    if person is not None:
        beside = masks(MARGIN)[..., _ARMS:].max(axis=-1, keepdims=True)
        hidden = jnp.maximum(hidden, middle * beside * (1.0 - person))
    shown = core[..., :_FOREARMS].max(axis=-1, keepdims=True) * (1.0 - hidden)
    hidden, shown = jax.lax.optimization_barrier((hidden, shown))
    clear = image + hidden * (pull_push.without_person(image, shown) - image)
    if person is None:
        return clear
    # Whatever is there now is the torso.
    of_person = jnp.maximum(clear[..., -1:], middle)
    return jnp.concatenate([clear[..., :-1], of_person], axis=-1)


def _hidden_by_arms(
    source: Frames,
    target: Frames,
    along: jax.Array,
    across: jax.Array,
    body: jax.Array,
    arms: jax.Array,
) -> jax.Array:
    """Where an arm hides a part of the body that does not go with it, [B, h, w, 1]; of
    the masks [B, h, w, 10] of both."""
    # The shoulder stays with the torso.
    begin = np.where(np.arange(NUM_PARTS) < _FOREARMS, _SHOULDER, 0.0)
    begin = begin.astype(np.float32).reshape(1, 1, 1, NUM_PARTS)
    arms = jnp.where(along > begin * source.length[:, None, None, :], arms, 0.0)
    places = _source_places(target, source, along, across)
    unit = jnp.maximum(target.unit[:, None, None], 1e-3)
    hidden = jnp.zeros_like(arms[..., 0])
    for under, over in _UNDER_ARMS:
        for arm in over:
            dx, dy = (x[..., arm] - x[..., under] for x in places)
            leaves = _far(jnp.sqrt(dx**2 + dy**2) / unit)
            hidden = jnp.maximum(hidden, body[..., under] * arms[..., arm] * leaves)
    return hidden[..., None]


def _grown(margin: float) -> np.ndarray:
    """The border of each part that is `margin` torso lengths from the person."""
    grown = np.full((1, 1, 1, NUM_PARTS), margin, np.float32)
    grown[..., HEAD] -= _HEAD_ALONE
    return grown


def _far(way: jax.Array) -> jax.Array:
    """Whether a way in torso lengths counts, 0 to 1."""
    return jnp.clip((way - _STILL) / (_GONE - _STILL), 0.0, 1.0)


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
    target: Frames, along: jax.Array, across: jax.Array, grown: float | np.ndarray = 0.0
) -> jax.Array:
    """Where each part lies in the target, from 1 inside to 0 outside, with a border of
    `grown` torso lengths, of all or of each; [B, H, W, 10]."""
    unit = target.unit[:, None, None, None]
    length = target.length[:, None, None, :]
    shape = (1, 1, 1, NUM_PARTS)
    first = np.full(NUM_PARTS, -_JOINT_REACH, np.float32)
    last = np.ones(NUM_PARTS, np.float32)
    first[HEAD] = last[HEAD] = 0.0  # a disc about its centre
    end = length * last.reshape(shape) + unit * REACH.reshape(shape)
    nearest = jnp.clip(along, unit * first.reshape(shape), end)
    radius = unit * RADIUS.reshape(shape)
    distance = jnp.sqrt((along - nearest) ** 2 + across**2) - radius

    begin, stop = _TORSO_SPAN
    torso_width = jnp.abs(target.width[:, None, None, TORSO])
    box = jnp.maximum(
        jnp.maximum(
            begin * length[..., TORSO] - along[..., TORSO],
            along[..., TORSO] - stop * length[..., TORSO],
        ),
        jnp.abs(across[..., TORSO]) - _TORSO_HALF * torso_width,
    )
    distance = distance.at[..., TORSO].set(box)
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
    # What faces the other side is its mirror image.
    stretch = jnp.where(source.turned * target.turned < 0.0, -stretch, stretch)
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
