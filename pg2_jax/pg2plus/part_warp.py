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

from pg2_jax.pg2plus import (
    arms,
    bodies,
    part_frames,
    part_places,
    sampling,
    skirts,
)
from pg2_jax.pg2plus.bodies import Person
from pg2_jax.pg2plus.parsing import Parsed
from pg2_jax.pg2plus.part_frames import HEAD, LAYER_OF, LAYERS, TORSO

_SURE_REACH = 0.4  # of hands and feet; fists, and feet seen from the front, are short
_MIDDLE = 0.7  # of the width of a torso
_INSIDE = -0.1  # torso lengths from where on a limb or a head is certainly the person


class Warped(NamedTuple):
    """The source's pixels at the target pose."""

    parts: jax.Array  # [B, H, W, 10, C] the source as each part carries it
    # [B, H, W, 10] in [0, 1], where each part lies, soft at its edge; 0 for a part that
    # is unknown in either pose.
    masks: jax.Array
    composite: jax.Array  # [B, H, W, C] the parts, back to front; 0 where there is none
    coverage: jax.Array  # [B, H, W, 1] in [0, 1], how much of a pixel it covers
    # [B, H, W, 1] in [0, 1], how much of a pixel cloth between the legs covers.
    lap: jax.Array


def warp(
    image: jax.Array,
    source: Person,
    target: Person,
    height: int,
    width: int,
    parsed: Parsed | None = None,
    armless: jax.Array | None = None,
    hairy: jax.Array | None = None,
    cloth: jax.Array | None = None,
) -> Warped:
    """Moves the parts of a person in a photo [B, h, w, C] float32, of any size, to
    another pose: keypoints [B, 18, 3] float32, those of the source in pixels of the
    photo, those of the target in pixels of the picture to make, [B, height, width]. A
    head that turns away has hair where its face would be, of the `hairy` photo [B, h,
    w, 3], whose hair goes on everywhere.

    The photo need not be `parsed`, [B, h, w, 1] each. If it is, composite and coverage
    are of the person alone, not of all that masks hold, there is no hand where no arm
    is seen, and there can be `cloth` between the legs, see `skirts.cloth`. What is
    behind arms is that of the `armless` photo [B, h, w, 3], else body's averages."""
    before, after = bodies.pair(source, target)
    of_source, of_target = part_frames.with_stand_ins(before.headed), after.headed
    along, across = part_places.places(of_target, height, width)
    masks = part_places.masks(of_target, along, across)
    away = part_frames.turns_away(before.keypoints, after.keypoints, after.seen)
    along, hair = part_places.without_face(away, of_target, along, across)
    x, y = part_places.source_places(of_source, of_target, along, across)
    if parsed is not None:
        image = jnp.concatenate([image, parsed.person], axis=-1)
    usable = (of_source.known & of_target.known)[:, None, None, :]
    in_photo = sampling.on_photo(x, y, *image.shape[1:3])
    masks = jnp.where(usable, masks * in_photo, 0.0)
    clear = arms.without_leaving(image, of_source, of_target, parsed, armless)
    # XLA would compute it anew for each neighbour that is read.
    clear = jax.lax.optimization_barrier(clear)
    no_arm = jnp.zeros_like(image[..., :1])
    if parsed is not None:
        no_arm = 1.0 - arms.seen(parsed)
    parts, no_hand = _read(image, no_arm, clear, x, y)
    ends = of_target.length[:, None, None, arms.FOREARMS :]
    beyond = along[..., arms.FOREARMS :] > ends
    no_hand = jnp.pad(no_hand * beyond, ((0, 0), (0, 0), (0, 0), (arms.FOREARMS, 0)))
    masks = masks * (1.0 - no_hand)
    if hairy is not None:
        head = sampling.bilinear(hairy, x[..., HEAD], y[..., HEAD])
        as_it_is = parts[..., HEAD, :]
        head = jnp.concatenate([head, as_it_is[..., 3:]], axis=-1)
        head = jnp.where(hair[..., None], head, as_it_is)
        parts = parts.at[..., HEAD, :].set(head)
    parts, masks = _once(parts, masks)
    if parsed is None:
        none = jnp.zeros_like(masks[..., :1])
        return Warped(parts, masks, *_composite(parts, masks), none)
    parts, shares = parts[..., :-1], parts[..., -1]
    lap = None if cloth is None else _lap(clear, before, after, cloth, height, width)
    composite, coverage = _composite(parts, masks * shares, lap)
    covered = jnp.zeros_like(coverage)
    if lap is not None:
        covered = lap[1].max(axis=-1, keepdims=True)
    # The person's own colours up to the edge.
    composite = composite / jnp.maximum(coverage, 1e-3)
    return Warped(parts, masks, composite, coverage, covered)


