"""Ray casting and shading of the solid parts of a procedural person.

The camera is orthographic along -z; perspective is applied to the joints
beforehand. All pixels of all parts' bounding boxes are handled as one flat list,
because numpy is fast only on long arrays.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data_prep.synthetic import figure

_EMPTY = np.float32(-1e3)  # depth where there is no body


@dataclasses.dataclass(frozen=True)
class Viewport:
    """Maps metres to pixels: x_px = x0 + scale * x and y_px = y0 - scale * y, with the
    centre of the first pixel at 0."""

    height: int
    width: int
    scale: float
    x0: float
    y0: float

    def enlarged(self, factor: int) -> "Viewport":
        """The same view with `factor` times more pixels in each direction."""
        shift = (factor - 1) / 2  # pixel centres, not corners, are at integers
        return Viewport(
            self.height * factor,
            self.width * factor,
            self.scale * factor,
            self.x0 * factor + shift,
            self.y0 * factor + shift,
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """[..., 3] metres -> [..., 2] pixels (x, y)."""
        x, y = points[..., 0], points[..., 1]
        return np.stack([self.x0 + self.scale * x, self.y0 - self.scale * y], axis=-1)


@dataclasses.dataclass(frozen=True)
class Surface:
    """The visible points of a person, N of them, in no particular order.

    Attributes:
        view: the raster.
        depth: [height, width] float32 z of the nearest surface, -1000 for none.
        owner: [height, width] int16 index of the nearest part, -1 for none.
        pixel: [N] flat index into the raster.
        part: [N] index of the part.
        point: [N, 3] position in metres.
        normal: [N, 3] unit vector.
        local: [N, 3] position in the texture frame of the part, in metres.
    """

    view: Viewport
    depth: np.ndarray
    owner: np.ndarray
    pixel: np.ndarray
    part: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    local: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Solids:
    """Parts as arrays; in canonical space they are round and along the third axis."""

    matrix: np.ndarray  # [P, 3, 3] from the view to canonical space
    start: np.ndarray  # [P, 3]
    length: np.ndarray  # [P]
    radii: np.ndarray  # [P, 2]
    ray: np.ndarray  # [P, 3] unit direction of the camera's rays
    stretch: np.ndarray  # [P] canonical length of one metre along the ray
    frame: np.ndarray  # [P, 3, 3]
    origin: np.ndarray  # [P, 3]
    clip: np.ndarray  # [P, 4]


def raycast(parts: Sequence[figure.Part], view: Viewport) -> Surface:
    """Finds the nearest surface point of each pixel."""
    solids = _pack(parts)
    boxes = _boxes(solids, view)
    part, pixel, x, y = _box_pixels(boxes, view)
    hit, z, offset = _intersect(solids, boxes, x, y)
    hit = np.flatnonzero(hit)
    hit = hit[~_clipped(solids, part[hit], x[hit], y[hit], z[hit])]
    depth = np.full(view.height * view.width, _EMPTY, np.float32)
    np.maximum.at(depth, pixel[hit], z[hit])
    front = hit[z[hit] == depth[pixel[hit]]]
    part, pixel, offset = part[front], pixel[front], offset[front]
    point = np.stack([x[front], y[front], z[front]], axis=1)
    owner = np.full(depth.size, -1, np.int16)
    owner[pixel] = part
    shape = (view.height, view.width)
    return Surface(
        view=view,
        depth=depth.reshape(shape),
        owner=owner.reshape(shape),
        pixel=pixel,
        part=part,
        point=point,
        normal=_normals(solids, part, point, offset),
        local=_to_local(solids, part, point),
    )


def _pack(parts: Sequence[figure.Part]) -> _Solids:
    def stack(name: str) -> np.ndarray:
        return np.array([getattr(part, name) for part in parts], np.float32)

    bones = [part.bone for part in parts]
    start, end, squash, across = map(stack, ("start", "end", "squash", "across"))
    axis = end - start
    reach = np.sqrt((axis * axis).sum(1, keepdims=True))
    axis = axis / reach
    third = np.cross(across, axis)
    third /= np.sqrt((third * third).sum(1, keepdims=True))
    basis = np.stack([np.cross(axis, third), third, axis], axis=1)
    matrix = basis / squash[:, :, None]
    radii = stack("radii")
    # A capsule whose one ball contains the other has no tangent cone.
    length = np.maximum(reach[:, 0] / squash[:, 2], 1.02 * abs(np.diff(radii)[:, 0]))
    ray = -matrix[:, :, 2]
    stretch = np.sqrt((ray * ray).sum(1))
    return _Solids(
        matrix=matrix,
        start=start,
        length=np.maximum(length, 1e-4),
        radii=radii,
        ray=ray / stretch[:, None],
        stretch=stretch,
        frame=np.array([bone.frame for bone in bones], np.float32),
        origin=np.array([bone.origin for bone in bones], np.float32),
        clip=stack("clip"),
    )


def _boxes(solids: _Solids, view: Viewport) -> np.ndarray:
    """[P, 4] int (left, top, right, bottom), exclusive ends, inside the raster."""
    inverse = np.linalg.inv(solids.matrix)
    # Extent of the unit ball along x and y of the view.
    unit = np.sqrt((inverse[:, :2] ** 2).sum(2))
    ends = [solids.start, solids.start + inverse[:, :, 2] * solids.length[:, None]]
    reach = unit[:, None] * solids.radii[..., None]
    low = (np.stack(ends, 1)[..., :2] - reach).min(1)
    high = (np.stack(ends, 1)[..., :2] + reach).max(1)
    box = np.stack(
        [
            view.x0 + view.scale * low[:, 0],
            view.y0 - view.scale * high[:, 1],
            view.x0 + view.scale * high[:, 0] + 1,
            view.y0 - view.scale * low[:, 1] + 1,
        ],
        axis=1,
    )
    limits = (view.width, view.height, view.width, view.height)
    return np.clip(np.ceil(box), 0, limits).astype(np.int64)


def _box_pixels(boxes: np.ndarray, view: Viewport) -> tuple[np.ndarray, ...]:
    """Part, flat pixel, x and y in metres of all pixels of all boxes."""
    widths = boxes[:, 2] - boxes[:, 0]
    heights = boxes[:, 3] - boxes[:, 1]
    xs = np.arange(view.width)
    columns, rows = [], []
    for (left, top, right, bottom), width, height in zip(
        boxes.tolist(), widths.tolist(), heights.tolist(), strict=True
    ):
        columns.append(np.tile(xs[left:right], height))
        rows.append(np.repeat(np.arange(top, bottom), width))
    column, row = np.concatenate(columns), np.concatenate(rows)
    part = np.repeat(np.arange(len(boxes)), widths * heights)
    x = (column.astype(np.float32) - np.float32(view.x0)) / np.float32(view.scale)
    y = (np.float32(view.y0) - row.astype(np.float32)) / np.float32(view.scale)
    return part, row * view.width + column, x, y


def _intersect(
    solids: _Solids, boxes: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest intersection of each pixel's ray with its part.

    Returns:
        [M] bool whether there is one, [M] its depth z, and [M] the centre, on the
        part's axis, of the ball that touches the surface there.
    """
    counts = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

    def spread(values: np.ndarray) -> np.ndarray:
        return np.repeat(values.astype(np.float32), counts)

    matrix, ray = solids.matrix, solids.ray
    shift = (matrix @ solids.start[..., None])[..., 0]
    place = [
        spread(matrix[:, i, 0]) * x + spread(matrix[:, i, 1]) * y - spread(shift[:, i])
        for i in range(3)
    ]
    along = sum(place[i] * spread(ray[:, i]) for i in range(3))
    square = place[0] * place[0] + place[1] * place[1] + place[2] * place[2]
    on_cone, cone, height = _hit_cone(solids, spread, along, square, place[2])
    second, ball = _hit_balls(solids, spread, along, square, place[2])
    hit = on_cone | np.isfinite(ball)
    # Not used where there is no hit; infinity would only cause warnings there.
    t = np.where(on_cone, cone, np.where(hit, ball, 0))
    centre = np.where(on_cone, height, second) * spread(solids.length)
    return hit, t * spread(-1 / solids.stretch), centre


