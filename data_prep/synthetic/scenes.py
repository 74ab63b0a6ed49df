"""Random places, their light, and the cameras that look at them."""

import colorsys
import dataclasses
import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_prep.synthetic import fabric, person
from data_prep.synthetic.shading import Light

# Rows and columns of tiles, whether every other row is shifted, how much the tiles
# differ, how dark the joints are, strength and coarseness of the grain, how often.
_SURFACES = {
    "plaster": (1, 1, False, 0, 0, 0.05, 2, 4),
    "asphalt": (1, 1, False, 0, 0, 0.12, 0.4, 3),
    "leaves": (1, 1, False, 0, 0, 0.45, 0.7, 3),
    "paving": (5, 5, False, 0.06, 0.3, 0.08, 0.7, 3),
    "slabs": (3, 2, True, 0.08, 0.3, 0.08, 1, 2),
    "bricks": (16, 6, True, 0.12, 0.3, 0.08, 0.7, 2),
    "planks": (8, 1, True, 0.15, 0.4, 0.08, 1, 2),
    "shutters": (14, 1, False, 0.02, 0.5, 0.03, 2, 1),
    "shelves": (6, 13, False, 0.5, 0.6, 0.2, 0.7, 1),
    "panes": (2, 3, False, 0.4, 0.5, 0.25, 2, 3),
}
_TILES = 128  # rows and columns of a surface


