"""Where the parts of a person are: torso, head, arms and legs, from the 18 keypoints.

A part has a frame: an origin, an axis along it and one across. `part_warp` moves pixels
from the frames of one pose to those of another.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax.pose import JOINTS


class _Limb(NamedTuple):
    """A part between two joints; radius and reach in torso lengths.

    Attributes:
        start: joint.
        end: joint.
        radius: half its thickness.
        reach: how far it goes on beyond its end: hands and feet have no joint.
    """

    start: str
    end: str
    radius: float
    reach: float


LIMBS = (
    _Limb("hip", "knee", 0.20, 0.1),
    _Limb("knee", "ankle", 0.17, 0.3),
    _Limb("shoulder", "elbow", 0.15, 0.1),
    _Limb("elbow", "wrist", 0.13, 0.45),
)
_HEAD_RADIUS = 0.42
# How wide a torso is, in torso lengths, from the front, between its joints, and, as
# much beyond them, in profile: the silhouette of a turned ellipse.
_FROM_THE_FRONT, _IN_PROFILE = 0.55, 0.3
# Lengths of the limbs in torso lengths, for people whose torso is not seen whole.
TYPICAL = {"hip": 0.85, "knee": 0.85, "shoulder": 0.6, "elbow": 0.5}

# Back to front: what comes later lies over what comes before. The two limbs of a pair
# lie beside each other, so that a mirrored pair of photos gives the mirrored picture.
LAYERS = ("thighs", "shins", "torso", "head", "upper arms", "forearms")
LAYER_OF = np.array([0, 0, 1, 1, 2, 3, 4, 4, 5, 5])  # of each part
NUM_PARTS = len(LAYER_OF)
TORSO, HEAD = 4, 5
_NAMED = tuple((side, limb) for limb in LIMBS for side in ("right", "left"))
_START = np.array([JOINTS.index(f"{side}_{limb.start}") for side, limb in _NAMED])
_END = np.array([JOINTS.index(f"{side}_{limb.end}") for side, limb in _NAMED])
# Half the thickness of each part, and how far it goes on beyond its end.
RADIUS = np.array(
    [limb.radius for _, limb in _NAMED[:4]]
    + [0.0, _HEAD_RADIUS]
    + [limb.radius for _, limb in _NAMED[4:]],
    np.float32,
)
REACH = np.array(
    [limb.reach for _, limb in _NAMED[:4]]
    + [0.0, 0.0]
    + [limb.reach for _, limb in _NAMED[4:]],
    np.float32,
)
# Each part's own, or for a limb the one on the other side.
_OTHER_SIDE = np.array([1, 0, 3, 2, 4, 5, 7, 6, 9, 8])
_TYPICAL_LENGTH = np.array([TYPICAL[limb.start] for _, limb in _NAMED], np.float32)
_SHOULDERS_HIPS = np.array(
    [JOINTS.index(f"{s}_{j}") for j in ("shoulder", "hip") for s in ("right", "left")]
)
_NOSE, *_EYES_EARS = (
    JOINTS.index(name)
    for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
)
_EYES, _EARS = np.array(_EYES_EARS[:2]), np.array(_EYES_EARS[2:])
FACE, _SIGHT = np.array([_NOSE, *_EYES_EARS]), np.array([_NOSE, *_EYES_EARS[:2]])
# Torso lengths from the one ear that is seen to the axis of the head, in three-quarter
# view, in profile, and seen from behind. An ear is 0.16 from it.
_TO_AXIS, _TO_AXIS_IN_PROFILE, _TO_AXIS_BEHIND = 0.1, 0.03, -0.09
_TURNED = 0.1  # torso lengths that the nose is beside the axis of a head that is turned


class Frames(NamedTuple):
    """Where the ten parts of a person are, in the order of `LAYERS`, right before left.

    Attributes:
        origin: [..., 10, 2] pixels, (x, y).
        along: [..., 10, 2] unit vector.
        across: [..., 10, 2] unit vector.
        length: [..., 10] pixels from the origin to the end of the part.
        width: [..., 10] pixels; what one unit across means. Negative for a torso seen
            from behind, which mirrors it.
        turned: [..., 10] to which side in the image the part is turned: 1 right, -1
            left, 0 neither, or not known.
        unit: [...] pixels, the length of the torso, or an estimate of it.
        known: [..., 10] bool, whether the part is seen.
    """

    origin: jax.Array
    along: jax.Array
    across: jax.Array
    length: jax.Array
    width: jax.Array
    turned: jax.Array
    unit: jax.Array
    known: jax.Array


def frames(keypoints: jax.Array) -> Frames:
    """Finds the parts of a person.

    Args:
        keypoints: [..., 18, 3] float32, (x, y, visible) in pixels; a point that is not
            finite counts as missing.
    """
    finite = jnp.isfinite(keypoints).all(axis=-1)
    seen = (keypoints[..., 2] > 0) & finite
    points = jnp.where(seen[..., None], keypoints[..., :2], 0.0)

    corners, corners_seen = _torso_corners(points, seen)
    both = jnp.stack([corners_seen[..., :2], corners_seen[..., 2:]], axis=-2)
    right_shoulder, left_shoulder, right_hip, left_hip = (
        corners[..., i, :] for i in range(4)
    )
    shoulders, hips = (right_shoulder + left_shoulder) / 2, (right_hip + left_hip) / 2
    down, torso_length = _unit(hips - shoulders)
    torso_known = both.any(axis=-1).all(axis=-1) & (torso_length > 1e-3)

    along, length = _unit(_pick(points, _END, -2) - _pick(points, _START, -2))
    both = _pick(seen, _START, -1) & _pick(seen, _END, -1)
    typical = jnp.broadcast_to(_TYPICAL_LENGTH, length.shape)
    estimate = jnp.max(jnp.where(both, length / typical, 0.0), axis=-1)
    unit = jnp.where(torso_known, torso_length, estimate)
    known = both & (length > 0.02 * unit[..., None])

    # From the front the left side is to the right in the image, from behind to the
    # left: the width has a sign, and a torso that turned is mirrored.
    spans = (left_shoulder - right_shoulder + left_hip - right_hip) / 2
    width = jnp.sum(spans * _perpendicular(down), axis=-1)
    width = jnp.where(width < 0, -1.0, 1.0) * _silhouette(jnp.abs(width), unit)

    upright = _head_direction(points, seen)
    centre, head_turned = _head(points, seen, _perpendicular(upright), unit)
    # As `pose.view` has it, and where one whole side is hidden.
    apart = jnp.abs(left_shoulder[..., 0] - right_shoulder[..., 0])
    one_side = (corners_seen[..., :2] == corners_seen[..., 2:]).all(axis=-1)
    side = (corners_seen[..., :2].all(axis=-1) | one_side) & (apart < torso_length / 2)
    side &= torso_known
    body_turned = jnp.where(side, head_turned, 0.0)
    width = jnp.where(jnp.abs(body_turned) > 0.0, jnp.abs(width), width)

    def in_order(limbs: jax.Array, torso: jax.Array, head: jax.Array) -> jax.Array:
        axis = known.ndim - 1
        both_ends = jnp.expand_dims(torso, axis), jnp.expand_dims(head, axis)
        first, last = jnp.split(limbs, [4], axis=axis)
        return jnp.concatenate([first, *both_ends, last], axis=axis)

    all_along = in_order(along, down, upright)
    units = jnp.broadcast_to(unit[..., None], length.shape)
    return Frames(
        origin=in_order(_pick(points, _START, -2), shoulders, centre),
        along=all_along,
        across=_perpendicular(all_along),
        length=in_order(length, torso_length, unit),
        width=in_order(units, width, unit),
        turned=in_order(
            jnp.broadcast_to(body_turned[..., None], length.shape),
            body_turned,
            head_turned,
        ),
        unit=unit,
        known=in_order(
            known, torso_known, _pick(seen, FACE, -1).any(axis=-1) & (unit > 0)
        ),
    )


def scaled(person: Frames, scale: float) -> Frames:
    """The frames of a person in the photo of `scale` times the size; see
    `pose.scaled`."""
    return person._replace(
        origin=(person.origin + 0.5) * scale - 0.5,
        length=person.length * scale,
        width=person.width * scale,
        unit=person.unit * scale,
    )


def facing(keypoints: jax.Array) -> jax.Array:
    """Whether nose or eyes are seen among [..., 18, 3] keypoints, [...] bool."""
    seen = (keypoints[..., 2] > 0) & jnp.isfinite(keypoints).all(axis=-1)
    return _pick(seen, _SIGHT, -1).any(axis=-1)


def turns_away(source: jax.Array, target: jax.Array, parts: Frames) -> jax.Array:
    """Whether the head of keypoints [..., 18, 3] that shows its face is seen from
    behind in the target, whose `parts` are known, by its ears, or without them by the
    torso; [...] bool."""
    finite = jnp.isfinite(target).all(axis=-1)
    ears = _pick((target[..., 2] > 0) & finite, _EARS, -1).any(axis=-1)
    behind = parts.width[..., TORSO] < 0.0
    return facing(source) & ~facing(target) & (ears | behind)


def with_stand_ins(source: Frames) -> Frames:
    """Frames in which a limb that is not seen is the one of the other side."""

    def choose(x: jax.Array, axis: int) -> jax.Array:
        own = source.known if axis == -1 else source.known[..., None]
        return jnp.where(own, x, _pick(x, _OTHER_SIDE, axis))

    return Frames(
        origin=choose(source.origin, -2),
        along=choose(source.along, -2),
        across=choose(source.across, -2),
        length=choose(source.length, -1),
        width=choose(source.width, -1),
        turned=source.turned,
        unit=source.unit,
        known=source.known | _pick(source.known, _OTHER_SIDE, -1),
    )


def _pick(x: jax.Array, places: np.ndarray, axis: int) -> jax.Array:
    # The places are known; asking where they lie would only be compiled.
    return jnp.take(x, places, axis=axis, mode="clip")


def _unit(vector: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The unit vector and the length; a vector of no length points down."""
    length = jnp.sqrt(jnp.sum(vector**2, axis=-1))
    down = jnp.broadcast_to(jnp.array([0.0, 1.0]), vector.shape)
    safe = jnp.where(length > 0, length, 1.0)[..., None]
    return jnp.where(length[..., None] > 0, vector / safe, down), length


