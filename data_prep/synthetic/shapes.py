"""The solid parts that procedural people are made of, and what they consist of."""

import dataclasses
import enum

import numpy as np

from data_prep.synthetic import looks

NEVER = (0.0, 0.0, 0.0, 1.0)  # a half space that holds no point


class Group(enum.IntEnum):
    """What a part belongs to, for deciding which joints it hides."""

    HEAD = 0
    TORSO = 1
    R_ARM = 2
    L_ARM = 3
    R_LEG = 4
    L_LEG = 5
    SKIRT = 6
    BAG = 7


class Material(enum.IntEnum):
    """Index into the colours of a look, see `palette`."""

    SKIN = 0
    HAIR = 1
    SHIRT = 2
    ACCENT = 3
    TROUSERS = 4
    SHOES = 5
    SOLES = 6
    BAG = 7
    HAT = 8
    FACE = 9
    SOCKS = 10


@dataclasses.dataclass(frozen=True)
class Part:
    """A tapered capsule with elliptic cross-section, cut by planes.

    Half spaces are (nx, ny, nz, c), meaning n.p > c, with p in the texture frame.

    Attributes:
        start: [3] centre of the first ball, in metres; end: of the second.
        radii: of the first and second ball.
        group: the body part it belongs to.
        squash: factors on the extent along (across, third axis, length).
        across: [3] direction that becomes the first axis of the cross-section.
        origin: [3] origin of the texture frame.
        frame: [3, 3] texture frame, columns x (left), y (up), z (front).
        clip: half space that is cut away.
        cut: half space made of the `other` material.
    """

    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]
    group: Group
    material: Material
    squash: tuple[float, float, float]
    across: np.ndarray
    origin: np.ndarray
    frame: np.ndarray
    clip: tuple[float, ...] = NEVER
    other: Material = Material.SKIN
    cut: tuple[float, ...] = NEVER


def palette(look: looks.Look) -> np.ndarray:
    """The [materials, 3] float32 colours of a look, in the order of Material."""
    shaven = 0.75 * np.array(look.skin) + 0.25 * np.array(look.hair)
    colours = {
        Material.SKIN: look.skin,
        Material.HAIR: shaven if look.hair_style == "bald" else look.hair,
        Material.SHIRT: look.shirt,
        Material.ACCENT: look.accent,
        Material.TROUSERS: look.trousers,
        Material.SHOES: look.shoes,
        Material.SOLES: look.soles,
        Material.BAG: look.bag_colour,
        Material.HAT: look.hat,
        Material.FACE: look.skin,
        Material.SOCKS: (0.85, 0.85, 0.85),
    }
    return np.array([colours[material] for material in Material], np.float32)


class Bone:
    """Places parts of one group in one texture frame.

    Attributes:
        origin: [3] position of the frame's origin in metres.
        frame: [3, 3] columns x (left), y (up), z (front).
        size: stature divided by 1.75 m; all offsets and radii are for 1.75 m.
        girth: further factor on the radii.
    """

    def __init__(
        self,
        origin: np.ndarray,
        frame: np.ndarray,
        size: float,
        group: Group,
        girth: float = 1.0,
    ):
        self.origin, self.frame, self.size = origin, frame, size
        self.group, self.girth = group, girth

    def at(self, offset: tuple[float, ...]) -> np.ndarray:
        """[3] position of an offset in this frame."""
        return self.origin + self.frame @ (np.array(offset) * self.size)

    def part(
        self,
        start: tuple[float, ...] | np.ndarray,
        end: tuple[float, ...] | np.ndarray,
        radii: tuple[float, float],
        material: Material,
        squash: tuple[float, float, float] = (1.0, 1.0, 1.0),
        *,
        across: np.ndarray | None = None,
        clip: tuple[float, ...] = NEVER,
        other: Material = Material.SKIN,
        cut: tuple[float, ...] = NEVER,
    ) -> Part:
        """A part between two points: offsets as tuples or positions as arrays."""
        points = [p if isinstance(p, np.ndarray) else self.at(p) for p in (start, end)]
        scale = self.size * self.girth
        return Part(
            start=points[0],
            end=points[1],
            radii=(radii[0] * scale, radii[1] * scale),
            group=self.group,
            material=material,
            squash=squash,
            across=self.frame[:, 0] if across is None else across,
            origin=self.origin,
            frame=self.frame,
            clip=(*clip[:3], clip[3] * self.size),
            other=other,
            cut=(*cut[:3], cut[3] * self.size),
        )


def cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cross product of two [3] vectors; np.cross takes ten times as long for them."""
    (a, b, c), (x, y, z) = first.tolist(), second.tolist()
    return np.array((b * z - c * y, c * x - a * z, a * y - b * x))


def bone_frame(top: np.ndarray, low: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The texture frame of a bone: y along it, z as near the body's front as can be."""
    up = (top - low) / np.linalg.norm(top - low)
    left = cross(up, body[:, 2])
    if left @ left < 0.1:  # the bone points forward
        left = body[:, 0] - up * (up @ body[:, 0])
    left /= np.linalg.norm(left)
    return np.stack([left, up, cross(left, up)], axis=1)
