"""Likely places of joints that nobody has seen: they are somewhere, too."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pg2_jax.pg2plus import part_frames
from pg2_jax.pose import JOINTS


class _Place(NamedTuple):
    """Where something is, [..., 2] pixels, and whether that is known, [..., 1]."""

    point: jax.Array
    known: jax.Array

    def plus(self, other: "_Place", sign: float = 1.0) -> "_Place":
        """The sum of the places, or with -1 the way from the other here."""
        point = self.point + sign * other.point
        return _Place(point, self.known & other.known)

    def or_else(self, *guesses: "_Place") -> "_Place":
        """The place, or the first of the guesses that is known."""
        point, known = self
        for guess in guesses:
            point = jnp.where(known, point, guess.point)
            known = known | guess.known
        return _Place(point, known)


def completed(keypoints: jax.Array) -> jax.Array:
    """Keypoints [..., 18, 3] in which a missing joint has a likely place: a limb goes
    on as that of the other side does, or hangs. A nose has one only if nothing of the
    face is seen. A person of whom neither a shoulder nor the neck is seen keeps what is
    seen."""
    seen = ((keypoints[..., 2] > 0) & jnp.isfinite(keypoints).all(axis=-1))[..., None]
    points = jnp.where(seen, keypoints[..., :2], 0.0)
    given = {
        n: _Place(points[..., i, :], seen[..., i, :]) for i, n in enumerate(JOINTS)
    }
    unit = part_frames.frames(keypoints).unit[..., None]

    def below(lengths: float) -> _Place:
        offset = jnp.concatenate([0.0 * unit, lengths * unit], axis=-1)
        return _Place(offset, unit > 0)

    at, sides = dict(given), {"right": "left", "left": "right"}
    for side, other in sides.items():
        shoulder = f"{side}_shoulder"
        at[shoulder] = given[shoulder].or_else(
            given[f"{other}_shoulder"], given["neck"]
        )
    for side, other in sides.items():
        hanging = at[f"{side}_shoulder"].plus(below(1.0))
        hip = f"{side}_hip"
        at[hip] = given[hip].or_else(given[f"{other}_hip"], hanging)
    for limb in part_frames.LIMBS:
        for side, other in sides.items():
            start, end = f"{side}_{limb.start}", f"{side}_{limb.end}"
            alike = given[f"{other}_{limb.end}"].plus(
                given[f"{other}_{limb.start}"], -1
            )
            offsets = alike, below(part_frames.TYPICAL[limb.start])
            at[end] = given[end].or_else(*(at[start].plus(x) for x in offsets))
    # What is seen of a face tells more of the head than a nose that is made up.
    shoulders = at["right_shoulder"].plus(at["left_shoulder"])
    middle = _Place(shoulders.point / 2, shoulders.known)
    head, known = middle.plus(below(-0.5))
    faceless = ~seen[..., part_frames.FACE, :].any(axis=-2)
    at["nose"] = given["nose"].or_else(_Place(head, known & faceless))
    places = [jnp.concatenate(at[name], axis=-1, dtype=jnp.float32) for name in JOINTS]
    return jnp.stack(places, axis=-2)


def with_head(keypoints: jax.Array) -> jax.Array:
    """Keypoints [..., 18, 3] of which only the nose may have a likely place, see
    `completed`: people have heads."""
    nose = JOINTS.index("nose")
    return keypoints.at[..., nose, :].set(completed(keypoints)[..., nose, :])
