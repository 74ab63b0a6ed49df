"""A generated person in the whole photo, whose background stays the photo's own.

The picture is blended in where the bodies are. Where the person of the photo stood and
the generated one does not, what is around them is painted over the place.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageFilter

from pg2_jax import inputs, pose
from pg2_jax.pg2plus import part_places, part_warp, pull_push
from pg2_jax.photos import crop

# Torso lengths about the generated person that are taken from its image.
_MARGIN = 0.1
# The border within which a body's mask falls from 1 to 0, of the image's height.
_SOFT = 1 / 40


def blend(
    photo: Image.Image,
    image: np.ndarray,
    frame: crop.Frame,
    generated: np.ndarray,
    source_pose: np.ndarray | None,
    target_pose: np.ndarray,
    complete: bool = False,
) -> np.ndarray:
    """Puts a generated image, uint8 [h, w, 3] of any resolution, into the whole photo,
    RGB; uint8. `image` [H, W, 3] is the part that the model saw, as `frame` tells; the
    poses [18, 3] are in its pixels. Without that of the source nobody knows where the
    person stood, and the whole part is taken, with a soft border. An image that is
    `complete` shows itself what is behind the person of the photo."""
    size = (image.shape[0], image.shape[1])
    put = functools.partial(_put, frame=frame, whole=photo.size)
    scale = len(generated) / size[0]
    large = crop.Frame(frame.source, crop.Box(*(scale * x for x in frame.target)))
    known = (
        None if source_pose is None else body(source_pose, *size, part_places.MARGIN)
    )
    # Not computed for nothing: compiling it takes seconds.
    shown = None if known is None else body(target_pose, *size)
    behind = photo
    if known is None:
        mask = _whole(size, frame, photo.size)
    elif complete and shown is not None:
        mask = np.maximum(known, shown)
    else:
        free = Image.fromarray(np.asarray(_without(image, known)))
        cleared = crop.paste(photo, free, frame)
        behind = Image.composite(cleared, photo, put(known))
        # Single points show no body.
        mask = np.ones(size, np.float32) if shown is None else shown
    pasted = crop.paste(photo, Image.fromarray(generated), large)
    return np.asarray(Image.composite(pasted, behind, put(mask)))


def body(
    points: np.ndarray, height: int, width: int, margin: float = _MARGIN
) -> np.ndarray | None:
    """Where the body of a pose [18, 3] and `margin` torso lengths about it are, [H, W]
    float32 in [0, 1] with a soft edge; None where the pose shows no part of one."""
    mask = np.asarray(_body(jnp.asarray(points, jnp.float32), height, width, margin))
    if not mask.any():
        return None
    grown = Image.fromarray((255 * mask).astype(np.uint8))
    grown = grown.filter(ImageFilter.MaxFilter(3))
    soft = grown.filter(ImageFilter.GaussianBlur(height * _SOFT / 2))
    return np.asarray(soft, np.float32) / 255


@functools.partial(jax.jit, static_argnames=("height", "width", "margin"))
def _body(points: jax.Array, height: int, width: int, margin: float) -> jax.Array:
    # The parts of the body, and the body mask of the loss, which needs no torso.
    free = part_warp.background(points[None], height, width, margin)[0, ..., 0]
    limbs = pose.body_mask(points, height, width)[..., 0]
    return jnp.maximum(1.0 - free, limbs)


@jax.jit
def _without(image: jax.Array, known: jax.Array) -> jax.Array:
    """The photo's part, its person painted over."""
    free = (1.0 - known)[None, ..., None]
    filled = pull_push.without_person(inputs.from_uint8(image)[None], free)
    return inputs.to_uint8(filled[0])


def _whole(size: crop.Size, frame: crop.Frame, whole: tuple[int, int]) -> np.ndarray:
    """1, and less towards the sides within the photo, 0 at them; [H, W]."""
    soft = max(1.0, size[0] * _SOFT)
    shares = []
    for axis, length in ((1, size[0]), (0, size[1])):
        start, end = frame.target[axis::2]
        first, last = frame.source[axis::2]
        places = np.arange(length) + 0.5
        from_start = places - start if first > 0 else np.full(length, soft)
        to_end = end - places if last < whole[axis] else np.full(length, soft)
        shares.append(np.clip(np.minimum(from_start, to_end) / soft, 0, 1))
    return np.minimum(shares[0][:, None], shares[1]).astype(np.float32)


def _put(mask: np.ndarray, frame: crop.Frame, whole: tuple[int, int]) -> Image.Image:
    """A mask [H, W] of the model's image for the photo of (width, height) `whole`."""
    stored = Image.fromarray(np.round(255 * mask).astype(np.uint8))
    nothing = Image.new("L", whole)
    return crop.paste(nothing, stored, frame, Image.Resampling.BILINEAR)