def background(
    person: Person, height: int, width: int, margin: float = part_places.MARGIN
) -> jax.Array:
    """Where a photo shows what is behind the person: [B, H, W, 1] in [0, 1], 1 farther
    than `margin` torso lengths from all parts of [B, 18, 3] keypoints, those too that
    are not seen but must be somewhere; 1 everywhere where no part is known."""
    body = part_places.around(bodies.of(person).whole, height, width, margin)
    return 1.0 - body.max(axis=-1, keepdims=True)


def inside(person: Person, height: int, width: int) -> jax.Array:
    """Where the person of [B, 18, 3] keypoints certainly is: [B, H, W, 1] in [0, 1], 1
    in the middle of the torso, of neck and head and of the limbs that are seen."""
    parts = bodies.of(person).seen
    neck = part_places.neck(parts, height, width)
    # In the torso's place there can be gaps beside an arm.
    narrow = _MIDDLE * parts.width[..., TORSO]
    parts = parts._replace(width=parts.width.at[..., TORSO].set(narrow))
    body = part_places.around(parts, height, width, _INSIDE, _SURE_REACH)
    return jnp.maximum(body.max(axis=-1), neck)[..., None]


def head(person: Person, height: int, width: int) -> jax.Array:
    """Where the head of [B, 18, 3] keypoints is, [B, H, W, 1] in [0, 1]."""
    return part_places.around(bodies.of(person).seen, height, width, 0.0)[
        ..., HEAD : HEAD + 1
    ]