def _hit_cone(solids, spread, along, square, rise) -> tuple[np.ndarray, ...]:
    """Hits of the tangent cone of both balls, between its two circles of contact.

    Solves k2 t^2 + 2 k1 t + k0 = 0 in canonical space. `spread` repeats [P] values of
    the parts to the [M] pixels of their boxes; of each pixel's ray, `along` is the
    product of direction and start, `square` the squared distance of the start, `rise`
    its third coordinate.

    Returns:
        [M] whether the ray hits, [M] ray parameter t, [M] position along the cone,
        0 at the first circle and 1 at the second.
    """
    length, (first, second) = solids.length, solids.radii.T
    taper = first - second
    d2 = length**2 - taper**2
    m2 = length * solids.ray[:, 2]
    m1 = rise * spread(length)
    k2 = d2 - m2**2
    k1 = spread(d2) * along - m1 * spread(m2) + spread(m2 * taper * first)
    k0 = spread(d2) * square - m1 * m1 + m1 * spread(2 * taper * first)
    k0 -= spread(length**2 * first**2)
    disc = k1 * k1 - k0 * spread(k2)
    safe = np.where(abs(k2) < 1e-9, 1e-9, k2)
    t = (-np.sqrt(np.maximum(disc, 0)) - k1) * spread(1 / safe)
    height = (m1 + t * spread(m2) - spread(first * taper)) * spread(1 / d2)
    return (disc >= 0) & (height > 0) & (height < 1), t, height


