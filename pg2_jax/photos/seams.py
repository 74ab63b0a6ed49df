"""Pieces of a photo side by side, with colours that meet.

A wall is brighter here than there, so pieces of it show their edges. The steps from
pixel to pixel within the pieces are kept, and the difference at a seam is spread into
both (Pérez et al., "Poisson Image Editing", SIGGRAPH 2003).
"""

from collections.abc import Callable

import numpy as np

# Of keeping a colour, beside keeping a step: what is spread fades within 20 pixels.
_COLOUR = 0.003
_EDGE = 60.0  # of 255; a larger step between two pieces is rather an edge of the photo
# Of the solver, and the squares that may be left of the equations, of each channel.
_ROUNDS, _ENOUGH = 200, 1e-2


def levelled(
    found: np.ndarray, image: np.ndarray, hole: np.ndarray, barred: np.ndarray
) -> np.ndarray:
    """What to add to the pieces of a photo that fill its hole.

    Args:
        found: int [h, w, 2], the row and column of the photo that each pixel of the
            hole shows.
        image: float32 [h, w, 3] in [0, 255], the photo, filled.
        hole: bool [h, w], where pieces lie.
        barred: bool [h, w], where the photo is something else, whose colours pieces
            are not to meet.

    Returns:
        float32 [h, w, 3], 0 outside the hole.
    """
    ways = found - np.indices(hole.shape).transpose(1, 2, 0)
    shown = np.where(hole[..., None], _at(image, found), image)
    other = barred & ~hole
    pairs = [_steps(image, hole, ways, shown, other, axis) for axis in (0, 1)]
    inside = hole[..., None].astype(np.float32)

    def spread(steps: list[np.ndarray]) -> np.ndarray:
        """The sum of the weighted steps away from each pixel."""
        total = np.zeros_like(shown)
        for step, (first, second, weight, _) in zip(steps, pairs, strict=True):
            total[first] -= weight * step
            total[second] += weight * step
        return total * inside

    def keeps(added: np.ndarray) -> np.ndarray:
        steps = [added[second] - added[first] for first, second, *_ in pairs]
        return spread(steps) + _COLOUR * added

    return _solved(keeps, spread([lacks for *_, lacks in pairs]))


def _steps(
    image: np.ndarray,
    hole: np.ndarray,
    ways: np.ndarray,
    shown: np.ndarray,
    barred: np.ndarray,
    axis: int,
) -> tuple[tuple, tuple, np.ndarray, np.ndarray]:
    """Of all pairs of neighbours along an axis: where the first and the second are, how
    much their step counts, and what it lacks of that within the pieces' photo."""
    first, second = [slice(None)] * 2, [slice(None)] * 2
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    one, other = tuple(first), tuple(second)
    places = np.indices(hole.shape).transpose(1, 2, 0)
    wanted = np.zeros_like(shown[one])
    count = np.zeros_like(wanted[..., :1])
    for end in (one, other):
        # The step as the piece of either has it.
        step = _at(image, places[other] + ways[end]) - _at(
            image, places[one] + ways[end]
        )
        has = hole[end][..., None]
        wanted += has * step
        count += has
    lacks = wanted / np.maximum(count, 1) - (shown[other] - shown[one])
    jump = np.linalg.norm(lacks, axis=-1, keepdims=True)
    counts = (count > 0) & ~(barred[one] | barred[other])[..., None]
    return one, other, counts / (1 + (jump / _EDGE) ** 2), lacks


def _at(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    rows, columns = np.moveaxis(places, -1, 0)
    height, width = image.shape[:2]
    return image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]


def _solved(
    product: Callable[[np.ndarray], np.ndarray], wanted: np.ndarray
) -> np.ndarray:
    """x of product(x) = wanted, for each channel, by conjugate gradients."""
    x = np.zeros_like(wanted)
    rest, way = wanted, wanted
    squares = (rest**2).sum(axis=(0, 1))
    for _ in range(_ROUNDS):
        if squares.max() < _ENOUGH:
            break
        ahead = product(way)
        length = squares / np.maximum((way * ahead).sum(axis=(0, 1)), 1e-12)
        x, rest = x + length * way, rest - length * ahead
        before, squares = squares, (rest**2).sum(axis=(0, 1))
        way = rest + squares / np.maximum(before, 1e-12) * way
    return x