def beside_face(
    person: Person, height: int, width: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Where the oval of a face is not, [B, H, W, 1] in {0, 1}, of [B, 18, 3]
    keypoints; for each pixel a place above the oval, x and y, [B, H, W]; and how far
    down it is, [B, H, W, 1] in [0, 1]."""
    parts = bodies.of(person).seen
    along, across = part_places.places(parts, height, width)
    outside, down, aside, low = part_places.about_face(parts, along, across)
    along, across = along.at[..., HEAD].set(down), across.at[..., HEAD].set(aside)
    x, y = part_places.source_places(parts, parts, along, across)
    return outside[..., None], x[..., HEAD], y[..., HEAD], low[..., None]


def still(source: Person, target: Person, height: int, width: int) -> jax.Array:
    """Where a photo's pixels stay when its person takes the target pose: [B, H, W, 1]
    in [0, 1], 1 behind the person and on parts that hardly move, 0 where a part leaves,
    with the clothes and the hair about it, and where a head turns from the camera or to
    it. Keypoints are [B, 18, 3]; those that are not seen are where they must be."""
    before, after = bodies.pair(source, target)
    leaving, coming = before.whole, after.whole
    masks = part_places.around(leaving, height, width, part_places.MARGIN)
    # The map from target to source, with the roles exchanged: where each pixel goes.
    places = part_places.places(leaving, height, width)
    x, y = part_places.source_places(coming, leaving, *places)
    dx = x - jnp.arange(width, dtype=jnp.float32).reshape(1, 1, width, 1)
    dy = y - jnp.arange(height, dtype=jnp.float32).reshape(1, height, 1, 1)
    unit = leaving.unit[:, None, None, None]
    way = jnp.sqrt(dx**2 + dy**2) / jnp.maximum(unit, 1e-3)
    leaves = masks * part_places.far(way)
    # A part that the target pose lacks leaves too, unless nobody is in it.
    gone = coming.known.any(axis=-1, keepdims=True) & ~coming.known
    shown, wanted = (part_frames.facing(x.keypoints) for x in (before, after))
    gone = gone.at[:, HEAD].set(gone[:, HEAD] | ~(shown == wanted))
    leaves = jnp.where(gone[:, None, None, :], masks, leaves)
    known = coming.known.any(axis=-1)[:, None, None, None]
    return 1.0 - jnp.where(known, leaves, 0.0).max(axis=-1, keepdims=True)


def _read(
    image: jax.Array, no_arm: jax.Array, clear: jax.Array, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The pixels of the parts, [B, H, W, 10, C], at their places in a photo: forearms
    of the photo itself, what arms can hide of one that is `clear` of arms; and what the
    forearms read of `no_arm`, [B, H, W, 2]."""
    body, forearms = (
        sampling.bilinear(photo, x[..., some], y[..., some])
        for photo, some in (
            (clear, slice(arms.FOREARMS)),
            (jnp.concatenate([image, no_arm], axis=-1), slice(arms.FOREARMS, None)),
        )
    )
    return jnp.concatenate([body, forearms[..., :-1]], axis=3), forearms[..., -1]


def _lap(
    photo: jax.Array,
    source: bodies.Body,
    target: bodies.Body,
    cloth: jax.Array,
    height: int,
    width: int,
) -> tuple[jax.Array, jax.Array]:
    """The pixels of a lap's halves, [B, H, W, 2, C], and how much of them there is, [B,
    H, W, 2], from a photo [B, h, w, C + 1] whose last channel is the person."""
    laps = skirts.lap(jax.tree.map(lambda *x: jnp.stack(x), source, target))
    before, after = (skirts.Lap(*(x[i] for x in laps)) for i in range(2))
    x, y, opacity = skirts.places(before, after, cloth, height, width)
    read = sampling.bilinear(photo, x, y)
    opacity = opacity * sampling.on_photo(x, y, *photo.shape[1:3])
    return _once(read[..., :-1], opacity * read[..., -1])


def _once(pixels: jax.Array, opacity: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both, [..., C] and [...], as they are: XLA would compute them anew for each layer
    that is put over others, but not arrays that are parts of one."""
    both = jnp.concatenate([pixels, opacity[..., None]], axis=-1)
    both = jax.lax.optimization_barrier(both)
    return both[..., :-1], both[..., -1]


def _composite(
    parts: jax.Array,
    masks: jax.Array,
    lap: tuple[jax.Array, jax.Array] | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The parts over one another, back to front, and how much they cover; over the legs
    and under the torso what `_lap` gives."""
    composite = jnp.zeros_like(parts[..., 0, :])
    coverage = jnp.zeros_like(masks[..., :1])
    for number, name in enumerate(LAYERS):
        members = slice(*np.searchsorted(LAYER_OF, [number, number + 1]))
        layers = [(parts[..., members, :], masks[..., members])]
        if name == "torso" and lap is not None:
            layers.insert(0, lap)
        for pixels, opacity in layers:
            together = opacity.sum(axis=-1, keepdims=True)
            mean = jnp.sum(pixels * opacity[..., None], axis=-2)
            mean = mean / jnp.maximum(together, 1e-6)
            covers = 1.0 - jnp.prod(1.0 - opacity, axis=-1, keepdims=True)
            composite = composite * (1.0 - covers) + mean * covers
            coverage = coverage * (1.0 - covers) + covers
    return composite, coverage
