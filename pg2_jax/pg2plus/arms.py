"""Bodies without the arms before them, which would move along."""

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax.pg2plus import bodies, part_places, pull_push
from pg2_jax.pg2plus.bodies import Person
from pg2_jax.pg2plus.parsing import Parsed
from pg2_jax.pg2plus.part_frames import HEAD, NUM_PARTS, TORSO, Frames

_CLOSE = 0.1  # torso lengths about a part, where little of the background may be lost
# What arms can hide, and which: both over the thighs, torso and head; a forearm over
# the upper arm of the other side.
ARMS, FOREARMS = 6, 8  # where they begin
_UNDER_ARMS = *((part, (6, 7, 8, 9)) for part in (0, 1, 4, 5)), (6, (9,)), (7, (8,))
_SHOULDER = 0.25  # of an upper arm
# An arm surely hides what is so far inside it, and by how much of a hand's reach.
_INNER, _FIST = -0.02, 0.75  # torso lengths; a share
_NO_ARM, _ARM = 0.05, 0.25  # how likely pixels are an arm that count as none or one
_FOUND = 0.5  # of the body where no arm is that is enough to go by


def removed(
    image: jax.Array, person: Person, parsed: Parsed
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A `parsed` photo [B, h, w, C] of the person with keypoints [B, 18, 3] whose
    arms are painted over as far as they are before the body, whatever becomes of them;
    the clothes that they hide, and where clothes are seen, [B, h, w, 1] each."""
    source = bodies.of(person).seen
    hidden, shown, _ = _under_arms(source, None, image.shape[1:3], parsed)
    places = part_places.places(source, *image.shape[1:3])
    masks = part_places.masks(source, *places)
    head = (masks[..., HEAD] * (1.0 - masks[..., TORSO]))[..., None]
    armless = image + hidden * (pull_push.without_person(image, shown) - image)
    return armless, hidden * (1.0 - head), shown * (1.0 - head)


def without_leaving(
    image: jax.Array,
    source: Frames,
    target: Frames,
    parsed: Parsed | None,
    armless: jax.Array | None,
) -> jax.Array:
    """A photo [B, h, w, C] in which arms that go elsewhere than the part under them are
    painted over with what is around on the body, or with what the `armless` photo has
    there: they would be taken along. So are gaps in the middle of the torso beside them
    that are not the person of the `parsed` photo, the last channel of which says where
    that is."""
    size = image.shape[1:3]
    hidden, shown, middle = _under_arms(source, target, size, parsed)
    hidden, shown = jax.lax.optimization_barrier((hidden, shown))
    given = 0 if armless is None else armless.shape[-1]
    behind = pull_push.without_person(image[..., given:], shown)
    if armless is not None:
        behind = jnp.concatenate([armless, behind], axis=-1)
    clear = image + hidden * (behind - image)
    if parsed is None:
        return clear
    # Whatever is there now is the torso.
    of_person = jnp.maximum(clear[..., -1:], middle)
    return jnp.concatenate([clear[..., :-1], of_person], axis=-1)


def seen(parsed: Parsed) -> jax.Array:
    """Where arms and hands are seen, [B, h, w, 1] in [0, 1]."""
    return jnp.clip((parsed.arms - _NO_ARM) / (_ARM - _NO_ARM), 0.0, 1.0)


def _under_arms(
    source: Frames,
    target: Frames | None,
    size: tuple[int, ...],
    parsed: Parsed | None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What arms hide that go elsewhere in the target, or without one all that they
    hide; where the body is seen; the middle of the torso; [B, h, w, 1] each."""
    along, across = part_places.places(source, *size)
    known = source.known if target is None else source.known & target.known

    def within(border: float, distance: jax.Array) -> jax.Array:
        masks = part_places.covered(source, distance, border)
        return jnp.where(known[:, None, None, :], masks, 0.0)

    far = part_places.distances(source, along, across)
    core, close = within(-_CLOSE, far), within(_CLOSE, far)
    if parsed is not None:
        fist = part_places.distances(source, along, across, _FIST)
        close = jnp.maximum(within(_INNER, fist), close * seen(parsed))
    hidden = _hidden_by_arms(source, target, along, across, within(0.0, far), close)
    middle = core[..., TORSO : TORSO + 1]
    if parsed is not None:
        beside = within(part_places.MARGIN, far)[..., ARMS:].max(axis=-1, keepdims=True)
        hidden = jnp.maximum(hidden, middle * beside * (1.0 - parsed.person))
    shown = core[..., :FOREARMS].max(axis=-1, keepdims=True) * (1.0 - hidden)
    if parsed is not None:
        # Of a person who is hardly found the pose alone tells.
        sure = shown * parsed.person
        found, all_of_it = (x.sum(axis=(1, 2, 3), keepdims=True) for x in (sure, shown))
        shown = jnp.where(found > _FOUND * all_of_it, sure, shown)
    return hidden, shown, middle


def _hidden_by_arms(
    source: Frames,
    target: Frames | None,
    along: jax.Array,
    across: jax.Array,
    body: jax.Array,
    arms: jax.Array,
) -> jax.Array:
    """Where an arm hides a part of the body that does not go with it, [B, h, w, 1]; of
    the masks [B, h, w, 10] of both."""
    # The shoulder stays with the torso.
    begin = np.where(np.arange(NUM_PARTS) < FOREARMS, _SHOULDER, 0.0)
    begin = begin.astype(np.float32).reshape(1, 1, 1, NUM_PARTS)
    arms = jnp.where(along > begin * source.length[:, None, None, :], arms, 0.0)

    if target is not None:
        places = part_places.source_places(target, source, along, across)

    def leaves(under: int, arm: int) -> jax.Array | float:
        if target is None:
            return 1.0
        dx, dy = (x[..., arm] - x[..., under] for x in places)
        unit = jnp.maximum(target.unit[:, None, None], 1e-3)
        return part_places.far(jnp.sqrt(dx**2 + dy**2) / unit)

    hidden = jnp.zeros_like(arms[..., 0])
    for under, over in _UNDER_ARMS:
        for arm in over:
            hides = body[..., under] * arms[..., arm] * leaves(under, arm)
            hidden = jnp.maximum(hidden, hides)
    return hidden[..., None]
