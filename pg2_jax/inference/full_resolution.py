"""Pictures at the photo's own resolution, by models that move its pixels.

The network works at its size and says with what weights the moved parts, the photo
without and with its person, and its own image are blended. Weights and image are
enlarged; the others are read from the photo itself, which is taken apart first.
"""

import math
from typing import Any, NamedTuple, TypeGuard

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageFilter

from pg2_jax import cpu_convolution, errors, inputs
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.inference import exported_model
from pg2_jax.inference.source_photo import Source
from pg2_jax.pg2plus import (
    arms,
    blending,
    bodies,
    guides,
    parsing,
    part_transfer,
    part_warp,
    pull_push,
    sampling,
    skirts,
)
from pg2_jax.photos import crop, patch_fill

MAX_SIDE = 1024
_GENERATED = 0.1  # torso lengths about a person in which the network generates
_LEAST = 0.2  # of a person in a pixel, which the place without it does not show
_SURELY = 0.5  # of a body in a pixel from which pieces are taken
_FADES = 6.0  # pixels of the model's image beyond the photo in which its edge fades
_GROWN = 2  # pixels of the model's image about the person, for shadows and blur


class Enlarged(NamedTuple):
    """At the photo's resolution, uint8 [h, w, 3]."""

    photo: np.ndarray  # the part that the model sees
    pictures: list[np.ndarray]  # its person in poses


class Scene(NamedTuple):
    """A photo, or the part of it that a picture shows, taken apart."""

    photo: np.ndarray  # uint8 [h, w, 3]; beyond the edges of the whole photo made up
    background: np.ndarray  # uint8 [h, w, 3], the photo without the person
    parsed: parsing.Parsed  # float32 [H, W, 1], of the model's size
    sure: parsing.Parsed  # float32 [h, w, 1], the person for certain, arms in doubt
    person: np.ndarray  # uint8 [h, w, 3], the photo with the person's colours about it
    armless: np.ndarray  # uint8 [h, w, 3], the photo without arms over the body
    hairy: np.ndarray  # uint8 [h, w, 3], the photo with hair all over


def moves_pixels(
    model: restore.Generators | exported_model.Program,
) -> TypeGuard[restore.Generators]:
    """Whether a model moves the photo's pixels, by one network that can be looked
    into."""
    is_one = isinstance(model, restore.Generators) and model.refine is None
    return is_one and model.architecture.needs_source_pose


def pictures(
    model: restore.Generators | exported_model.Program,
    source: Source,
    poses: np.ndarray,
    max_side: int,
) -> Enlarged | None:
    """A photo and its person in poses [N, 18, 3], in pixels of the model's image; None
    where the resolution is not kept, or the joints of the source are not known."""
    if source.pose is None or not moves_pixels(model):
        return None
    photo = photo_of(source.photo, source.frame, source.image.shape[:2], max_side)
    scene = take_apart(source, source.image if photo is None else photo)
    given = source.image, *scene, np.asarray(source.pose, np.float32)
    program = cpu_convolution.jitted(_generate, "scale", "architecture")
    # One after the other: at this size each fills the memory of many small ones.
    drawn = [
        program(
            model.coarse,
            *jax.tree.map(lambda x: x[None], (*given, pose.astype(np.float32))),
            scale=len(scene.photo) // len(source.image),
            architecture=model.architecture,
        )
        for pose in poses
    ]
    return Enlarged(scene.photo, [np.asarray(picture[0]) for picture in drawn])


def photo_of(
    photo: Image.Image, frame: crop.Frame, size: crop.Size, max_side: int
) -> np.ndarray | None:
    """The part of a photo that the model sees at its (height, width) `size`, about at
    the photo's resolution and within `max_side`, uint8 [h, w, 3]; None where the photo
    has no more pixels."""
    if max_side < 1:
        raise errors.ArgumentError("max_side", max_side, " must be 1 or more.")
    finest = max(1.0, frame.source.height / frame.target.height)
    most = max(1.0, max_side / max(size))
    # A power of two, so that few programs are compiled.
    scale = min(2 ** round(math.log2(finest)), 2 ** math.floor(math.log2(most)))
    if scale == 1:
        return None
    larger = crop.Frame(frame.source, crop.Box(*(scale * x for x in frame.target)))
    return np.asarray(crop.apply(photo, larger, (scale * size[0], scale * size[1])))


