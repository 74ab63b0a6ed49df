"""A photo taken apart: its person, and the place without it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageFilter

from pg2_jax import cpu_convolution, inputs
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.inference.source_photo import Source
from pg2_jax.pg2plus import find_person, part_warp, sampling
from pg2_jax.photos import crop, patch_fill

# Torso lengths: what is so far inside the parts may be the person; too much is better
# here than some hair that stays.
_ABOUT = -0.1
_LEAST = 0.2  # of a person in a pixel, which the place without it does not show
_FADES = 6.0  # pixels of the model's image beyond the photo in which its edge fades
_GROWN = 2  # pixels of the model's image about the person, for shadows and blur


class Scene(NamedTuple):
    """A photo, or the part of it that a picture shows."""

    photo: np.ndarray  # uint8 [h, w, 3]; beyond the edges of the whole photo made up
    background: np.ndarray  # uint8 [h, w, 3], the photo without the person
    person: np.ndarray  # float32 [H, W, 1] in [0, 1], of the model's size


def read(generators: restore.Generators, source: Source, photo: np.ndarray) -> Scene:
    """Takes a photo apart, uint8 [h, w, 3] of the same part as `source.image`, of that
    size or a multiple of it; the joints of the source are known."""
    height, width = photo.shape[:2]
    scale = height // source.image.shape[0]
    person, gone = cpu_convolution.jitted(_person, "scale", "architecture")(
        generators.coarse,
        source.image[None],
        np.asarray(source.pose, np.float32)[None],
        scale=scale,
        architecture=generators.architecture,
    )
    hole = _grown(np.asarray(gone[0, ..., 0]) > _LEAST, _GROWN * scale)
    beyond = _beyond(source.frame, scale, (height, width))
    filled = patch_fill.fill(photo.astype(np.float32), hole | (beyond > 0))
    share = np.maximum(_soft(hole, scale / 2), beyond)[..., None]
    background = np.round(share * filled + (1 - share) * photo).astype(np.uint8)
    # A body that the photo cuts off goes on as its edge does.
    shown = np.where((hole | (beyond == 0))[..., None], photo, background)
    return Scene(shown, background, np.asarray(person[0]))


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * pixels + 1))) > 0


def _soft(mask: np.ndarray, pixels: float) -> np.ndarray:
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    soft = image.filter(ImageFilter.GaussianBlur(pixels))
    return np.asarray(soft, np.float32) / 255


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


def _person(
    params: restore.PyTree,
    image: jax.Array,
    pose: jax.Array,
    *,
    scale: int,
    architecture: Architecture,
) -> tuple[jax.Array, jax.Array]:
    """Who is the person, [1, H, W, 1] in [0, 1], and at the photo's resolution who may
    be, [1, h, w, 1]."""
    source = inputs.from_uint8(image)
    height, width = image.shape[1:3]
    person = find_person.find(params, source, pose, architecture)
    about = 1.0 - part_warp.background(pose, height, width, _ABOUT)
    gone = jnp.maximum(person, about)
    return person, sampling.enlarged(gone, scale * height, scale * width)
