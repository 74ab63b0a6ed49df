"""Colours of a synthetic person: fabrics, faces, light and shadow."""

import dataclasses

import numpy as np

from data_prep.synthetic import figure, person, render


@dataclasses.dataclass(frozen=True)
class Light:
    """The light of one scene."""

    direction: np.ndarray  # [3] unit vector to the light: right, up, to the camera
    colour: np.ndarray  # [3] RGB factor
    ambient: float  # share of light in the shade, in [0, 1]


def paint(
    surface: render.Surface,
    parts: list[render.Part],
    look: person.Look,
    light: Light,
    folds: np.ndarray,
) -> np.ndarray:
    """Colours the visible points of a person made from `parts`: [height, width, 4]
    float32, RGB in [0, 1] multiplied by alpha, and alpha. `folds` are the phases, [3]
    in radians, of the creases in the cloth."""
    local = surface.local / np.float32(look.size)
    material, colour = _materials(surface, parts, look)
    torso = np.array([part.bone.group == "torso" for part in parts])[surface.part]
    _paint_clothes(colour, local, material, torso, look)
    _paint_face(colour, local, material, look)
    chest = next(part.bone.frame for part in parts if part.bone.group == "torso")
    normal = surface.normal.copy()
    normal[torso] = _rounded(normal[torso], local[torso], chest)
    shade = _shade(surface, normal, light) * _texture(local, material, folds)
    colour *= shade[:, None] * light.colour.astype(np.float32)
    canvas = np.zeros((surface.owner.size, 4), np.float32)
    canvas[surface.pixel, :3] = np.clip(colour, 0, 1)
    canvas[surface.pixel, 3] = 1
    return canvas.reshape(*surface.owner.shape, 4)


def _materials(
    surface: render.Surface, parts: list[render.Part], look: person.Look
) -> tuple[np.ndarray, np.ndarray]:
    """[N] names and [N, 3] float32 colours of each point's material: a part's first
    one, or the other one behind its cut."""
    shaven = 0.75 * np.array(look.skin) + 0.25 * np.array(look.hair)
    colours = dataclasses.asdict(look) | {
        "hair": shaven if look.hair_style == "bald" else look.hair,
        "face": look.skin,
        "socks": (0.85, 0.85, 0.85),
        "bag": look.bag_colour,
    }
    names = np.array([(part.material, part.other) for part in parts])
    table = np.array([[colours[name] for name in pair] for pair in names], np.float32)
    cut = np.array([part.in_metres(part.cut) for part in parts], np.float32)
    cut = cut[surface.part]
    behind = np.einsum("ni,ni->n", surface.local, cut[:, :3]) > cut[:, 3]
    index = surface.part, behind.astype(int)
    return names[index], table[index]


def _paint_clothes(colour, local, material, torso, look) -> None:
    """Patterns of shirt and trousers, and the straps of a bag."""
    shirt, trousers = material == "shirt", material == "trousers"
    cover = _shirt_cover(look, local[shirt], torso[shirt])
    _blend(colour, shirt, cover, look.accent)
    cover = _trousers_cover(look, local[trousers])
    _blend(colour, trousers, cover, look.trousers_accent)
    clothed = np.flatnonzero(torso & (material != "skin"))
    x, y, z = local[clothed].T
    strap = np.zeros(len(x), bool)
    if look.bag == "backpack":
        strap = (abs(abs(x) - 0.105) < 0.021) & (y > -0.33) & (z > -0.05)
    elif look.bag == "shoulder":
        slant = look.bag_side * x + 0.12 + 0.62 * y
        strap = (abs(slant) < 0.024) & (y > -0.52)
    colour[clothed[strap]] = look.bag_colour


def _blend(colour, chosen, cover, ink) -> None:
    """Mixes `ink` into the chosen points, as much as `cover` in [0, 1] says."""
    share = cover.astype(np.float32)[:, None]
    colour[chosen] += share * (np.array(ink, np.float32) - colour[chosen])


def _shirt_cover(look, local, torso) -> np.ndarray:
    """[N] share of the accent colour at points of the upper garment."""
    x, y, z = local.T
    around = np.arctan2(x, z) * 0.16
    front = torso & (z > 0)
    match look.pattern:
        case "stripes":
            return _repeats(y, look.period)
        case "pinstripes":
            return _repeats(around, 0.65 * look.period, 0.45)
        case "checks":
            return _checks(around, y, look.period)
        case "print":
            height = y + 0.2
            figures = (
                x * x + height * height < 0.085**2,
                (abs(x) < 0.1) & (abs(height) < 0.06),
                abs(x) + abs(height) < 0.11,
                (abs(x) < 0.035) | ((abs(height) < 0.035) & (abs(x) < 0.13)),
                abs(height) < 0.055,
            )
            return front & figures[look.emblem]
        case "block":
            return y < -0.21
        case "jacket":
            return front & (abs(x) < 0.028 + 0.06 * np.clip(1 + y / 0.3, 0, 1))
        case "dots":
            cell = 0.8 * look.period
            dx, dy = (v / cell - np.round(v / cell) for v in (around, y))
            return dx * dx + dy * dy < 0.09
    return np.zeros_like(x)


def _trousers_cover(look, local) -> np.ndarray:
    """[N] share of the accent colour at points of the lower garment."""
    x, y, z = local.T
    match look.trousers_pattern:
        case "checks":
            return _checks(np.arctan2(x, z) * 0.1, y, 0.09)
        case "stripes":
            return _repeats(y, 0.12, 0.4)
        case "side":
            return abs(z) < 0.022
    return np.zeros_like(x)


