"""What each pixel of a photo shows: the person, its hair, its arms.

A small network, which comes with the code and serves all models, looks at the photo and
at where the joints say that the parts are. It learned from synthetic people alone.
Where it is not sure the colours nearby decide, so that edges are those of the photo.
"""

import functools
import math
import pathlib
from typing import Any, NamedTuple

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import safetensors.numpy

from pg2_jax.layers import (
    ResidualBlock,
    conv,
    depth_to_space,
    relu,
    space_to_depth,
    upsample,
)
from pg2_jax.pg2plus import (
    bodies,
    part_frames,
    part_places,
    pull_push,
    sampling,
)
from pg2_jax.pg2plus.bodies import Person

# Hats count as hair, hands as arms.
CLASSES = ("background", "hair", "arms", "body")
_HAIR, _ARMS = CLASSES.index("hair"), CLASSES.index("arms")
WEIGHTS = pathlib.Path(__file__).with_name("parsing.safetensors")
# That the network sees: four pixels of the photo as one, and what is told of them.
CHANNELS = 4 * 3 + 8 + 2 * part_frames.NUM_PARTS
_WIDTHS = 24, 48, 48, 72  # from half resolution down
_HEIGHT = 128  # pixels of the photos that it learned from
_CORE = -0.1  # torso lengths: so far inside the parts is the person, in the main
# How likely a pixel that counts as the person, or as what is behind it, must be.
_PERSON, _BEHIND = 0.85, 0.15
_EVEN = 0.02  # the variance of colours in [-1, 1] of an even surface
_TRUST, _MOST = 0.5, 4.0  # in what the colours say, and the most that they say
_SOME = 0.3  # of a cell of four pixels that is enough to go by
_TINY = 0.01


class ParsingNetwork(nn.Module):
    """A U-Net at half resolution that tells the classes of pixels."""

    @nn.compact
    def __call__(self, seen: jax.Array) -> jax.Array:
        """What `seen` gives, [B, H, W, CHANNELS] -> logits [B, 2 H, 2 W, 4] of
        `CLASSES`."""
        x = relu(_conv(_WIDTHS[0], "stem")(seen))
        skips = []
        for i, width in enumerate(_WIDTHS):
            if i:
                x = relu(conv(width, 3, "float32", stride=2, name=f"halve{i}")(x))
            x = ResidualBlock(width, "float32", name=f"encode{i}")(x)
            skips.append(x)
        for i in reversed(range(len(_WIDTHS) - 1)):
            narrow = conv(_WIDTHS[i], 1, "float32", name=f"narrow{i}")
            x = jnp.concatenate([upsample(narrow(x), skips[i]), skips[i]], axis=-1)
            x = relu(_conv(_WIDTHS[i], f"join{i}")(x))
        return depth_to_space(_conv(4 * len(CLASSES), "out")(x))


def _conv(features: int, name: str) -> nn.Conv:
    return conv(features, 3, "float32", name=name)


def seen(image: jax.Array, person: Person) -> jax.Array:
    """What the network sees of a photo [B, H, W, 3] in [-1, 1] with keypoints [B, 18,
    3]: each four pixels as one; and of their mean, by its colour whether that is the
    person, what the person and what is behind look like nearby, and where the parts
    are, all of them and those that are seen; [B, H / 2, W / 2, CHANNELS], sizes rounded
    up."""
    half = sampling.halved(image)
    body = bodies.of(person)
    whole = part_frames.scaled(body.whole, 0.5)
    places = part_places.places(whole, half.shape[1], half.shape[2])
    distance = part_places.distances(whole, *places)
    core, parts, all_of_it = (
        part_places.within(whole, distance, margin)
        for margin in (_CORE, 0.0, part_places.MARGIN)
    )
    core = core.max(axis=-1, keepdims=True)
    behind = 1.0 - all_of_it.max(axis=-1, keepdims=True)
    known = body.seen.known[:, None, None, :]
    of_person, of_others = _colours(half, core), _colours(half, behind)
    told = [
        space_to_depth(image),
        jnp.clip(_evidence(half, of_person, of_others) / _MOST, -1.0, 1.0),
        of_person[..., :3],
        of_others[..., :3],
        behind,
        parts,
        parts * known,
    ]
    # XLA would compute it anew for each place of the kernel.
    return jax.lax.optimization_barrier(jnp.concatenate(told, axis=-1))


