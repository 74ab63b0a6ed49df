"""Which part of a photo is stored, and where its keypoints go.

Coordinates are continuous, with the origin at the top left corner of the photo. Four
rules bring a photo to the stored size; `RULES` says them in words:

- none: the photo has that size already, or is refused;
- stretch: the whole photo is resampled to it, whatever its shape;
- letterbox: the whole photo keeps its shape, as large as fits, in the middle;
- crop: the box around the visible keypoints, grown on every side by `margin` times its
  longer side, then in one direction to the stored shape, both about its centre. A box
  that leaves the photo is moved inside. One that is larger than the photo gives up to
  half of its margin if it fits then; of a photo of the stored shape it never takes more
  than the whole.

What letterbox and crop leave free repeats the pixels of the photo's edge.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

RULES = ("none", "stretch", "letterbox", "crop")
# Of the longer side of the keypoints' box: room for the head and the feet.
MARGIN = 0.15
# Keypoints closer together than this show no person that could be cropped.
MIN_SPAN = 8
# Pixels by which the arithmetic of a box may miss the point that its edge goes through.
_ROUNDING = 1e-6

Size = tuple[int, int]


class Box(NamedTuple):
    """A rectangle; right and bottom are the coordinates of its far edges."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


class Frame(NamedTuple):
    source: Box  # part of the photo, in its pixels
    # Where that part lies in the stored image, in whole pixels; edges are repeated.
    target: Box


def frame(
    rule: str,
    original_size: Size,
    size: Size,
    keypoints: np.ndarray | None = None,
    margin: float = MARGIN,
) -> Frame:
    """Decides by one of `RULES` what is stored of an upright photo; sizes are (height,
    width). Keypoints [18, 3] in pixels of the photo, and the margin, are for crop."""
    whole, stored = (Box(0, 0, x[1], x[0]) for x in (original_size, size))
    if rule == "none" and original_size != size:
        raise ValueError(
            f"the photo is {original_size[0]}x{original_size[1]}, expected "
            f"image_size={size[0]}x{size[1]} (height x width); fit=crop, letterbox or "
            "stretch converts"
        )
    if rule == "letterbox":
        scale = min(size[0] / original_size[0], size[1] / original_size[1])
        height, width = (max(1, round(side * scale)) for side in original_size)
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        return Frame(whole, Box(left, top, left + width, top + height))
    if rule == "crop":
        box = _person(keypoints, original_size, size, margin)
        return cut(Frame(box, stored), whole)
    return Frame(whole, stored)


def cut(part: Frame, whole: Box) -> Frame:
    """What of a frame lies in a box; the rest of the image will repeat the edge."""
    source, target = part
    left, right = max(source.left, whole.left), min(source.right, whole.right)
    top, bottom = max(source.top, whole.top), min(source.bottom, whole.bottom)
    across, down = target.width / source.width, target.height / source.height
    start, end = (target.left + (x - source.left) * across for x in (left, right))
    first, last = _pixels(start, end, int(target.right))
    start, end = (target.top + (y - source.top) * down for y in (top, bottom))
    high, low = _pixels(start, end, int(target.bottom))
    return Frame(Box(left, top, right, bottom), Box(first, high, last, low))


def apply(image: Image.Image, part: Frame, size: Size) -> Image.Image:
    """Resamples (Lanczos) the framed part of an upright photo and repeats its edge
    around it, up to (height, width) `size`."""
    left, top, right, bottom = (int(side) for side in part.target)
    inner = image.resize(
        (right - left, bottom - top), Image.Resampling.LANCZOS, box=part.source
    )
    if inner.size == (size[1], size[0]):
        return inner
    around = ((top, size[0] - bottom), (left, size[1] - right), (0, 0))
    return Image.fromarray(np.pad(np.asarray(inner), around, mode="edge"))


