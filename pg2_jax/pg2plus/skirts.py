"""What hangs between the legs: skirts, dresses, coats, long shirts.

Legs are moved as four limbs, and what lies between them belongs to none. So the lap is
a part of its own, from the hips to the ankles, as wide as the legs are apart. A small
network says down to which of its rows there is cloth; no more of it is moved.
"""

import pathlib
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax.layers import conv, relu
from pg2_jax.pg2plus import (
    bodies,
    parsing,
    part_frames,
    part_places,
    sampling,
)
from pg2_jax.pg2plus.bodies import Person
from pg2_jax.pose import JOINTS

# Of the lap as the network sees it: half of the rows are above the knees.
ROWS, COLUMNS = 16, 13
CHANNELS = 6
WEIGHTS = pathlib.Path(__file__).with_name("skirts.safetensors")
_WIDEST = 1.4  # half widths of the lap to which the network sees
_BEYOND = (0.3, 0.22, 0.17)  # torso lengths about hips, knees and ankles
_PAIRS = tuple(
    tuple(JOINTS.index(f"{side}_{joint}") for side in ("right", "left"))
    for joint in ("hip", "knee", "ankle")
)
_THIGHS = slice(0, 2)  # among the parts
_HIPS = 0.65  # of the width at the hips that moves: beside them hands hang
_SHORT = 0.05  # torso lengths; so short is a thigh that points to the camera
_OVERLAP = 0.15  # of its length that a half begins above its upper end
# Logits of cloth that is moved a little, and in full: of photos the network is less
# sure than of the synthetic people that it learned from.
_PERHAPS, _SURELY = -1.4, -0.4


class Lap(NamedTuple):
    """The place between the legs, from hips to knees and from knees to ankles."""

    origin: jax.Array  # [..., 2, 2] pixels, (x, y), the middle of the upper end of each
    along: jax.Array  # [..., 2, 2] unit vector to the middle of the lower end
    across: jax.Array  # [..., 2, 2] unit vector, mirrored in people seen from behind
    length: jax.Array  # [..., 2] pixels
    upper: jax.Array  # [..., 2] pixels, half the width of the upper end
    lower: jax.Array  # [..., 2] pixels, half the width of the lower end
    turned: jax.Array  # [...] to which side the body is turned, as `Frames.turned`
    unit: jax.Array  # [...] pixels, the length of the torso
    known: jax.Array  # [..., 2] bool, whether a thigh is seen, and each has a length


def lap(person: Person) -> Lap:
    """The lap of [..., 18, 3] keypoints; joints that are not seen are where they must
    be."""
    body = bodies.of(person)
    points, frames = body.completed[..., :2], body.seen
    unit = jnp.maximum(frames.unit, 1e-3)
    pairs = [(points[..., right, :], points[..., left, :]) for right, left in _PAIRS]
    middles = jnp.stack([(right + left) / 2 for right, left in pairs], axis=-2)
    spans = jnp.stack([left - right for right, left in pairs], axis=-2)
    way = middles[..., 1:, :] - middles[..., :-1, :]
    length = jnp.sqrt((way**2).sum(axis=-1))
    long = length > _SHORT * unit[..., None]
    length = jnp.maximum(length, 1e-3)
    down = jnp.broadcast_to(jnp.array([0.0, 1.0]), way.shape)
    along = jnp.where(long[..., None], way / length[..., None], down)
    across = jnp.stack([along[..., 1], -along[..., 0]], axis=-1)
    axes = jnp.concatenate([across[..., :1, :], across], axis=-2)
    apart = jnp.abs((spans * axes).sum(axis=-1))
    beyond = jnp.array(_BEYOND).reshape(*[1] * unit.ndim, 3)
    half = apart / 2 + unit[..., None] * beyond
    torso = part_frames.TORSO
    mirrored = frames.width[..., torso, None, None] < 0.0
    thigh = frames.known[..., _THIGHS].any(axis=-1, keepdims=True)
    return Lap(
        origin=middles[..., :2, :],
        along=along,
        across=jnp.where(mirrored, -across, across),
        length=length,
        upper=half[..., :2],
        lower=half[..., 1:],
        turned=frames.turned[..., torso],
        unit=unit,
        known=thigh & long,
    )


class SkirtNetwork(nn.Module):
    """Says down to which row there is cloth."""

    @nn.compact
    def __call__(self, seen: jax.Array) -> jax.Array:
        """What `seen` gives -> logits [B, ROWS], which do not grow downwards."""
        x = relu(conv(24, 3, "float32", name="conv0")(seen))
        x = relu(conv(24, 3, "float32", name="conv1")(x))
        x = relu(nn.Dense(32, name="row")(x.reshape(-1, ROWS, COLUMNS * 24)))
        x = nn.Dense(ROWS, name="rows")(x.reshape(-1, ROWS * 32))
        rows = [x[:, :1]]
        for i in range(1, ROWS):
            rows.append(jnp.minimum(rows[-1], x[:, i : i + 1]))
        return jnp.concatenate(rows, axis=-1)