def classes(image: jax.Array, person: Person, params: Any = None) -> jax.Array:
    """How likely each pixel of a photo [B, H, W, 3] in [-1, 1] with keypoints [B, 18,
    3] shows each of the `CLASSES`: [B, H, W, 4] in [0, 1], which add up to 1; by the
    weights `params`, if not by those that come with the code."""
    size, halvings = image.shape[1:3], round(math.log2(image.shape[1] / _HEIGHT))
    photo = image
    for _ in range(halvings):
        photo = sampling.halved(photo)
    if halvings < 0:
        photo = sampling.enlarged(photo, *(side << -halvings for side in size))
    body = bodies.of(person)
    if halvings:
        body = bodies.scaled(body, 0.5**halvings)
    told = seen(photo, body)
    params = built_in(WEIGHTS) if params is None else params
    logits: Any = ParsingNetwork().apply({"params": params}, told)
    found = nn.softmax(logits[:, : photo.shape[1], : photo.shape[2]])
    for _ in range(-halvings):
        found = sampling.halved(found)
    if halvings > 0:
        found = sampling.enlarged(found, *size)
    # XLA would compute it anew for each that reads it.
    return jax.lax.optimization_barrier(jax.lax.stop_gradient(found))


class Parsed(NamedTuple):
    """What a photo shows, of how likely that is; [B, H, W, 1] in [0, 1] each."""

    person: jax.Array
    hair: jax.Array
    arms: jax.Array


def parse(image: jax.Array, person: Person) -> Parsed:
    """Who of a photo [B, H, W, 3] in [-1, 1] the person with the keypoints [B, 18, 3]
    is, by the `classes` and by the colours; nobody where there are no keypoints."""
    body = bodies.of(person)
    known = classes(image, body)
    likely = by_colours(image, 1.0 - known[..., :1])
    anybody = body.seen.known.any(axis=-1)
    likely = jnp.where(anybody[:, None, None, None], likely, 0.0)
    hair, arms = (known[..., i : i + 1] for i in (_HAIR, _ARMS))
    return Parsed(jax.lax.optimization_barrier(likely), hair, arms)


def by_colours(image: jax.Array, likely: jax.Array) -> jax.Array:
    """How likely each pixel is the person, [B, H, W, 1] in [0, 1], where also the
    colours nearby tell, those of the person and of what surely is not."""
    surely, behind = (
        x.astype(image.dtype) for x in (likely > _PERSON, likely < _BEHIND)
    )
    evidence = _evidence(image, _colours(image, surely), _colours(image, behind))
    # Colours of which nothing is known tell nothing.
    evidence *= jnp.minimum(*(_most(x) for x in (surely, behind)))
    logit = jax.scipy.special.logit(jnp.clip(likely, _TINY, 1.0 - _TINY))
    return nn.sigmoid(logit + _TRUST * jnp.clip(evidence, -_MOST, _MOST))


@functools.cache
def built_in(path: pathlib.Path) -> Any:
    """The weights of a network that comes with the code, float32."""
    flat = safetensors.numpy.load_file(path)
    stored = flax.traverse_util.unflatten_dict(flat, sep="/")
    return jax.tree.map(lambda x: x.astype("float32"), stored)


def _colours(image: jax.Array, where: jax.Array) -> jax.Array:
    """The colours nearby of what is `where`, [B, H, W, 1] in [0, 1]: their mean and
    variance, [B, H, W, 4]."""
    weight = sampling.halved(where)
    both = jnp.concatenate([image, image**2], axis=-1)
    both = sampling.halved(both * where) / jnp.maximum(weight, 1e-3)
    near = pull_push.without_person(both, (weight > _SOME).astype(image.dtype))
    near = jax.lax.optimization_barrier(sampling.enlarged(near, *image.shape[1:3]))
    mean = near[..., :3]
    variance = jnp.maximum(near[..., 3:] - mean**2, 0.0).mean(axis=-1, keepdims=True)
    return jnp.concatenate([mean, variance + _EVEN], axis=-1)


def _most(where: jax.Array) -> jax.Array:
    """1 if four neighbours somewhere are enough to go by, else 0; [B, 1, 1, 1]."""
    cells = (sampling.halved(where) > _SOME).astype(where.dtype)
    return cells.max(axis=(1, 2, 3), keepdims=True)


def _evidence(
    image: jax.Array, of_person: jax.Array, of_others: jax.Array
) -> jax.Array:
    """How much more likely the colour of each pixel is among those of the person than
    among those of what is behind, as a logarithm, [B, H, W, 1]."""

    def surprise(colours: jax.Array) -> jax.Array:
        mean, variance = colours[..., :3], colours[..., 3:]
        squared = jnp.mean((image - mean) ** 2, axis=-1, keepdims=True)
        return 1.5 * (squared / variance + jnp.log(variance))

    return surprise(of_others) - surprise(of_person)
