"""Where a pixel lies in the frames of the parts, and where that is in another pose."""

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax.pg2plus.part_frames import HEAD, NUM_PARTS, RADIUS, REACH, TORSO, Frames

_JOINT_REACH = 0.1  # torso lengths that every limb begins before its first joint
_TORSO_SPAN, _TORSO_HALF = (-0.12, 1.2), 0.78  # along its axis; across, in its widths
_EDGE = 0.06  # torso lengths within which a part's mask falls from 1 to 0
_MAX_STRETCH = 2.5
MARGIN = 0.22  # torso lengths about a person for clothes, hair and bags
_NECK = 0.07  # half the width of what is certainly neck
_CROWN = 0.1  # torso lengths that a head is higher above the ears than below them
_HEAD_ALONE = 0.12  # by which it is narrower than its part, which has room for hair
# Torso lengths below the ears: from behind there is hair down to the nape, and skin
# below; a face surely ends at the chin.
_NAPE, _CHIN = 0.12, 0.27
_ROUND = 0.16, 0.22  # how far below and beside the ears a head goes from behind
_FACE = 0.04, 0.22, 0.17  # its middle, and half its height and width
_RING = 0.12  # how far out the ring about it begins, and how wide it is
_STILL, _GONE = 0.02, 0.08  # torso lengths a pixel moves, to count as either


def places(target: Frames, height: int, width: int) -> tuple[jax.Array, jax.Array]:
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


def masks(target: Frames, along: jax.Array, across: jax.Array) -> jax.Array:
    """Where each part lies in the target, from 1 inside to 0 outside; [B, H, W, 10]."""
    return covered(target, distances(target, along, across), 0.0)


def covered(
    person: Frames, distance: jax.Array, grown: float | np.ndarray
) -> jax.Array:
    """The masks of parts with a border of `grown` torso lengths, of all or of each, by
    the `distances`; [B, H, W, 10]."""
    unit = person.unit[:, None, None, None]
    edge = jnp.maximum(_EDGE * unit, 1.0)
    return jnp.clip(0.5 - (distance - grown * unit) / edge, 0.0, 1.0)


def distances(
    target: Frames, along: jax.Array, across: jax.Array, reach: float = 1.0
) -> jax.Array:
    """How many pixels each place is from each part, in it less than 0; hands and feet
    have so much of their `reach`; [B, H, W, 10]."""
    unit = target.unit[:, None, None, None]
    length = target.length[:, None, None, :]
    shape = (1, 1, 1, NUM_PARTS)
    first = np.full(NUM_PARTS, -_JOINT_REACH, np.float32)
    last = np.ones(NUM_PARTS, np.float32)
    first[HEAD], last[HEAD] = -_CROWN, 0.0
    end = length * last.reshape(shape) + unit * reach * REACH.reshape(shape)
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
    # XLA would compute it anew for each border.
    return jax.lax.optimization_barrier(distance)


def source_places(
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


def without_face(
    away: jax.Array, target: Frames, along: jax.Array, across: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The places along the frames, of those along and across, [B, H, W, 10], in which a
    head that turns `away`, [B] bool, is round, and neck below its hair; and where that
    hair is, [B, H, W] bool."""
    unit, away = target.unit[:, None, None], away[:, None, None]
    down, (low, wide) = along[..., HEAD], _ROUND
    far = (jnp.maximum(down, 0.0) / low) ** 2 + (across[..., HEAD] / wide) ** 2
    hair = away & (down < _NAPE * unit) & ((down < 0.0) | (far < unit**2))
    neck = jnp.where(away & ~hair, jnp.maximum(down, _CHIN * unit), down)
    return along.at[..., HEAD].set(neck), hair


def about_face(
    person: Frames, along: jax.Array, across: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Which places in the frames, [B, H, W, 10], are not in the oval of a face that is
    seen from the front, [B, H, W] bool; for each one in the upper half of a ring about
    it, along and across: for its edge that of 1.12 times its size, for its middle that
    of 1.24; and how far down it they are, from 0 to 1."""
    unit = jnp.maximum(person.unit, 1e-3)[:, None, None]
    middle, high, wide = _FACE
    down, aside = (
        (along[..., HEAD] / unit - middle) / high,
        across[..., HEAD] / unit / wide,
    )
    far = jnp.sqrt(down**2 + aside**2)
    out = (1.0 + _RING * (2.0 - jnp.minimum(far, 1.0))) / jnp.maximum(far, 1e-3)
    above = (middle - high * out * jnp.abs(down)) * unit
    low = jnp.clip((down + 1.0) / 2, 0.0, 1.0)
    return far >= 1.0, above, wide * out * aside * unit, low


def around(
    person: Frames, height: int, width: int, margin: float, reach: float = 1.0
) -> jax.Array:
    """Where each part of a person is, and what is within `margin` torso lengths of it;
    of a head, which is narrower than its part, within less; for the `reach` see
    `distances`; [B, H, W, 10] in [0, 1], 0 of a part that is not known."""
    distance = distances(person, *places(person, height, width), reach)
    return within(person, distance, margin)


def within(person: Frames, distance: jax.Array, margin: float) -> jax.Array:
    """What `around` says, by the `distances`."""
    grown = np.full((1, 1, 1, NUM_PARTS), margin, np.float32)
    grown[..., HEAD] -= _HEAD_ALONE
    found = covered(person, distance, grown)
    return jnp.where(person.known[:, None, None, :], found, 0.0)


def neck(person: Frames, height: int, width: int) -> jax.Array:
    """Where the neck of a person is, in the main: [B, H, W] in [0, 1], 1 around the
    axis of the torso up to the head, 0 where one of them is not known."""
    along, across = (x[..., TORSO] for x in places(person, height, width))
    unit = person.unit[:, None, None]
    way = person.origin[..., HEAD, :] - person.origin[..., TORSO, :]
    up = -(way * person.along[..., TORSO, :]).sum(axis=-1)[:, None, None]
    beyond = jnp.maximum(jnp.maximum(-up - along, along), 0.0)
    distance = jnp.sqrt(beyond**2 + across**2) - _NECK * unit
    known = person.known[..., HEAD] & person.known[..., TORSO]
    inside = jnp.clip(0.5 - distance / jnp.maximum(_EDGE * unit, 1.0), 0.0, 1.0)
    return jnp.where(known[:, None, None], inside, 0.0)


def far(way: jax.Array) -> jax.Array:
    """Whether a way in torso lengths counts, 0 to 1."""
    return jnp.clip((way - _STILL) / (_GONE - _STILL), 0.0, 1.0)
