"""Bodies by their keypoints: the parts that are seen, and where the joints are likely
to be that nobody has seen: they are somewhere, too."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pg2_jax import pose
from pg2_jax.pg2plus import part_frames
from pg2_jax.pg2plus.part_frames import Frames
from pg2_jax.pose import JOINTS


class Body(NamedTuple):
    """What is known of people by their keypoints."""

    keypoints: jax.Array  # [..., 18, 3]
    completed: jax.Array  # [..., 18, 3] with likely places of joints that are not seen
    seen: Frames  # of the parts that are seen
    headed: Frames  # and of the head in any case: people have heads
    whole: Frames  # of all that must be there


_NOSE = JOINTS.index("nose")
# Functions take either: a body need not be computed twice.
Person = jax.Array | Body


def of(person: Person) -> Body:
    """The bodies of [..., 18, 3] keypoints."""
    if isinstance(person, Body):
        return person
    person = jnp.asarray(person)
    # XLA would compute them anew for each that reads them.
    seen = jax.lax.optimization_barrier(part_frames.frames(person))
    points = jax.lax.optimization_barrier(completed(person, seen.unit))
    with_nose = person.at[..., _NOSE, :].set(points[..., _NOSE, :])
    # Not chosen from the others: each pixel would choose anew.
    headed = jax.lax.optimization_barrier(part_frames.frames(with_nose))
    whole = jax.lax.optimization_barrier(part_frames.frames(points))
    return Body(person, points, seen, headed, whole)


def pair(source: Person, target: Person) -> tuple[Body, Body]:
    """The bodies of two poses, computed at once: half as much to compile."""
    if isinstance(source, Body) and isinstance(target, Body):
        return source, target
    both = of(jnp.stack([jnp.asarray(source), jnp.asarray(target)]))
    before, after = (jax.tree.map(lambda x, i=i: x[i], both) for i in range(2))
    return before, after


def scaled(body: Body, scale: float) -> Body:
    """The bodies in the photo of `scale` times the size, see `pose.scaled`."""
    return Body(
        pose.scaled(body.keypoints, scale),
        pose.scaled(body.completed, scale),
        part_frames.scaled(body.seen, scale),
        part_frames.scaled(body.headed, scale),
        part_frames.scaled(body.whole, scale),
    )


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


def completed(keypoints: jax.Array, unit: jax.Array) -> jax.Array:
    """Keypoints [..., 18, 3] of people with the `Frames.unit` [...] in which a missing
    joint has a likely place: a limb goes on as that of the other side does, or hangs. A
    nose has one only if nothing of the face is seen. A person of whom neither a
    shoulder nor the neck is seen keeps what is seen."""
    seen = ((keypoints[..., 2] > 0) & jnp.isfinite(keypoints).all(axis=-1))[..., None]
    points = jnp.where(seen, keypoints[..., :2], 0.0)
    given = {
        n: _Place(points[..., i, :], seen[..., i, :]) for i, n in enumerate(JOINTS)
    }
    unit = unit[..., None]

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