def _hit_balls(solids, spread, along, square, rise) -> tuple[np.ndarray, np.ndarray]:
    """Hits of the balls at both ends; arguments as in `_hit_cone`.

    Returns:
        [M] whether the second ball is nearer, [M] ray parameter t, infinite for none.
    """
    length, (first, second) = solids.length, solids.radii.T
    far = np.float32(np.inf)
    inside = along * along - square + spread(first**2)
    t1 = np.where(inside > 0, -along - np.sqrt(np.maximum(inside, 0)), far)
    along = along - spread(length * solids.ray[:, 2])
    inside = along * along - square + rise * spread(2 * length)
    inside += spread(second**2 - length**2)
    t2 = np.where(inside > 0, -along - np.sqrt(np.maximum(inside, 0)), far)
    return t2 < t1, np.minimum(t1, t2)


def _clipped(
    solids: _Solids, part: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """[M] bool, which points lie in the half space that is cut off their part."""
    normal = (solids.frame @ solids.clip[:, :3, None])[..., 0]
    limit = solids.clip[:, 3] + (normal * solids.origin).sum(1)
    side = normal[part, 0] * x + normal[part, 1] * y + normal[part, 2] * z
    return side > limit[part]


def _to_local(solids: _Solids, part: np.ndarray, point: np.ndarray) -> np.ndarray:
    """[N, 3] points in the texture frames of their parts."""
    offset = point - solids.origin[part]
    return np.einsum("nij,ni->nj", solids.frame[part], offset)


def _normals(
    solids: _Solids, part: np.ndarray, point: np.ndarray, offset: np.ndarray
) -> np.ndarray:
    """Unit normals: in canonical space they point away from the touching ball."""
    matrix = solids.matrix[part]
    canonical = np.einsum("nij,nj->ni", matrix, point - solids.start[part])
    canonical[:, 2] -= offset
    normal = np.einsum("nij,ni->nj", matrix, canonical)
    return normal / np.sqrt(np.einsum("ni,ni->n", normal, normal))[:, None]
