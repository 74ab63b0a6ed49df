"""Solid parts of a synthetic person, and how the rays of a camera meet them.

The camera is orthographic along -z; perspective is applied to the joints beforehand.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

# An offset in the frame of a bone, for a stature of 1.75 m, as a tuple; or a position,
# in metres, as an array.
Point = tuple[float, ...] | np.ndarray
# (nx, ny, nz, c), meaning n.p > c with p in the frame of a bone, for the same stature.
HalfSpace = tuple[float, float, float, float]
NEVER: HalfSpace = (0, 0, 0, 1)  # holds no point
ROUND = (1.0, 1.0, 1.0)
_EMPTY = np.float32(-1e3)  # depth where there is no body


@dataclasses.dataclass(frozen=True)
class Bone:
    """What parts are placed by: a frame, which is that of their texture, too."""

    origin: np.ndarray  # [3] in metres
    frame: np.ndarray  # [3, 3] columns x (left), y (up), z (front)
    size: float  # factor on all lengths of the parts
    group: str  # head, torso, r_arm, l_arm, r_leg, l_leg, skirt or bag
    girth: float = 1.0  # further factor on the radii of the parts
    above: float = 0.0  # length of the limb above the bone, for a stature of 1.75 m

    def at(self, point: Point) -> np.ndarray:
        """[3] position in metres."""
        if isinstance(point, np.ndarray):
            return point
        return self.origin + self.frame @ (np.array(point) * self.size)


@dataclasses.dataclass(frozen=True)
class Part:
    """A tapered capsule with elliptic cross-section, cut by planes."""

    bone: Bone
    start: Point  # centre of the first ball
    end: Point  # centre of the second ball
    radii: tuple[float, float]  # of the first and second ball
    material: str  # one of `fabric.MATERIALS`
    squash: tuple[float, float, float] = ROUND  # along across, third axis, length
    across: np.ndarray | None = None  # first axis of the cross-section, else the left
    clip: HalfSpace = NEVER  # that is cut away


@dataclasses.dataclass(frozen=True)
class Viewport:
    """From metres to pixels: x0 + scale * x, y0 - scale * y; 0 is a pixel's centre."""

    height: int
    width: int
    scale: float
    x0: float
    y0: float

    def enlarged(self, factor: float) -> "Viewport":
        """The same view with `factor` times more pixels in each direction."""
        shift = (factor - 1) / 2  # pixel centres, not corners, are at integers
        return Viewport(
            height=math.ceil(self.height * factor),
            width=math.ceil(self.width * factor),
            scale=self.scale * factor,
            x0=self.x0 * factor + shift,
            y0=self.y0 * factor + shift,
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """[..., 3] metres -> [..., 2] pixels (x, y)."""
        x, y = points[..., 0], points[..., 1]
        return np.stack([self.x0 + self.scale * x, self.y0 - self.scale * y], axis=-1)


@dataclasses.dataclass(frozen=True)
class Surface:
    """The visible points of a person, N of them, in no particular order."""

    view: Viewport  # the raster
    depth: np.ndarray  # [height, width] float32 z of the nearest surface, else -1000
    owner: np.ndarray  # [height, width] int16 index of the nearest part, else -1
    pixel: np.ndarray  # [N] flat index into the raster
    part: np.ndarray  # [N] index of the part
    normal: np.ndarray  # [N, 3] unit vector
    local: np.ndarray  # [N, 3] position in the frame of the part's bone, in metres


class _Solid(NamedTuple):
    """A part in canonical space, where it is round, along the third axis; float32."""

    matrix: np.ndarray  # [3, 3] from the view to canonical space
    start: np.ndarray  # [3] centre of the first ball, in the view
    length: np.float32
    radii: np.ndarray  # [2]
    ray: np.ndarray  # [3] unit direction of the camera's rays
    stretch: np.float32  # canonical length of one metre along the ray


def raycast(parts: list[Part], view: Viewport) -> Surface:
    """Finds the nearest surface point of each pixel."""
    met = [_meet(part, view) for part in parts]
    part = np.repeat(np.arange(len(parts)), [len(each[0]) for each in met])
    pixel, z, normal, local = map(np.concatenate, zip(*met, strict=True))
    depth = np.full(view.height * view.width, _EMPTY, np.float32)
    np.maximum.at(depth, pixel, z)
    front = z == depth[pixel]
    owner = np.full(depth.size, -1, np.int16)
    owner[pixel[front]] = part[front]
    return Surface(
        view=view,
        depth=depth.reshape(view.height, view.width),
        owner=owner.reshape(view.height, view.width),
        pixel=pixel[front],
        part=part[front],
        normal=normal[front],
        local=local[front],
    )


def _meet(part: Part, view: Viewport) -> tuple[np.ndarray, ...]:
    """Where rays first meet a part, at K pixels: [K] flat index, [K] depth, [K, 3] unit
    normal, [K, 3] place in the frame of the part's bone, in metres."""
    solid = _solid(part)
    row, column = _box_pixels(solid, view)
    x = (column.astype(np.float32) - np.float32(view.x0)) / np.float32(view.scale)
    y = (np.float32(view.y0) - row.astype(np.float32)) / np.float32(view.scale)
    z, centre, hit = _intersect(solid, x, y)
    frame = part.bone.frame.astype(np.float32)
    origin = part.bone.origin.astype(np.float32)
    *clip, limit = np.array((*part.clip[:3], part.clip[3] * part.bone.size), np.float32)
    away = frame @ clip
    limit = limit + (away * origin).sum()
    hit &= away[0] * x + away[1] * y + away[2] * z <= limit
    point = np.stack([x, y, z], axis=1)[hit]
    normal = _normals(solid, point, centre[hit])
    frames = np.broadcast_to(frame, (len(point), 3, 3))
    local = np.einsum("nij,ni->nj", frames, point - origin)
    return (row * view.width + column)[hit], z[hit], normal, local


def _solid(part: Part) -> _Solid:
    bone = part.bone
    across = bone.frame[:, 0] if part.across is None else part.across
    thick = np.array(part.radii) * (bone.size * bone.girth)
    exact = bone.at(part.start), bone.at(part.end), across, part.squash, thick
    start, end, across, squash, radii = (np.asarray(x, np.float32) for x in exact)
    axis = end - start
    reach = np.sqrt((axis * axis).sum())
    axis /= reach
    third = cross(across, axis)
    third /= np.sqrt((third * third).sum())
    matrix = np.stack([cross(axis, third), third, axis]) / squash[:, None]
    # A capsule whose one ball contains the other has no tangent cone.
    least = 1.02 * abs(radii[1] - radii[0])
    length = max(reach / squash[2], least, np.float32(1e-4))
    ray = -matrix[:, 2]
    stretch = np.sqrt((ray * ray).sum())
    return _Solid(matrix, start, length, radii, ray / stretch, stretch)


def cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cross product of two [3] vectors; np.cross takes ten times as long for them."""
    (a, b, c), (x, y, z) = first, second
    return np.array((b * z - c * y, c * x - a * z, a * y - b * x))


def _box_pixels(solid: _Solid, view: Viewport) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of all pixels that a part may cover."""
    inverse = np.linalg.inv(solid.matrix)
    # Extent of the unit ball along x and y of the view.
    unit = np.sqrt((inverse[:2] ** 2).sum(1))
    end = solid.start + inverse[:, 2] * solid.length
    ends = np.stack([solid.start, end])[:, :2]
    reach = unit * solid.radii[:, None]
    left, low = view.scale * (ends - reach).min(0)
    right, high = view.scale * (ends + reach).max(0)
    columns = np.array([view.x0 + left, view.x0 + right + 1])
    rows = np.array([view.y0 - high, view.y0 - low + 1])
    left, right = np.clip(np.ceil(columns), 0, view.width).astype(int)
    top, bottom = np.clip(np.ceil(rows), 0, view.height).astype(int)
    row, column = np.mgrid[top:bottom, left:right]
    return row.ravel(), column.ravel()


def _intersect(
    solid: _Solid, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest intersection of each ray at x, y with a part: [M] its depth z, the
    centre, on the part's axis, of the ball that touches there, and if there is one."""
    shift = solid.matrix @ solid.start
    first, second, rise = (
        across * x + up * y - start
        for (across, up, _), start in zip(solid.matrix, shift, strict=True)
    )
    along = first * solid.ray[0] + second * solid.ray[1] + rise * solid.ray[2]
    square = first * first + second * second + rise * rise
    on_cone, cone, height = _hit_cone(solid, along, square, rise)
    at_end, ball = _hit_balls(solid, along, square, rise)
    hit = on_cone | np.isfinite(ball)
    # Not used where there is no hit; infinity would only cause warnings there.
    t = np.where(on_cone, cone, np.where(hit, ball, 0))
    centre = np.where(on_cone, height, at_end) * solid.length
    return t * (-1 / solid.stretch), centre, hit


def _hit_cone(solid: _Solid, along, square, rise) -> tuple[np.ndarray, ...]:
    """Hits of the tangent cone of both balls, between its two circles of contact:
    solves k2 t^2 + 2 k1 t + k0 = 0 in canonical space. Of each pixel's ray, `along` is
    the product of direction and start, `square` the squared distance of the start,
    `rise` its third coordinate. [M] whether the ray hits, its t, and the place on the
    cone, from 0 to 1."""
    length, (first, second) = solid.length, solid.radii
    taper = first - second
    d2 = length**2 - taper**2
    m2 = length * solid.ray[2]
    m1 = rise * length
    k2 = d2 - m2**2
    k1 = d2 * along - m1 * m2 + m2 * taper * first
    k0 = d2 * square - m1 * m1 + m1 * (2 * taper * first) - length**2 * first**2
    disc = k1 * k1 - k0 * k2
    safe = k2 if abs(k2) >= 1e-9 else np.float32(1e-9)
    t = (-np.sqrt(np.maximum(disc, 0)) - k1) * (1 / safe)
    height = (m1 + t * m2 - first * taper) * (1 / d2)
    return (disc >= 0) & (height > 0) & (height < 1), t, height


def _hit_balls(solid: _Solid, along, square, rise) -> tuple[np.ndarray, ...]:
    """Hits of the balls at both ends, arguments as in `_hit_cone`: [M] whether the
    second ball is nearer, and the ray's parameter t, infinite for none."""
    hits = []
    for radius, centre in zip(
        solid.radii, (0 * solid.length, solid.length), strict=True
    ):
        start = along - centre * solid.ray[2]
        inside = start * start - square + rise * (2 * centre)
        inside += radius**2 - centre**2
        t = -start - np.sqrt(np.maximum(inside, 0))
        hits.append(np.where(inside > 0, t, np.float32(np.inf)))
    return hits[1] < hits[0], np.minimum(*hits)


def _normals(solid: _Solid, point: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Unit normals: in canonical space they point away from the touching ball."""
    matrix = np.broadcast_to(solid.matrix, (len(point), 3, 3))
    canonical = np.einsum("nij,nj->ni", matrix, point - solid.start)
    canonical[:, 2] -= centre
    normal = np.einsum("nij,ni->nj", matrix, canonical)
    return normal / np.sqrt(np.einsum("ni,ni->n", normal, normal))[:, None]
