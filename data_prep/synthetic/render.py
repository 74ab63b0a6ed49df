"""Solid parts of a synthetic person, and how the rays of a camera meet them.

The camera is orthographic along -z; perspective is applied to the joints
beforehand. All pixels of all parts' bounding boxes are handled as one flat list,
because numpy is fast only on long arrays.
"""

import dataclasses
import math

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

    @property
    def capsule(self) -> tuple:
        """Start, end, across, squash and radii, in metres."""
        bone = self.bone
        across = bone.frame[:, 0] if self.across is None else self.across
        radii = np.array(self.radii) * (bone.size * bone.girth)
        return bone.at(self.start), bone.at(self.end), across, self.squash, radii


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


@dataclasses.dataclass(frozen=True)
class _Solids:
    """P parts, float32; in canonical space they are round, along the third axis."""

    matrix: np.ndarray  # [P, 3, 3] from the view to canonical space
    start: np.ndarray  # [P, 3]
    length: np.ndarray  # [P]
    radii: np.ndarray  # [2, P]
    ray: np.ndarray  # [P, 3] unit direction of the camera's rays
    stretch: np.ndarray  # [P] canonical length of one metre along the ray
    frame: np.ndarray  # [P, 3, 3]
    origin: np.ndarray  # [P, 3]
    clip: np.ndarray  # [P, 4], for positions in metres in the frame of the bone


def raycast(parts: list[Part], view: Viewport) -> Surface:
    """Finds the nearest surface point of each pixel."""
    solids = _pack(parts)
    part, row, column = _box_pixels(solids, view)
    pixel = row * view.width + column
    x = (column.astype(np.float32) - np.float32(view.x0)) / np.float32(view.scale)
    y = (np.float32(view.y0) - row.astype(np.float32)) / np.float32(view.scale)
    hit, z, centre = _intersect(solids, part, x, y)
    point = np.stack([x, y, z], axis=1)
    hit &= ~_clipped(solids, part, point)
    depth = np.full(view.height * view.width, _EMPTY, np.float32)
    np.maximum.at(depth, pixel[hit], z[hit])
    front = hit & (z == depth[pixel])
    part, pixel, point = part[front], pixel[front], point[front]
    owner = np.full(depth.size, -1, np.int16)
    owner[pixel] = part
    offset = point - solids.origin[part]
    return Surface(
        view=view,
        depth=depth.reshape(view.height, view.width),
        owner=owner.reshape(view.height, view.width),
        pixel=pixel,
        part=part,
        normal=_normals(solids, part, point, centre[front]),
        local=np.einsum("nij,ni->nj", solids.frame[part], offset),
    )


def _pack(parts: list[Part]) -> _Solids:
    start, end, across, squash, radii = (
        np.array(values, np.float32)
        for values in zip(*(part.capsule for part in parts), strict=True)
    )
    axis = end - start
    reach = np.sqrt((axis * axis).sum(1, keepdims=True))
    axis = axis / reach
    third = np.cross(across, axis)
    third /= np.sqrt((third * third).sum(1, keepdims=True))
    basis = np.stack([np.cross(axis, third), third, axis], axis=1)
    matrix = basis / squash[:, :, None]
    # A capsule whose one ball contains the other has no tangent cone.
    length = np.maximum(reach[:, 0] / squash[:, 2], 1.02 * abs(np.diff(radii)[:, 0]))
    ray = -matrix[:, :, 2]
    stretch = np.sqrt((ray * ray).sum(1))
    return _Solids(
        matrix=matrix,
        start=start,
        length=np.maximum(length, 1e-4),
        radii=radii.T,
        ray=ray / stretch[:, None],
        stretch=stretch,
        frame=np.array([part.bone.frame for part in parts], np.float32),
        origin=np.array([part.bone.origin for part in parts], np.float32),
        clip=np.array(
            [(*p.clip[:3], p.clip[3] * p.bone.size) for p in parts], np.float32
        ),
    )