def _repeats(position: np.ndarray, period: float, share: float = 0.5) -> np.ndarray:
    """True on the first `share` of each period."""
    ratio = position * np.float32(1 / period)
    return ratio - np.floor(ratio) < share


def _checks(x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
    return np.mean([_repeats(x, period), _repeats(y, period)], axis=0)


def _paint_face(colour, local, material, look) -> None:
    """Eyes, brows and mouth on the front of the head."""
    face = (material == "face") & (local[:, 2] > 0.03)
    x, y, _ = local[face].T
    side = abs(x)
    skin, hair = np.array(look.skin), np.array(look.hair)
    marks = (
        (side - 0.032, y - 0.018, 0.017, 0.0085, 0.4 * skin + 0.45),
        (side - 0.032, y - 0.017, 0.008, 0.0085, (0.08, 0.06, 0.06)),
        (side - 0.034, y - 0.043, 0.021, 0.006, 0.6 * hair),
        (x, y + 0.064, 0.026, 0.009, skin * (0.75, 0.42, 0.42)),
    )
    for dx, dy, wide, high, ink in marks:
        distance = (dx / np.float32(wide)) ** 2 + (dy / np.float32(high)) ** 2
        _blend(colour, face, np.clip(1.6 - distance, 0, 1), ink)


def _texture(local: np.ndarray, material: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """[N] brightness by combed hair and by soft creases that follow the limbs."""
    x, y, z = local.T
    bend = np.sin(31 * x + 9 * y + folds[0]) + np.sin(27 * z - 14 * y + folds[1])
    crease = np.sin(24 * y + np.float32(1.5) * bend + folds[2])
    cloth = (material == "shirt") | (material == "trousers")
    brightness = 1 - cloth * np.float32(0.1) * (crease * crease)
    hair = material == "hair"
    x, y, z = local[hair].T
    comb = np.sin(150 * x + 20 * np.sin(14 * y)) + np.sin(110 * z + 60 * x)
    brightness[hair] = 1 + np.float32(0.1) * comb
    return brightness


def _rounded(normal: np.ndarray, local: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Normals of the torso as of one column, to hide where its parts meet."""
    column = _unit(local * np.array((1, 0, 2.2), np.float32))
    return _unit(0.4 * normal + 0.6 * np.einsum("ij,nj->ni", frame, column))


def _unit(vectors: np.ndarray) -> np.ndarray:
    squares = np.einsum("ni,ni->n", vectors, vectors)
    return vectors / np.sqrt(squares + 1e-6)[:, None]


def _shade(surface: render.Surface, normal: np.ndarray, light: Light) -> np.ndarray:
    """[N] brightness: diffuse light, sky from above, cast shadows, dark rims."""
    toward = light.direction.astype(np.float32)
    diffuse = np.clip((np.einsum("ni,i->n", normal, toward) + 0.2) / 1.2, 0, 1)
    lit = 1 - 0.6 * _cast_shadow(surface, toward)
    sky = light.ambient * (0.85 + 0.15 * normal[:, 1])
    rim = 1 - 0.3 * (1 - np.clip(normal[:, 2], 0, 1)) ** 2
    return ((sky + (1.2 - light.ambient) * diffuse * lit) * rim).astype(np.float32)


def _cast_shadow(surface: render.Surface, toward: np.ndarray) -> np.ndarray:
    """[N] share of light that other parts of the person block, by marching.

    A point is in the shade if, some way towards the light, the nearest surface is
    in front of the ray, yet not so far in front that the ray passes behind it.
    """
    view, blocked = surface.view, np.zeros(len(surface.pixel), np.float32)
    row, column = np.divmod(surface.pixel, view.width)
    depth = surface.depth.ravel()
    z = depth[surface.pixel]
    steps = (0.03, 0.06, 0.1, 0.15)
    for step in steps:
        down = round(-step * toward[1] * view.scale)
        right = round(step * toward[0] * view.scale)
        rows = np.clip(row + down, 0, view.height - 1)
        columns = np.clip(column + right, 0, view.width - 1)
        gap = depth[rows * view.width + columns] - z - step * toward[2]
        blocked += (gap > 0.02) & (gap < 0.3)
    return blocked * np.float32(1 / len(steps)) ** 0.5 * 0.9


def ground_shadow(
    skeleton: figure.Skeleton, light: Light, view: render.Viewport
) -> np.ndarray:
    """[height, width] factor below 1 around the feet and away from the light."""
    toes, ankles = (
        np.array([skeleton.joints[f"{side}_{name}"] for side in "rl"])
        for name in ("toe", "ankle")
    )
    ground = min(toes[:, 1].min(), ankles[:, 1].min() - 0.06)
    feet = view.project((toes + ankles) / 2)[:, 0]
    away = -light.direction[0] * 0.35 * view.scale
    row = view.y0 - view.scale * (ground - 0.02)
    # Three spots: at the right foot, at the left one, and the body's.
    columns = np.array([*feet, feet.mean() + away])
    wide, high, strength = np.array([[0.11, 0.03, 0.5]] * 2 + [[0.4, 0.05, 0.3]]).T
    x, y = np.arange(view.width)[:, None], np.arange(view.height)[:, None]
    across = np.exp(-(((x - columns) / (wide * view.scale)) ** 2))
    down = strength * np.exp(-(((y - row) / (high * view.scale)) ** 2))
    return (1 - (down[:, None] * across).max(-1)).astype(np.float32)
