"""The six cameras of the synthetic world: places, light and picture quality."""

import dataclasses
import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_prep.synthetic import paint

CAMERAS = 6
# Colours of wall and ground at each camera.
_PLACES = np.array(
    (
        ((0.72, 0.69, 0.63), (0.62, 0.60, 0.57)),
        ((0.55, 0.62, 0.66), (0.42, 0.43, 0.45)),
        ((0.66, 0.68, 0.70), (0.50, 0.58, 0.36)),
        ((0.80, 0.78, 0.74), (0.70, 0.62, 0.52)),
        ((0.56, 0.36, 0.30), (0.55, 0.53, 0.52)),
        ((0.52, 0.60, 0.47), (0.66, 0.58, 0.45)),
    )
)
_LAWN, _BRICKS = 2, 4  # cameras


@dataclasses.dataclass(frozen=True)
class Camera:
    """One camera and the place it looks at."""

    backdrop: Image.Image  # the empty place; the wall meets the ground half way down
    light: paint.Light
    pitch: float  # radians the camera looks down
    distance: float  # metres to the person
    blur: float  # standard deviation in pixels of a 128-pixel picture
    noise: float  # standard deviation in grey levels
    quality: int  # of JPEG


@functools.lru_cache(maxsize=CAMERAS)
def camera(seed: int, index: int, height: int) -> Camera:
    """Camera `index` (0 to 5) of the world `seed`, for pictures of `height` pixels."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0, index]))
    angle = rng.uniform(-0.9, 0.9)
    direction = np.array((np.sin(angle), rng.uniform(0.5, 0.9), np.cos(angle)))
    warm = rng.uniform(-0.05, 0.05)
    light = paint.Light(
        direction=direction / np.linalg.norm(direction),
        colour=np.array((1 + warm, 1.0, 1 - warm)) * rng.uniform(0.94, 1.06),
        ambient=float(rng.uniform(0.52, 0.68)),
    )
    return Camera(
        backdrop=_backdrop(rng, index, height),
        light=light,
        pitch=float(rng.uniform(0.0, 0.22)),
        distance=float(rng.uniform(4.0, 9.0)),
        blur=float(rng.uniform(0.0, 0.6)),
        noise=float(rng.uniform(0.5, 4.0)),
        quality=int(rng.integers(82, 95)),
    )


def background(
    view: Camera, rng: np.random.Generator, height: int, width: int
) -> np.ndarray:
    """A random part of the camera's view, [height, width, 3] float32, 0..1."""
    zoom = rng.uniform(0.8, 1.2)
    tall, wide = zoom * height, zoom * width
    left = rng.uniform(0, view.backdrop.width - wide)
    # The wall meets the ground behind the person's legs.
    top = view.backdrop.height // 2 - tall * rng.uniform(0.45, 0.75)
    box = left, top, left + wide, top + tall
    crop = view.backdrop.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(crop, np.float32) * np.float32(rng.uniform(0.95, 1.05) / 255)


def _backdrop(rng: np.random.Generator, index: int, height: int) -> Image.Image:
    """A place eight pictures wide and two high."""
    tall, wide = 2 * height, 8 * height
    wall, ground = _PLACES[index]
    rows = np.linspace(0, 1, tall)[:, None, None]
    shading = np.where(
        rows < 0.5, wall * (0.8 + 0.5 * rows), ground * (0.7 + 0.4 * rows)
    )
    values = shading * (1 + 0.2 * _cloudiness(rng, tall, wide, height // 4))
    values *= 1 + 0.1 * _cloudiness(rng, tall, wide, max(2, height // 16))
    picture = Image.fromarray((255 * np.clip(values, 0, 1)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    if index != _LAWN:
        _draw_paving(draw, height, ground * rng.uniform(0.65, 0.85))
    if index == _BRICKS:
        _draw_bricks(draw, height, wall * 1.25)
    else:
        _draw_windows(draw, rng, height, wall)
    _draw_things(draw, rng, height)
    return picture.filter(ImageFilter.GaussianBlur(height / 128))


def _cloudiness(
    rng: np.random.Generator, tall: int, wide: int, cell: int
) -> np.ndarray:
    """Smooth noise in [-1, 1], [tall, wide, 1], with blobs of `cell` pixels."""
    coarse = rng.integers(0, 256, (tall // cell + 2, wide // cell + 2), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((wide, tall), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32)[..., None] / 127.5 - 1


def _draw_paving(draw, height, colour) -> None:
    """Rows that come closer towards the horizon, and slanted joints."""
    line = {"fill": _rgb(colour), "width": max(1, height // 100)}
    for step in range(1, 9):
        row = height + height * (step / 8) ** 1.7
        draw.line((0, row, 8 * height, row), **line)
    for step in range(-4, 44):
        top = step * 0.2 * height
        draw.line((top, height, top + 0.35 * height, 2 * height), **line)


def _draw_bricks(draw, height, colour) -> None:
    for row in range(40):
        y = height - row * 0.05 * height
        draw.line((0, y, 8 * height, y), fill=_rgb(colour))
        for column in range(80):
            x = (column + 0.5 * (row % 2)) * 0.1 * height
            draw.line((x, y, x, y - 0.05 * height), fill=_rgb(colour))


def _draw_windows(draw, rng, height, wall) -> None:
    pitch = rng.uniform(0.4, 0.8) * height
    glass = _rgb(wall * rng.uniform(0.4, 1.3) * (0.9, 1.0, 1.1))
    for column in range(int(8 * height / pitch) + 1):
        x, wide = column * pitch, rng.uniform(0.3, 0.7) * pitch
        low = height - rng.uniform(0.0, 0.35) * height
        box = x, low - 0.6 * height, x + wide, low
        draw.rectangle(box, fill=glass, outline=_rgb(wall * 0.6))


def _draw_things(draw, rng, height) -> None:
    """Parked blocks, poles, bushes and far-away people along the wall."""
    for _ in range(26):
        x = rng.uniform(0, 8 * height)
        foot = height + rng.uniform(0.0, 0.25) * height
        colour = _rgb(rng.uniform(0.15, 0.85) + rng.normal(0, 0.07, 3))
        kind = rng.integers(4)
        if kind == 0:  # a pole
            wide, tall = 0.03 * height, rng.uniform(0.6, 1.2) * height
        elif kind == 1:  # a car or a bench
            wide, tall = rng.uniform(0.4, 0.9) * height, rng.uniform(0.1, 0.3) * height
        else:
            wide, tall = rng.uniform(0.08, 0.2) * height, rng.uniform(0.2, 0.5) * height
        box = (x, foot - tall, x + wide, foot)
        if kind == 3:
            draw.ellipse(box, fill=colour)
        else:
            draw.rounded_rectangle(box, 0.03 * height, fill=colour)


def _rgb(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(255 * channel) for channel in np.clip(colour, 0, 1))