def take_apart(source: Source, photo: np.ndarray) -> Scene:
    """Takes a photo apart, uint8 [h, w, 3] of the same part as `source.image`, of that
    size or a multiple of it."""
    scale = len(photo) // len(source.image)
    found = cpu_convolution.jitted(_found, "scale")(
        source.image[None],
        photo[None],
        np.asarray(source.pose, np.float32)[None],
        scale=scale,
    )
    parsed, gone, sure, person, clothes, hair, light = jax.tree.map(
        lambda x: np.asarray(x[0]), found
    )
    grown = ImageFilter.MaxFilter(2 * _GROWN * scale + 1)
    hole = _filtered(gone[..., 0] > _LEAST, grown) > 0
    beyond = _beyond(source.frame, scale, photo.shape[:2])
    filled = patch_fill.fill(photo.astype(np.float32), hole | (beyond > 0))
    soft = _filtered(hole, ImageFilter.GaussianBlur(scale / 2))
    share = np.maximum(soft.astype(np.float32) / 255, beyond)[..., None]
    background = np.round(share * filled + (1 - share) * photo).astype(np.uint8)
    # A body that the photo cuts off goes on as its edge does.
    shown = np.where((hole | (beyond == 0))[..., None], photo, background)
    armless = _with_pieces(*clothes)
    hairy = np.round(_with_pieces(*hair) * light).astype(np.uint8)
    return Scene(shown, background, parsed, sure, person, armless, hairy)


