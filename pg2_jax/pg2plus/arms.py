"""Bodies without the arms before them, which would move along."""

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax.pg2plus import part_frames, part_places, pull_push
from pg2_jax.pg2plus.part_frames import HEAD, NUM_PARTS, TORSO, Frames

_CLOSE = 0.1  # torso lengths about a part, where little of the background may be lost
# What arms can hide, and which: both over the thighs, torso and head; a forearm over
# the upper arm of the other side.
ARMS, FOREARMS = 6, 8  # where they begin
_UNDER_ARMS = *((part, (6, 7, 8, 9)) for part in (0, 1, 4, 5)), (6, (9,)), (7, (8,))
_SHOULDER = 0.25  # of an upper arm
_ALIKE, _OTHER = 0.1, 0.3  # differences of colours in [-1, 1]
_FOUND = 0.5  # of the body where no arm is that is enough to go by


def removed(
    image: jax.Array, keypoints: jax.Array, person: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A photo [B, h, w, C] of the `person` [B, h, w, 1] with keypoints [B, 18, 3] whose
    arms are painted over as far as they are before the body, whatever becomes of them;
    the clothes that they hide, and where clothes are seen, [B, h, w, 1] each."""
    source = part_frames.frames(keypoints)
    hidden, shown, _, head = _under_arms(source, None, image.shape[1:3], person)
    armless = image + hidden * (pull_push.without_person(image, shown) - image)
    return armless, hidden * (1.0 - head), shown * (1.0 - head)


def without_leaving(
    image: jax.Array,
    source: Frames,
    target: Frames,
    person: jax.Array | None,
    armless: jax.Array | None,
) -> tuple[jax.Array, jax.Array]:
    """A photo [B, h, w, C] in which arms that go elsewhere than the part under them are
    painted over with what is around on the body, or with what the `armless` photo has
    there: they would be taken along. So are gaps in the middle of the torso beside them
    that are not the `person`. And where, but before the head, the photo has the colours
    of what is under an arm, [B, h, w, 1] in [0, 1]: no hand is there."""
    size = image.shape[1:3]
    hidden, shown, middle, head = _under_arms(source, target, size, person)
    hidden, shown = jax.lax.optimization_barrier((hidden, shown))
    given = 0 if armless is None else armless.shape[-1]
    behind = pull_push.without_person(image[..., given:], shown)
    if armless is not None:
        behind = jnp.concatenate([armless, behind], axis=-1)
    differs = jnp.abs(image - behind)[..., :3].mean(axis=-1, keepdims=True)
    alike = jnp.clip((_OTHER - differs) / (_OTHER - _ALIKE), 0.0, 1.0)
    clear = image + hidden * (behind - image)
    if person is not None:
        # Whatever is there now is the torso.
        of_person = jnp.maximum(clear[..., -1:], middle)
        clear = jnp.concatenate([clear[..., :-1], of_person], axis=-1)
    # Before a face there is skin as well.
    return clear, hidden * alike * (1.0 - head)


def _under_arms(
    source: Frames,
    target: Frames | None,
    size: tuple[int, ...],
    person: jax.Array | None,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """What arms hide that go elsewhere in the target, or without one all that they
    hide; where the body is seen; the middle of the torso; the head; [B, h, w, 1]
    each."""
    along, across = part_places.places(source, *size)
    known = source.known if target is None else source.known & target.known

    def within(border: float) -> jax.Array:
        masks = part_places.masks(source, along, across, border)
        return jnp.where(known[:, None, None, :], masks, 0.0)

    core, close = within(-_CLOSE), within(_CLOSE)
    hidden = _hidden_by_arms(source, target, along, across, within(0.0), close)
    middle = core[..., TORSO : TORSO + 1]
    if person is not None:
        beside = within(part_places.MARGIN)[..., ARMS:].max(axis=-1, keepdims=True)
        hidden = jnp.maximum(hidden, middle * beside * (1.0 - person))
    shown = core[..., :FOREARMS].max(axis=-1, keepdims=True) * (1.0 - hidden)
    if person is not None:
        # Of a person who is hardly found the pose alone tells.
        sure = shown * person
        found, all_of_it = (x.sum(axis=(1, 2, 3), keepdims=True) for x in (sure, shown))
        shown = jnp.where(found > _FOUND * all_of_it, sure, shown)
    head = part_places.masks(source, along, across)[..., HEAD : HEAD + 1]
    return hidden, shown, middle, head


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
