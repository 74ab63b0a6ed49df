"""Cloth: noise, creases, and patterns that can be cut to any piece of a garment."""

import dataclasses
import functools

import numpy as np
from PIL import Image

from data_prep.synthetic import person

SIZE = 96  # rows and columns of a texture
# First row's y in the frame of the part's bone, height and width, all in metres.
MATERIALS = {
    "torso": (0.1, 0.8, 0.9),
    "skirt": (0.12, 0.9, 1.1),
    "arm": (0.05, 0.7, 0.32),
    "leg": (0.1, 1.0, 0.45),
    "head": (0.15, 0.3, 0.56),
    "hair": (0.15, 0.6, 0.56),
    "hat": (0.2, 0.3, 0.56),
    "shoe": (0.06, 0.11, 0.3),
    "bag": (0.05, 0.8, 0.8),
    "skin": (0.1, 0.3, 0.3),
}
_NOISE = 512


@functools.cache
def noise(power: float = 1.1, stretch: float = 1.0) -> np.ndarray:
    """A periodic float32 [512, 512] picture, mean 0 and deviation 1; amplitudes fall
    with a power of the frequency, and blobs are `stretch` times wider than high."""
    rng = np.random.default_rng(7)
    spectrum = np.fft.rfft2(rng.standard_normal((_NOISE, _NOISE)))
    down, right = np.fft.fftfreq(_NOISE)[:, None], np.fft.rfftfreq(_NOISE)
    spectrum /= np.maximum(np.hypot(down, stretch * right), 1 / 64) ** power
    values = np.fft.irfft2(spectrum)
    return ((values - values.mean()) / values.std()).astype(np.float32)


@functools.cache
def folds() -> np.ndarray:
    """A periodic float32 [512, 512] picture of the brightness of creased cloth, mean 0
    and deviation 1: slopes between ridges, slanted and wider than high."""
    rows, columns = np.mgrid[:_NOISE, :_NOISE]
    field = np.abs(noise(2.4, 2.0)[(rows + columns) % _NOISE, columns])
    values = field - np.roll(field, 10, 0) + 0.3 * field
    return np.clip((values - values.mean()) / values.std(), -2, 2)


@functools.cache  # Copying it takes half of the time of a patch.
def _noise_picture() -> Image.Image:
    return Image.fromarray(noise())


def patch(
    rng: np.random.Generator, height: int, width: int, scale: float
) -> np.ndarray:
    """A float32 [height, width] piece of the noise, `scale` times as coarse."""
    wide, high = width / scale, height / scale
    left, top = rng.uniform(0, _NOISE - wide), rng.uniform(0, _NOISE - high)
    box = left, top, left + wide, top + high
    resized = _noise_picture().resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(resized)


@dataclasses.dataclass(frozen=True)
class Fabric:
    """A pattern that can be cut to any piece of a garment."""

    base: person.Colour
    inks: tuple[person.Colour, person.Colour]
    pattern: str  # one of those in `cut`; any other name is plain
    seed: int

    def cut(self, material: str) -> np.ndarray:
        """float32 [SIZE, SIZE, 3] RGB, about [0, 1]."""
        rng = np.random.default_rng(self.seed)
        period = 0.02 * 6.5 ** rng.random()
        share, weave = rng.uniform(0.2, 0.6), rng.uniform(0.005, 0.035)
        shift = rng.integers(_NOISE, size=(4, 2))
        top, high, wide = MATERIALS[material]
        y = (np.arange(SIZE, dtype=np.float32) / SIZE * high - top)[:, None]
        x = ((np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE - 0.5)[None] * wide

        def grain(step: float, number: int) -> np.ndarray:
            """Noise, of which a pixel is as wide as `step` metres."""
            down, right = ((v / step).astype(int) for v in (y, x))
            down, right = down + shift[number, 0], right + shift[number, 1]
            return noise()[down % _NOISE, right % _NOISE]

        cover = np.zeros((2, SIZE, SIZE), np.float32)
        match self.pattern:
            case "stripes":
                place = (0 * x + y if rng.random() < 0.75 else x + 0 * y) / period
                cover[0] = place % 1 < share
                cover[1] = (place + 0.3) % 2 < 0.15
            case "plaid":
                for place in (x, y):
                    for number, start in enumerate(rng.random(4)):
                        broad = rng.uniform(0.1, 0.35)
                        inside = (place / period / 1.3 - start) % 1 < broad
                        cover[number % 2] += 0.4 * inside
            case "flowers":
                cover[0] = grain(period / 6, 0) > 0.75
                cover[1] = grain(period / 9, 1) > 1.05
            case "dots":
                step = 0.35 * period + 0.015
                dx, dy = ((v / step) % 1 - 0.5 for v in (x + 0.5 * step, y))
                cover[0] = dx * dx + dy * dy < 0.08
            case "block":
                cover[0] = y > 0.15 + 0.2 * share
            case "melange":
                weave = 0.09
            case "denim":
                weave = 0.035
                worn = np.exp(-((x / 0.07) ** 2) - ((y - 0.25) / 0.2) ** 2)
                cover[0] = 0.35 * share * worn
            case "side":
                cover[0] = abs(abs(x) - wide / 4) < 0.015
        colour = np.full((SIZE, SIZE, 3), self.base, np.float32)
        for depth, ink in zip(np.minimum(cover, 1), self.inks, strict=True):
            colour += depth[..., None] * (np.array(ink, np.float32) - colour)
        fine = weave * (grain(0.003, 2) + 0.5 * grain(0.02, 3))[..., None]
        return colour * (1 + fine) + 0.2 * fine

    def edge(self) -> np.ndarray:
        """The colour of its seams."""
        return 0.65 * np.array(self.base)