def _perpendicular(vector: jax.Array) -> jax.Array:
    return jnp.stack([vector[..., 1], -vector[..., 0]], axis=-1)


def _torso_corners(points: jax.Array, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Shoulders and hips, right before left, [..., 4, 2], and whether each is seen,
    [..., 4]. In profile one side hides the other: a corner that is not seen
    is as far from the other side's as the other two are from each other, if both are
    seen, else in the same place."""
    corner, known = _pick(points, _SHOULDERS_HIPS, -2), _pick(seen, _SHOULDERS_HIPS, -1)
    other = np.array([1, 0, 3, 2])
    span = corner - _pick(corner, other, -2)
    both = known & _pick(known, other, -1)
    pairs = np.array([2, 3, 0, 1])  # of a shoulder the hips, and of a hip the shoulders
    offset = jnp.where(_pick(both, pairs, -1)[..., None], _pick(span, pairs, -2), 0.0)
    guess = _pick(corner, other, -2) + offset
    corner = jnp.where(known[..., None], corner, guess)
    return corner, known


def _silhouette(span: jax.Array, unit: jax.Array) -> jax.Array:
    """How wide a torso looks whose joints are a `span` apart, [...] pixels: it has a
    depth, which a turned one shows."""
    turned = jnp.clip(1.0 - (span / (_FROM_THE_FRONT * unit + 1e-6)) ** 2, 0.0, 1.0)
    return jnp.sqrt(span**2 + turned * (_IN_PROFILE * unit) ** 2)


def _head(
    points: jax.Array, seen: jax.Array, across: jax.Array, unit: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The middle of a head [..., 2] at the height of the ears, on the axis about which
    it turns (without ears that of nose and eyes), and to which side it is turned, as
    `Frames.turned` [...]. The mean of what is seen would be off by half a face in
    profile."""

    def mean(joints: np.ndarray) -> tuple[jax.Array, jax.Array]:
        count = _pick(seen, joints, -1).sum(axis=-1)
        total = _pick(points, joints, -2).sum(axis=-2)
        return total / jnp.maximum(count, 1)[..., None], count

    (ears, num_ears), (sight, num_sight) = mean(_EARS), mean(_SIGHT)
    num_eyes = _pick(seen, _EYES, -1).sum(axis=-1)
    # Of a face the right ear is on the left in the image, from behind on the right.
    sign = jnp.where(seen[..., _EARS[0]], 1.0, -1.0)
    way = jnp.where(num_eyes == 2, _TO_AXIS, _TO_AXIS_IN_PROFILE)
    way = jnp.where(num_sight > 0, way, _TO_AXIS_BEHIND)
    way = jnp.where(num_ears == 1, sign * way, 0.0) * unit
    centre = jnp.where((num_ears > 0)[..., None], ears, sight)
    centre = centre + way[..., None] * across
    nose = jnp.sum((points[..., _NOSE, :] - centre) * across, axis=-1)
    far = (jnp.abs(nose) > _TURNED * unit) & (num_ears > 0) & seen[..., _NOSE]
    return centre, jnp.where(far, jnp.where(nose < 0.0, -1.0, 1.0), 0.0)


def _head_direction(points: jax.Array, seen: jax.Array) -> jax.Array:
    """From the crown to the chin, tilted as the eyes or the ears are; [..., 2]."""
    down = jnp.broadcast_to(jnp.array([0.0, 1.0]), points[..., 0, :].shape)
    for right, left in (_EARS, _EYES):  # the eyes decide where both pairs are seen
        line, _ = _unit(points[..., left, :] - points[..., right, :])
        line = jnp.where(line[..., :1] < 0, -line, line)
        tilted = jnp.stack([-line[..., 1], line[..., 0]], axis=-1)
        # A steeper line is noise: the head would lie on the side.
        usable = seen[..., right] & seen[..., left] & (line[..., 0] > 0.7)
        down = jnp.where(usable[..., None], tilted, down)
    return down