def _box_pixels(solids: _Solids, view: Viewport) -> tuple[np.ndarray, ...]:
    """Part, row and column of all pixels that a part may cover, part by part."""
    inverse = np.linalg.inv(solids.matrix)
    # Extent of the unit ball along x and y of the view.
    unit = np.sqrt((inverse[:, :2] ** 2).sum(2))
    axis = inverse[:, :, 2] * solids.length[:, None]
    ends = np.stack([solids.start, solids.start + axis])[..., :2]
    reach = unit * solids.radii[..., None]
    left, low = view.scale * (ends - reach).min(0).T
    right, high = view.scale * (ends + reach).max(0).T
    columns = np.stack([view.x0 + left, view.x0 + right + 1])
    rows = np.stack([view.y0 - high, view.y0 - low + 1])
    left, right = np.clip(np.ceil(columns), 0, view.width).astype(np.int64)
    top, bottom = np.clip(np.ceil(rows), 0, view.height).astype(np.int64)
    counts = (right - left) * (bottom - top)
    part = np.repeat(np.arange(len(counts)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(np.arange(len(part)) - first, (right - left)[part])
    return part, row + top[part], column + left[part]


def _intersect(
    solids: _Solids, part: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest intersection of each pixel's ray with its part: [M] whether there is one,
    its depth z, and the centre, on the part's axis, of the ball that touches there."""
    counts = np.bincount(part, minlength=len(solids.length))

    def spread(values: np.ndarray) -> np.ndarray:
        """[P] values of the parts -> [M] values at the pixels of their boxes."""
        return np.repeat(values, counts)

    shift = (solids.matrix @ solids.start[..., None])[..., 0]
    place = [
        spread(solids.matrix[:, i, 0]) * x
        + spread(solids.matrix[:, i, 1]) * y
        - spread(shift[:, i])
        for i in range(3)
    ]
    along = sum(place[i] * spread(solids.ray[:, i]) for i in range(3))
    square = place[0] * place[0] + place[1] * place[1] + place[2] * place[2]
    on_cone, cone, height = _hit_cone(solids, spread, along, square, place[2])
    second, ball = _hit_balls(solids, spread, along, square, place[2])
    hit = on_cone | np.isfinite(ball)
    # Not used where there is no hit; infinity would only cause warnings there.
    t = np.where(on_cone, cone, np.where(hit, ball, 0))
    centre = np.where(on_cone, height, second) * spread(solids.length)
    return hit, t * spread(-1 / solids.stretch), centre


def _hit_cone(solids, spread, along, square, rise) -> tuple[np.ndarray, ...]:
    """Hits of the tangent cone of both balls, between its two circles of contact:
    solves k2 t^2 + 2 k1 t + k0 = 0 in canonical space. Of each pixel's ray, `along` is
    the product of direction and start, `square` the squared distance of the start,
    `rise` its third coordinate. [M] whether the ray hits, its t, and the place on the
    cone, from 0 to 1."""
    length, (first, second) = solids.length, solids.radii
    taper = first - second
    d2 = length**2 - taper**2
    m2 = length * solids.ray[:, 2]
    m1 = rise * spread(length)
    k2 = d2 - m2**2
    k1 = spread(d2) * along - m1 * spread(m2) + spread(m2 * taper * first)
    k0 = spread(d2) * square - m1 * m1 + m1 * spread(2 * taper * first)
    k0 -= spread(length**2 * first**2)
    disc = k1 * k1 - k0 * spread(k2)
    safe = np.where(abs(k2) < 1e-9, np.float32(1e-9), k2)
    t = (-np.sqrt(np.maximum(disc, 0)) - k1) * spread(1 / safe)
    height = (m1 + t * spread(m2) - spread(first * taper)) * spread(1 / d2)
    return (disc >= 0) & (height > 0) & (height < 1), t, height


def _hit_balls(solids, spread, along, square, rise) -> tuple[np.ndarray, np.ndarray]:
    """Hits of the balls at both ends, arguments as in `_hit_cone`: [M] whether the
    second ball is nearer, and the ray's parameter t, infinite for none."""
    first, second = solids.radii
    hits = []
    for radius, centre in ((first, 0 * solids.length), (second, solids.length)):
        start = along - spread(centre * solids.ray[:, 2])
        inside = start * start - square + rise * spread(2 * centre)
        inside += spread(radius**2 - centre**2)
        t = -start - np.sqrt(np.maximum(inside, 0))
        hits.append(np.where(inside > 0, t, np.float32(np.inf)))
    return hits[1] < hits[0], np.minimum(*hits)


def _clipped(solids: _Solids, part: np.ndarray, point: np.ndarray) -> np.ndarray:
    normal = (solids.frame @ solids.clip[:, :3, None])[..., 0]
    limit = solids.clip[:, 3] + (normal * solids.origin).sum(1)
    terms = normal[part] * point
    return terms[:, 0] + terms[:, 1] + terms[:, 2] > limit[part]


def _normals(
    solids: _Solids, part: np.ndarray, point: np.ndarray, centre: np.ndarray
) -> np.ndarray:
    """Unit normals: in canonical space they point away from the touching ball."""
    matrix = solids.matrix[part]
    canonical = np.einsum("nij,nj->ni", matrix, point - solids.start[part])
    canonical[:, 2] -= centre
    normal = np.einsum("nij,ni->nj", matrix, canonical)
    return normal / np.sqrt(np.einsum("ni,ni->n", normal, normal))[:, None]
