"""Random places, their light, and the cameras that look at them."""

import colorsys
import dataclasses

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_prep.synthetic import person, wardrobe
from data_prep.synthetic.render import Light

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
    """A place, and the camera that looks at it.

    Tones are changed as haze + (1 - haze) * gain * value ** gamma.
    """

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
            canvas[rows, columns] = _seen(rng, _surface(rng), *where, horizon)
    picture = Image.fromarray((255 * np.clip(canvas, 0, 1)).astype(np.uint8))
    _draw_things(rng, ImageDraw.Draw(picture), base, height, width)
    blur = (0.3 + rng.uniform(0, 1) ** 3) * height / 128
    picture = picture.filter(ImageFilter.GaussianBlur(blur))
    slope = rng.normal(0, 0.35, 2).astype(np.float32)
    shade = 1 + 0.12 * wardrobe.patch(rng, height, width, 4 * height / 128)
    shade = shade + slope[0] * (2 * x - 0.5) + slope[1] * (y - 0.5)
    return np.asarray(picture, np.float32) / 255 * shade[..., None]


def _surface(rng: np.random.Generator) -> np.ndarray:
    """A pattern of tiles with grain, [128, 128, 3] float32 about [0, 1], periodic."""
    chances = np.array([values[-1] for values in _SURFACES.values()], float)
    kind = list(_SURFACES)[rng.choice(len(_SURFACES), p=chances / chances.sum())]
    rows, columns, shifted, differ, dark, grain, coarse, _ = _SURFACES[kind]
    hue, saturation = rng.normal(0.09, 0.04), rng.beta(1.2, 5)
    if rng.random() < 0.2:
        hue = rng.random()
    if kind == "leaves":
        hue, saturation = rng.normal(0.25, 0.04), rng.uniform(0.2, 0.6)
    value = rng.uniform(0.1, 0.5) if kind == "leaves" else rng.uniform(0.08, 0.95)
    base = np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))
    tiles = base * (1 + differ * rng.normal(0, 1, (rows, columns, 1)))
    if differ > 0.3:
        tiles = tiles * (1 + 0.12 * rng.normal(0, 1, (rows, columns, 3)))
    place = np.arange(_TILES) / _TILES
    down, right = place[:, None] * rows, place[None] * columns
    right = right + 0.5 * shifted * (down.astype(int) % 2)
    joint = (down % 1 < 0.04 + 0.002 * rows) | (right % 1 < 0.03 + 0.002 * columns)
    values = np.clip(tiles, 0, 1)[
        down.astype(int) + 0 * right.astype(int), right.astype(int) % columns
    ]
    shade = 1 + grain * wardrobe.patch(rng, _TILES, _TILES, coarse)
    shade = shade * (1 - dark * rng.uniform(-0.5, 1) * joint)
    return (values * shade[..., None]).astype(np.float32)


def _seen(rng, surface: np.ndarray, x, y, base: float | None) -> np.ndarray:
    """The surface at pixels x, y in [0, 1] of the height: as a wall, or in perspective
    as a ground that begins at row `base`."""
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


def _draw_things(rng, draw: ImageDraw.ImageDraw, base: int, tall: int, wide: int):
    """Doors, poles, cars, bushes and other people."""
    for _ in range(rng.poisson(3.5)):
        x, foot = (
            rng.uniform(-0.2, 1.1) * wide,
            max(base, 0) + rng.exponential(0.1) * tall,
        )
        ink = tuple(int(255 * c) for c in person.cloth_colour(rng, vivid=0.12))
        across, up = rng.uniform(0.1, 0.7) * wide, rng.uniform(0.1, 0.5) * tall
        match rng.integers(6):
            case 0:
                draw.rectangle((x, foot - 2 * up, x + 0.06 * wide, foot), fill=ink)
            case 1:
                draw.rectangle((x, foot - up, x + across, foot), fill=ink)
            case 2:
                draw.ellipse((x, foot - up, x + across, foot), fill=ink)
            case 3:
                end = x + rng.normal(0, 0.7) * wide, foot + rng.normal(0, 0.5) * tall
                draw.line((x, foot, *end), fill=ink, width=int(rng.integers(1, 5)))
            case 4:
                draw.rounded_rectangle((x, foot - up, x + across, foot), 4, fill=ink)
                glass = x + 2, foot - 0.9 * up, x + across - 2, foot - 0.5 * up
                if across > 6:
                    draw.rectangle(glass, fill=(40, 45, 50))
            case 5:
                size = rng.uniform(0.3, 0.9) * tall
                draw.rectangle((x, foot - 0.5 * size, x + 0.18 * size, foot), fill=ink)
                chest = x - 0.03 * size, foot - 0.85 * size, x + 0.21 * size
                shirt = tuple(int(255 * c) for c in person.cloth_colour(rng, vivid=0.3))
                draw.rounded_rectangle((*chest, foot - 0.45 * size), 3, fill=shirt)
                head = x + 0.03 * size, foot - size, x + 0.15 * size
                draw.ellipse((*head, foot - 0.84 * size), fill=(150, 110, 90))