def seen(image: jax.Array, person: Person, where: jax.Array) -> jax.Array:
    """What the network sees of a photo [B, H, W, 3] in [-1, 1] of a person with
    keypoints [B, 18, 3], who is `where`, [B, H, W, 1]: the rows and columns of the lap
    of the photo, of the person, of the legs and of the arms; [B, ROWS, COLUMNS,
    CHANNELS]."""
    body, (height, width) = bodies.of(person), image.shape[1:3]
    parts = part_places.around(body.whole, height, width, 0.0)
    legs = parts[..., : part_frames.TORSO].max(axis=-1, keepdims=True)
    arms = parts[..., part_frames.HEAD + 1 :].max(axis=-1, keepdims=True)
    told = jnp.concatenate([image, where, legs, arms], axis=-1)
    far = (jnp.arange(ROWS // 2, dtype=jnp.float32) + 0.5) / (ROWS // 2)
    aside = jnp.linspace(-_WIDEST, _WIDEST, COLUMNS, dtype=jnp.float32)
    own = lap(body)
    x, y = _points(own, far.reshape(1, -1, 1, 1), aside.reshape(1, 1, -1, 1))
    # The rows of both halves, one below the other.
    x, y = (jnp.concatenate([place[..., 0], place[..., 1]], axis=1) for place in (x, y))
    return sampling.bilinear(told, x, y)


def opacity(params: Any, seen: jax.Array) -> jax.Array:
    """How much of each row is moved, [B, ROWS] in [0, 1], by a network's weights and
    what it has `seen`, [B, ROWS, COLUMNS, CHANNELS]."""
    logits: Any = SkirtNetwork().apply({"params": params}, seen)
    return jnp.clip((logits - _PERHAPS) / (_SURELY - _PERHAPS), 0.0, 1.0)


def cloth(image: jax.Array, person: Person, where: jax.Array) -> jax.Array:
    """How much of each row of a lap is cloth, which moves: [B, ROWS] in [0, 1], 1 from
    the hips to the hem, by the network that comes with the code. For the arguments see
    `seen`."""
    known = opacity(parsing.built_in(WEIGHTS), seen(image, person, where))
    return jax.lax.stop_gradient(known)


def places(
    source: Lap, target: Lap, cloth: jax.Array, height: int, width: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where each pixel of both halves of a target's lap is in the source, x and y, and
    how much of it there is, by the `cloth` [B, ROWS]; [B, height, width, 2] each."""
    columns = jnp.arange(width, dtype=jnp.float32).reshape(1, 1, width, 1)
    rows = jnp.arange(height, dtype=jnp.float32).reshape(1, height, 1, 1)
    dx, dy = columns - _each(target.origin[..., 0]), rows - _each(target.origin[..., 1])

    def on_axis(axis: jax.Array) -> jax.Array:
        return dx * _each(axis[..., 0]) + dy * _each(axis[..., 1])

    far = on_axis(target.along) / _each(target.length)
    inner = jnp.clip(far, 0.0, 1.0)
    half = _each(target.upper) + inner * _each(target.lower - target.upper)
    aside = on_axis(target.across) / half
    edge = jnp.maximum(0.06 * _each(target.unit[:, None]), 1.0)
    row = far + jnp.arange(2.0).reshape(1, 1, 1, 2)  # 1 at the knees, 2 at the ankles
    widest = jnp.minimum(_HIPS + (1.0 - _HIPS) * row, 1.0)
    beside = (jnp.abs(aside) - widest) * half
    beyond = jnp.maximum(-_OVERLAP - far, far - 1.0) * _each(target.length)
    within = jnp.clip(0.5 - jnp.maximum(beside, beyond) / edge, 0.0, 1.0)
    row = row * (ROWS // 2) - 0.5
    there = sampling.bilinear(cloth[:, :, None, None], jnp.zeros_like(row), row)
    opacity = within * there[..., 0]
    opacity = jnp.where(_each(source.known & target.known), opacity, 0.0)
    # What faces the other side is its mirror image.
    other = (source.turned * target.turned < 0.0)[:, None, None, None]
    return *_points(source, far, jnp.where(other, -aside, aside)), opacity


def _points(own: Lap, far: jax.Array, aside: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The pixels of places so far down the halves, 0 at the upper end and 1 at the
    lower, and so many half widths aside; x and y, [B, ..., ..., 2]."""
    inner = jnp.clip(far, 0.0, 1.0)
    half = _each(own.upper) + inner * _each(own.lower - own.upper)
    x, y = (
        _each(own.origin[..., i])
        + far * _each(own.length) * _each(own.along[..., i])
        + aside * half * _each(own.across[..., i])
        for i in range(2)
    )
    return x, y


def _each(x: jax.Array) -> jax.Array:
    """[B, 2] beside [B, H, W, 2]."""
    return x[:, None, None, :]