def _with_pieces(
    photo: np.ndarray, hidden: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """A photo without what hides clothes or hair, uint8 [h, w, 3], with pieces of those
    that are `shown` where they are `hidden`, float32 [h, w, 1] each."""
    hole, pieces = hidden[..., 0] > _LEAST, shown[..., 0] > _SURELY
    both = hole | pieces
    if not both.any():
        return photo
    rows, columns = (np.flatnonzero(both.any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    filled = photo.astype(np.float32)
    filled[box] = patch_fill.fill(filled[box], hole[box], (pieces & ~hole)[box])
    return np.round(filled).astype(np.uint8)


def _filtered(mask: np.ndarray, rule: ImageFilter.Filter) -> np.ndarray:
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(rule))


def _beyond(frame: crop.Frame, scale: int, size: crop.Size) -> np.ndarray:
    """Where a picture shows what lies beyond the edges of the photo: float32 [h, w], 0
    on the photo, growing to 1 away from it, where its edge pixels repeat too often."""
    left, top, right, bottom = (scale * side for side in frame.target)
    rows, columns = np.arange(size[0])[:, None] + 0.5, np.arange(size[1]) + 0.5
    way = np.maximum(
        np.maximum(top - rows, rows - bottom),
        np.maximum(left - columns, columns - right),
    )
    return np.clip(way / (_FADES * scale), 0, 1).astype(np.float32)


class _Found(NamedTuple):
    """What a photo shows; [1, H, W, 1] or at the photo's resolution [1, h, w, 1]."""

    parsed: parsing.Parsed  # of the model's size
    gone: jax.Array  # where the person may be, which is no background
    sure: parsing.Parsed  # of the photo's, the person for certain, arms in doubt
    # The photo with the person's colours about it, uint8 [1, h, w, 3]; and without arms
    # and with hair all over, and where clothes and hair are hidden and shown.
    person: jax.Array
    clothes: tuple[jax.Array, ...]
    hair: tuple[jax.Array, ...]
    light: jax.Array  # in which the hair is, [1, h, w, 1]


def _found(
    image: jax.Array, photo: jax.Array, pose: jax.Array, *, scale: int
) -> _Found:
    source, shown = inputs.from_uint8(image), inputs.from_uint8(photo)
    body = bodies.of(pose)
    enlarged = bodies.scaled(body, scale)
    large = photo.shape[1], photo.shape[2]
    parsed = parsing.parse(source, body)
    # Too much is better here than some hair that stays.
    about = 1.0 - part_warp.background(
        body, image.shape[1], image.shape[2], guides.BODY
    )
    gone = jnp.maximum(guides.possible(parsed.person), about)
    certain = guides.certain(sampling.along_edges(parsed.person, source, shown))
    hair, seen = (sampling.enlarged(x, *large) for x in (parsed.hair, parsed.arms))
    sure = parsing.Parsed(certain, hair * certain, seen)
    own = _own_colours(shown, certain, enlarged, scale)
    armless, *clothes = arms.removed(own, enlarged, sure)
    hairy, light, hair = guides.hairy(own, enlarged, sure.hair)
    head = part_warp.head(enlarged, *large)
    return _Found(
        parsed,
        sampling.enlarged(gone, *large),
        sure,
        inputs.to_uint8(own),
        (inputs.to_uint8(armless), *clothes),
        (inputs.to_uint8(hairy), head * (1.0 - hair), hair),
        light,
    )


def _own_colours(
    photo: jax.Array, person: jax.Array, body: bodies.Body, scale: int
) -> jax.Array:
    """A photo with the person's own colours within a pixel of the model's image of the
    person's edge, whose pixels are of the background as well, and around it. What is
    too thin for that stays as it is, and so does the middle of a body that was not
    found."""
    window = 2 * scale + 1, 2 * scale + 1
    inner = -nn.max_pool(-person, window, padding="SAME")
    near = nn.max_pool(inner, window, padding="SAME")
    known = part_warp.inside(body, *photo.shape[1:3])
    inner = jnp.maximum(jnp.maximum(inner, person - near), known)
    own = photo + (1.0 - inner) * (pull_push.without_person(photo, inner) - photo)
    nobody = inner.max(axis=(1, 2, 3), keepdims=True) == 0.0
    return jnp.where(nobody, photo, own)


def _generate(
    params: restore.PyTree,
    image: jax.Array,
    photo: jax.Array,
    background: jax.Array,
    parsed: parsing.Parsed,
    sure: parsing.Parsed,
    person: jax.Array,
    armless: jax.Array,
    hairy: jax.Array,
    source_pose: jax.Array,
    target_pose: jax.Array,
    *,
    scale: int,
    architecture: Architecture,
) -> jax.Array:
    """The picture, uint8 [1, h, w, 3], of a photo of that size taken apart."""
    source, large, behind = map(inputs.from_uint8, (image, photo, background))
    own, bare, hair = map(inputs.from_uint8, (person, armless, hairy))
    guide = inputs.pose_input(source, source_pose, target_pose, architecture, parsed)
    network = part_transfer.PartTransferGenerator(architecture, final=True)
    layers: Any = network.apply({"params": params}, source, guide, method="layers")
    weights = blending.without_what_leaves(layers.weights, guide)
    layers = layers._replace(weights=weights)
    height, width = photo.shape[1:3]
    generated = sampling.enlarged(layers.generated, height, width)
    poses = bodies.pair(source_pose, target_pose)
    before, after = (bodies.scaled(body, scale) for body in poses)
    cloth = skirts.cloth(source, poses[0], parsed.person)
    moved = part_warp.warp(own, before, after, height, width, sure, bare, hair, cloth)
    weights = blending.enlarged(layers.weights, guide, moved.coverage)
    # Away from the person in the new pose a piece of the photo is better than what the
    # network makes up.
    away = part_warp.background(after, height, width, _GENERATED)
    generated += away * (behind - generated)
    layers = blending.Layers(generated, weights)
    return inputs.to_uint8(blending.blend(moved.composite, behind, large, layers))
