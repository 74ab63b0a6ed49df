"""The light of a scene, and how textured people look in it."""

import dataclasses

import numpy as np
from PIL import Image, ImageFilter

from data_prep.synthetic.fabric import MATERIALS, SIZE, folds
from data_prep.synthetic.render import Part, Surface


@dataclasses.dataclass(frozen=True)
class Light:
    """The light of one scene."""

    direction: np.ndarray  # [3] unit vector to the light: right, up, to the camera
    colour: np.ndarray  # [3] RGB factor
    ambient: float  # share of light in the shade, in [0, 1]


def paint(
    surface: Surface,
    parts: list[Part],
    textures: np.ndarray,
    light: Light,
    rng: np.random.Generator,
) -> np.ndarray:
    """The person made from `parts`: [height, width, 4] uint8, RGB and alpha.
    `textures` are those of `wardrobe.textures`; each picture has folds of its own."""
    material, row, column, down = _places(surface, parts)
    colour = textures[material, row, column]
    shift = rng.integers(512, size=(2, len(parts)))
    folded = folds()
    low, right = (down * 200).astype(int), 2 * column
    low, right = low + shift[0, surface.part], right + shift[1, surface.part]
    creases = folded[low % len(folded), right % len(folded)]
    shade = _shade(surface, light) * (1 + colour[:, 3] * creases)
    lit = colour[:, :3] * (shade[:, None] * (255 * light.colour).astype(np.float32))
    canvas = np.zeros((surface.owner.size, 4), np.uint8)
    canvas[surface.pixel, :3] = np.clip(lit, 0, 255)
    canvas[surface.pixel, 3] = 255
    return canvas.reshape(*surface.owner.shape, 4)


def _places(surface: Surface, parts: list[Part]) -> tuple[np.ndarray, ...]:
    """[N] material, row and column in its texture, and metres below the limb's top."""
    names = list(MATERIALS)
    rows = [
        (names.index(p.material), p.bone.above, 1 / p.bone.size, *MATERIALS[p.material])
        for p in parts
    ]
    material, above, scale, top, high, _ = np.array(rows, np.float32)[surface.part].T
    x, y, z = surface.local.T
    down = above - y * scale
    row = np.clip((down + top) / high * SIZE, 0, SIZE - 1).astype(int)
    # Trunks are flat: their fronts take about half of the texture.
    flat = np.where(material == names.index("torso"), np.float32(1.6), 1)
    turn = np.arctan2(x, z * flat) * np.float32(0.5 / np.pi) + np.float32(0.5)
    column = (turn * SIZE).astype(int) % SIZE
    return material.astype(int), row, column, down


def _shade(surface: Surface, light: Light) -> np.ndarray:
    """[N] brightness: diffuse light, sky from above, shadows of parts, dark rims."""
    toward = light.direction.astype(np.float32)
    normal = _softened(surface)
    diffuse = np.clip((normal @ toward + 0.25) / 1.25, 0, 1)
    near, far = _covered(surface, toward)
    sky = light.ambient * (0.8 + 0.2 * normal[:, 1]) * (1 - 0.6 * near)
    rim = 1 - 0.35 * (1 - np.clip(normal[:, 2], 0, 1)) ** 2
    return (sky + (1.25 - light.ambient) * diffuse * (1 - 0.7 * far)) * rim


def _softened(surface: Surface) -> np.ndarray:
    """[N, 3] unit normals, averaged with those around, to hide where parts meet."""
    height, width = surface.owner.shape
    coded = np.full((height * width, 3), 128, np.uint8)
    coded[surface.pixel] = surface.normal * np.float32(120) + 128
    picture = Image.fromarray(coded.reshape(height, width, 3))
    soft = np.asarray(picture.filter(ImageFilter.BoxBlur(height / 85)), np.float32)
    mean = soft.reshape(-1, 3)[surface.pixel] - 128
    mean = mean / 120 + np.float32(0.3) * surface.normal
    return mean / np.sqrt(np.einsum("ni,ni->n", mean, mean) + 1e-6)[:, None]


def _covered(surface: Surface, toward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N] how much other parts stand before the surroundings of each point, and before
    what lies 8 cm towards the light, both in [0, 1]."""
    view = surface.view
    depth = Image.fromarray(np.maximum(surface.depth, -1.5))
    small = depth.resize((view.width // 6, view.height // 6), Image.Resampling.BOX)
    soft = small.resize((view.width, view.height), Image.Resampling.BILINEAR)
    before = np.asarray(soft).ravel()[surface.pixel]
    z = surface.depth.ravel()[surface.pixel]
    row, column = np.divmod(surface.pixel, view.width)
    row = row - round(0.08 * toward[1] * view.scale)
    column = column + round(0.08 * toward[0] * view.scale)
    row, column = np.clip(row, 0, view.height - 1), np.clip(column, 0, view.width - 1)
    ahead = surface.depth[row, column] - z - 0.08 * toward[2]
    near = np.clip((before - z) * 8, 0, 1)
    return near, ((ahead > 0.02) & (ahead < 0.4)).astype(np.float32)