def paste(
    photo: Image.Image,
    stored: Image.Image,
    part: Frame,
    rule: Image.Resampling = Image.Resampling.LANCZOS,
) -> Image.Image:
    """A copy of a photo with an image of the stored size back in its place: `apply`
    undone. Pixels outside `part.source` are those of the photo."""
    left, top, right, bottom = (round(side) for side in part.source)
    size = (max(1, right - left), max(1, bottom - top))
    whole = photo.copy()
    whole.paste(stored.resize(size, rule, box=part.target), (left, top))
    return whole


def move_keypoints(
    keypoints: np.ndarray, original_size: Size, part: Frame, size: Size
) -> tuple[np.ndarray, int]:
    """Moves keypoints, float32 [18, 3] in pixels, from an upright photo to what is
    stored of it; also the number of points outside, which count as missing. The others
    are clipped to the centres of the last row and column."""
    x, y, visible = keypoints.T.astype(np.float64)
    source, target = part
    inside = (visible > 0) & (x < original_size[1]) & (y < original_size[0])
    inside &= (x >= source.left - _ROUNDING) & (x <= source.right + _ROUNDING)
    inside &= (y >= source.top - _ROUNDING) & (y <= source.bottom + _ROUNDING)
    x = target.left + (x - source.left) * (target.width / source.width)
    y = target.top + (y - source.top) * (target.height / source.height)
    x, y = np.clip(x, 0, size[1] - 1), np.clip(y, 0, size[0] - 1)
    moved = np.where(inside[:, None], np.stack([x, y, visible], axis=1), 0)
    return moved.astype(np.float32), int((visible > 0).sum() - inside.sum())


def describe(part: Frame, original_size: Size, size: Size) -> str:
    """How a photo was framed, in a few words; empty when it is stored as it is."""
    source, target = part
    if source == target == Box(0, 0, size[1], size[0]):
        return ""
    # More than a twentieth is worth a word.
    shape = (original_size[0] * size[1]) / (original_size[1] * size[0])
    if (source.height, source.width) != original_size:
        words = "cropped"
    elif (target.height, target.width) != size:
        words = "letterboxed"
    elif 1 / 1.05 <= shape <= 1.05:
        words = "resized"
    else:
        words = "resized, stretched to another shape"
    if target.width > 2 * source.width or target.height > 2 * source.height:
        words += ", enlarged more than twice"
    return words


def _person(
    keypoints: np.ndarray | None, original_size: Size, size: Size, margin: float
) -> Box:
    height, width = original_size
    points = np.zeros((0, 3)) if keypoints is None else keypoints.astype(np.float64)
    x, y, visible = points.T
    seen = points[(visible > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height), :2]
    span = np.ptp(seen, axis=0) if len(seen) else np.zeros(2)
    if span.max() < MIN_SPAN:
        raise ValueError(
            f"the {len(seen)} keypoints in the photo span {span[0]:g} x {span[1]:g} "
            f"pixels, fit=crop needs {MIN_SPAN} at least"
        )
    shape = size[1] / size[0]
    free = 2 * margin * span.max()
    tight, least, wide = (
        max(span[0] + more, (span[1] + more) * shape) for more in (0.0, free / 2, free)
    )
    largest = min(width, height * shape)  # of the stored shape, in the photo
    same_shape = abs(width - height * shape) < 1
    if (tight if same_shape else least) <= largest:
        wide = min(wide, largest)
    tall = wide / shape
    centre = (seen.min(axis=0) + seen.max(axis=0)) / 2
    # Moved into the photo, or over all of it when larger.
    room = np.array([width - wide, height - tall])
    corner = centre - np.array([wide, tall]) / 2
    left, top = np.clip(corner, np.minimum(0, room), np.maximum(0, room)).tolist()
    return Box(left, top, left + wide, top + tall)


def _pixels(start: float, end: float, most: int) -> tuple[int, int]:
    """Rounds an interval to whole pixels, one at least, before `most`."""
    first = min(round(start), most - 1)
    return first, max(round(end), first + 1)