@dataclasses.dataclass(frozen=True)
class Scene:
    """A place and its camera; tones become haze + (1 - haze) * gain * value **
    gamma."""

    place: np.ndarray  # [height, width, 3] float32 in [0, 1], without people
    light: Light
    pitch: float  # radians the camera looks down
    distance: float  # metres to the person
    zoom: float  # factor on the size of people; 1 if they fill the height
    blur: float  # standard deviation in pixels of a 128-pixel picture
    noise: float  # standard deviation in grey levels
    gain: float
    gamma: float
    haze: float
    quality: int  # of JPEG

    def develop(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Tones, blur and noise; [height, width, 3] float32 in [0, 1] -> uint8."""
        tones = self.gain * np.clip(picture, 0, 1) ** np.float32(self.gamma)
        tones = 255 * (self.haze + (1 - self.haze) * tones)
        values = Image.fromarray(np.clip(tones, 0, 255).astype(np.uint8))
        values = values.filter(ImageFilter.GaussianBlur(self.blur * len(picture) / 128))
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(self.noise)
        return np.clip(np.asarray(values) + noise, 0, 255).astype(np.uint8)


def make_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    """A random scene for pictures of a size in pixels."""
    angle = rng.uniform(-1.2, 1.2)
    direction = np.array((np.sin(angle), rng.uniform(0.4, 1.1), 0.8 * np.cos(angle)))
    warm = rng.normal(0, 0.05)
    light = Light(
        direction=direction / np.linalg.norm(direction),
        colour=np.array((1 + warm, 1.0, 1 - warm)) * rng.uniform(0.9, 1.15),
        ambient=float(rng.uniform(0.45, 0.85)),
    )
    return Scene(
        place=_place(rng, height, width) * light.colour.astype(np.float32),
        light=light,
        pitch=float(rng.uniform(0.0, 0.4)),
        distance=float(rng.uniform(3.0, 9.0)),
        zoom=float(rng.uniform(1.1, 1.7) if rng.random() < 0.12 else 1),
        blur=float(rng.uniform(0.0, 0.6)),
        noise=float(rng.uniform(0.5, 4.0)),
        gain=float(rng.uniform(0.9, 1.3)),
        gamma=float(np.exp(rng.normal(0, 0.2))),
        haze=float(max(0.0, rng.normal(0, 0.06))),
        quality=int(rng.integers(75, 96)),
    )


def _place(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A wall above a ground, with things before it."""
    base = int(height * rng.uniform(-0.15, 0.85))
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    canvas = np.empty((height, width, 3), np.float32)
    edge = int(rng.uniform(0, 2 * width))  # where another wall begins
    floor = max(0, base)
    for rows, columns, horizon in (
        (slice(0, floor), slice(0, edge), None),
        (slice(0, floor), slice(edge, width), None),
        (slice(floor, height), slice(0, width), base / height),
    ):
        if canvas[rows, columns].size:
            where = x[rows, columns], y[rows, columns]
            canvas[rows, columns] = _seen(rng, _coloured(rng), *where, horizon)
    picture = Image.fromarray((255 * np.clip(canvas, 0, 1)).astype(np.uint8))
    _draw_things(rng, ImageDraw.Draw(picture), base, height, width)
    blur = (0.3 + rng.uniform(0, 1) ** 3) * height / 128
    picture = picture.filter(ImageFilter.GaussianBlur(blur))
    slope = rng.normal(0, 0.35, 2).astype(np.float32)
    shade = 1 + 0.12 * fabric.patch(rng, height, width, max(height, width) / 32)
    shade = shade + slope[0] * (2 * x - 0.5) + slope[1] * (y - 0.5)
    return np.asarray(picture, np.float32) / 255 * shade[..., None]


def _coloured(rng: np.random.Generator) -> np.ndarray:
    """A random surface, [128, 128, 3] float32 about [0, 1]."""
    chances = np.array([values[-1] for values in _SURFACES.values()])
    kind = list(_SURFACES)[rng.choice(len(_SURFACES), p=chances / chances.sum())]
    hue = rng.normal(0.09, 0.04) if rng.random() < 0.8 else rng.random()
    colour = hue % 1, rng.beta(1.2, 5), rng.uniform(0.08, 0.95)
    if kind == "leaves":
        colour = rng.normal(0.25, 0.04), rng.uniform(0.2, 0.6), rng.uniform(0.1, 0.5)
    shades = _surface(kind, int(rng.integers(8)))
    return np.clip(shades * np.array(colorsys.hsv_to_rgb(*colour), np.float32), 0, 1)


@functools.cache
def _surface(kind: str, variant: int) -> np.ndarray:
    """One of a few patterns of tiles with grain of each kind, as factors on a colour:
    [128, 128, 3] float32, periodic."""
    rng = np.random.default_rng([list(_SURFACES).index(kind), variant])
    rows, columns, shifted, differ, dark, grain, coarse, _ = _SURFACES[kind]
    tiles = 1 + differ * rng.normal(0, 1, (rows, columns, 1))
    tiles = tiles * (1 + 0.3 * differ * rng.normal(0, 1, (rows, columns, 3)))
    place = np.arange(_TILES) / _TILES
    down, right = np.meshgrid(place * rows, place * columns, indexing="ij")
    right += 0.5 * shifted * (down.astype(int) % 2)
    joint = (down % 1 < 0.04 + 0.002 * rows) | (right % 1 < 0.03 + 0.002 * columns)
    shade = 1 + grain * fabric.patch(rng, _TILES, _TILES, coarse)
    shade = shade * (1 - dark * rng.uniform(-0.5, 1) * joint)
    values = tiles[down.astype(int), right.astype(int) % columns] * shade[..., None]
    return np.maximum(values, 0).astype(np.float32)


def _seen(rng, surface: np.ndarray, x, y, base: float | None) -> np.ndarray:
    """The surface at x, y in shares of the height, as a wall, or a ground from
    `base`."""
    if base is None:
        depth = 1 + rng.normal(0, 0.4) * (x - 0.25)
        u, v = x / np.maximum(depth, 0.4), y / np.maximum(depth, 0.4)
        scale = rng.uniform(0.8, 2.0)
    else:
        horizon = base - rng.uniform(0.15, 1.0)
        depth = 1 / np.maximum(y - horizon, 0.1)
        u, v, scale = (x - 0.25) * depth, depth, rng.uniform(0.6, 2.0)
        turn = rng.choice((0, rng.uniform(-0.8, 0.8)))
        u, v = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
    column, row = ((p * scale * _TILES).astype(int) % _TILES for p in (u, v))
    return surface[row, column]


def _draw_things(rng, draw, base: int, tall: int, wide: int) -> None:
    for _ in range(rng.poisson(3.5)):
        ink, second = (
            tuple(int(255 * part) for part in person.cloth_colour(rng, vivid=0.12))
            for _ in range(2)
        )
        foot = max(base, 0) + rng.exponential(0.1) * tall
        left, up = rng.uniform(-0.2, 1.1) * wide, rng.uniform(0.1, 0.5) * tall
        right = left + rng.uniform(0.1, 0.7) * wide
        match rng.integers(6):
            case 0:
                draw.rectangle((left, foot - 2 * up, left + 0.06 * wide, foot), ink)
            case 1:
                draw.rectangle((left, foot - up, right, foot), ink)
            case 2:
                draw.ellipse((left, foot - up, right, foot), ink)
            case 3:
                end = rng.normal(0, 0.7) * wide, foot + rng.normal(0, 0.5) * tall
                draw.line((left, foot, *end), ink, int(rng.integers(1, 5)))
            case 4:
                draw.rounded_rectangle((left, foot - up, right, foot), 4, ink)
                top, low = foot - 0.9 * up, foot - 0.5 * up
                glass = 0.9 * left + 0.1 * right, top, 0.1 * left + 0.9 * right, low
                draw.rectangle(glass, (40, 45, 50))
            case 5:  # legs, chest, head
                unit = 0.2 * up
                draw.rectangle((left, foot - 5 * unit, left + 2 * unit, foot), ink)
                chest = left - unit / 2, foot - 9 * unit, left + 2.5 * unit
                draw.rounded_rectangle((*chest, foot - 5 * unit), unit, second)
                head = left + unit / 3, foot - 11 * unit, left + 1.7 * unit
                draw.ellipse((*head, foot - 9 * unit), (150, 110, 90))
