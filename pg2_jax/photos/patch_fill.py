"""A hole of a photo, filled with pieces of what is around: walls and pavements keep
their texture.

Image completion after Wexler et al. ("Space-Time Completion of Video", PAMI 2007), with
the search of Barnes et al. ("PatchMatch", SIGGRAPH 2009): each patch that touches the
hole gets the known patch most like it, from small copies of the photo to large ones.
"""

import numpy as np

from pg2_jax.photos import seams

_PATCH = 5  # pixels; odd
_HALF = _PATCH // 2
_SMALLEST = 40  # pixels of the longer side that the smallest copy at least has
_SEARCHED = 256  # and at most the largest that is searched: larger ones follow it
_ROUNDS = 4  # of search and vote in each copy
# What a patch from higher or lower by the photo's height costs: 120 of 255 a pixel.
# What is beside a person counts before what is above: walls and floors go on sideways.
_LEVEL = 3 * _PATCH**2 * 120.0**2
_LEVEL_OF_PIECES = (
    0.2 * _LEVEL
)  # of clothes, where the colour that is looked for is known
_NEIGHBOURS = (0, -1), (0, 1), (-1, 0), (1, 0)


def fill(
    photo: np.ndarray, hole: np.ndarray, pieces: np.ndarray | None = None
) -> np.ndarray:
    """Fills a hole of a photo; the same one is filled alike each time.

    Args:
        photo: float32 [h, w, 3] in [0, 255].
        hole: bool [h, w], what is not known. Where nothing is, the photo is returned;
            where no patch is known, the hole gets averages.
        pieces: bool [h, w], where pieces may come from, if not from all that is known.
            The photo then has in its hole the colours that are looked for, and keeps
            them where no patch is to be had.
    """
    barred = np.zeros_like(hole) if pieces is None else ~pieces
    if (hole | barred).all() or not hole.any():
        return photo
    copies = [(photo, hole)]
    while max(copies[-1][1].shape) >= 2 * _SMALLEST:
        copies.append(_halved(*copies[-1]))
    largest = [max(missing.shape) <= _SEARCHED for _, missing in copies]
    if any(largest) and (last := largest.index(True)):
        # Thin parts of the hole are searched for, too: cells with any of it.
        copies[last] = copies[last][0], _touched(hole, copies[last][1].shape)
    random = np.random.default_rng(0)
    level = _LEVEL if pieces is None else _LEVEL_OF_PIECES
    filled = copies[-1][0] if pieces is not None else _averaged(*copies[-1])
    found = None
    for image, missing in reversed(copies):
        filled = np.where(missing[..., None], _enlarged(filled, missing.shape), image)
        if pieces is not None and found is None:
            filled = _reduced(photo, missing.shape)
        elsewhere = _touched(barred, missing.shape)
        valid = _valid(missing | elsewhere)
        if (
            missing.any()
            and valid.any()
            and (found is None or max(missing.shape) <= _SEARCHED)
        ):
            found = _start(found, missing, valid, random)
            filled, found = _completed(filled, missing, valid, found, random, level)
            searched = filled, missing, elsewhere
    if found is None:
        return filled
    # Pixels, not means of pixels.
    return _copied(filled, hole, found, seams.levelled(found, *searched))


def _averaged(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The image whose hole has means of all that is known, weighted by the fourth power
    of the distance (Shepard, 1968), in which height counts four times."""
    stretched = np.array([4, 1], np.float32)
    inside, around = (np.argwhere(mask) * stretched for mask in (hole, ~hole))
    weight = 1.0 / ((inside[:, None] - around[None]) ** 2).sum(-1) ** 2
    filled = image.copy()
    filled[hole] = weight @ image[~hole] / weight.sum(-1, keepdims=True)
    return filled


def _reduced(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    while image.shape[:2] != shape:
        image, _ = _halved(image, np.zeros(image.shape[:2], bool))
    return image


def _halved(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the size, by the means of what is known of 2x2 pixels."""
    height, width = (-(-side // 2) * 2 for side in hole.shape)
    missing = [(0, height - hole.shape[0]), (0, width - hole.shape[1])]
    image = np.pad(image, [*missing, (0, 0)], mode="edge")
    known = ~np.pad(hole, missing, mode="edge")
    cells = image.reshape(height // 2, 2, width // 2, 2, 3)
    shares = known.reshape(height // 2, 2, width // 2, 2)
    count = shares.sum(axis=(1, 3))
    total = (cells * shares[..., None]).sum(axis=(1, 3))
    mean = total / np.maximum(count, 1)[..., None]
    return mean.astype(np.float32), count == 0


def _touched(hole: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The cells of a smaller copy, a power of 2 smaller, with any of the hole."""
    rows, columns = np.nonzero(hole)
    scale = 1 << round(np.log2(max(hole.shape) / max(shape)))
    touched = np.zeros(shape, bool)
    touched[rows // scale, columns // scale] = True
    return touched


def _enlarged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if image.shape[:2] == shape:
        return image
    return image.repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]]


def _grown(mask: np.ndarray) -> np.ndarray:
    """The pixels whose patch touches the mask."""
    padded = np.pad(mask, _HALF)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_PATCH, _PATCH))
    return np.any(windows, axis=(2, 3))


def _valid(hole: np.ndarray) -> np.ndarray:
    """The centres of patches that lie on the photo and are known."""
    inside = np.zeros_like(hole)
    inside[_HALF:-_HALF, _HALF:-_HALF] = True
    return inside & ~_grown(hole)


def _start(
    found: np.ndarray | None,
    hole: np.ndarray,
    valid: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """A known centre (row, column) for each pixel, [h, w, 2]: what was found at half
    the size, or any."""
    rows, columns = np.nonzero(valid)
    choice = random.integers(len(rows), size=hole.shape)
    anywhere = np.stack([rows[choice], columns[choice]], axis=-1)
    if found is None:
        return anywhere
    parity = np.indices(hole.shape).transpose(1, 2, 0) % 2
    twice = 2 * found.repeat(2, 0).repeat(2, 1)[: hole.shape[0], : hole.shape[1]]
    twice = _clipped(twice + parity, hole.shape)
    return np.where(valid[twice[..., 0], twice[..., 1]][..., None], twice, anywhere)


def _clipped(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.clip(places, 0, np.array(shape) - 1)


def _completed(
    image: np.ndarray,
    hole: np.ndarray,
    valid: np.ndarray,
    found: np.ndarray,
    random: np.random.Generator,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The image with its hole filled, and from where: the centre of the known patch for
    each pixel whose own touches the hole."""
    rows, columns = np.nonzero(_grown(hole))
    for _ in range(_ROUNDS):
        distance = _search(image, valid, rows, columns, found, random, level)
        image = _voted(image, hole, rows, columns, found, distance)
    return image, found


def _patches(image: np.ndarray) -> np.ndarray:
    """The patch of each pixel, [h, w, 3, 5, 5]; a view."""
    border = ((_HALF, _HALF), (_HALF, _HALF), (0, 0))
    padded = np.pad(image, border, mode="edge")
    window = (_PATCH, _PATCH)
    return np.lib.stride_tricks.sliding_window_view(padded, window, axis=(0, 1))


def _search(
    image: np.ndarray,
    valid: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    found: np.ndarray,
    random: np.random.Generator,
    level: float,
) -> np.ndarray:
    """Betters what was found, in place, for the pixels (rows, columns); how far each
    patch is from its own."""
    patches = _patches(image)
    own = patches[rows, columns].reshape(len(rows), -1)

    def distances(places: np.ndarray) -> np.ndarray:
        other = patches[places[:, 0], places[:, 1]].reshape(len(rows), -1)
        other -= own
        rise = (places[:, 0] - rows) / len(image)
        return np.einsum("ij,ij->i", other, other) + level * rise**2

    best = found[rows, columns]
    distance = distances(best)

    def consider(places: np.ndarray) -> None:
        places = _clipped(places, valid.shape)
        there = distances(places)
        better = valid[places[:, 0], places[:, 1]] & (there < distance)
        best[better], distance[better] = places[better], there[better]
        found[rows, columns] = best

    for down, right in _NEIGHBOURS:  # What a neighbour found, a pixel farther.
        at = _clipped(np.stack([rows + down, columns + right], -1), valid.shape)
        consider(found[at[:, 0], at[:, 1]] - (down, right))
    reach = max(valid.shape)
    while reach >= 1:
        consider(best + random.integers(-reach, reach + 1, size=best.shape))
        reach //= 3
    return distance


def _voted(
    image: np.ndarray,
    hole: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    found: np.ndarray,
    distance: np.ndarray,
) -> np.ndarray:
    """The image whose hole is the mean of what the patches over each pixel have there,
    the more alike the more."""
    scale = np.quantile(distance, 0.75) + 1e-8
    weight = np.zeros(hole.shape, np.float32)
    weight[rows, columns] = np.exp(-distance / scale) + 1e-6
    total = np.zeros_like(image)
    weights = np.zeros(hole.shape, np.float32)
    at_rows, at_columns = np.nonzero(hole)
    for down in range(-_HALF, _HALF + 1):
        for right in range(-_HALF, _HALF + 1):
            centre = _clipped(
                np.stack([at_rows + down, at_columns + right], -1), hole.shape
            )
            its = weight[centre[:, 0], centre[:, 1]]
            place = found[centre[:, 0], centre[:, 1]] - (down, right)
            place = _clipped(place, hole.shape)
            total[at_rows, at_columns] += its[:, None] * image[place[:, 0], place[:, 1]]
            weights[at_rows, at_columns] += its
    mean = total / np.maximum(weights, 1e-6)[..., None]
    return np.where(hole[..., None], mean, image)


def _copied(
    photo: np.ndarray, hole: np.ndarray, found: np.ndarray, added: np.ndarray
) -> np.ndarray:
    """The photo filled with its own pixels, from where a smaller copy found them, and
    what is added to them: the four pixels of it around each say both, and are
    blended."""
    scale = len(photo) / len(found)
    offsets = found - np.indices(found.shape[:2]).transpose(1, 2, 0)
    rows, columns = np.nonzero(hole)
    y, x = ((place + 0.5) / scale - 0.5 for place in (rows, columns))
    total = np.zeros((len(rows), 3), np.float32)
    for down in (0, 1):
        for right in (0, 1):
            top, left = np.floor(y).astype(int) + down, np.floor(x).astype(int) + right
            share = (1 - np.abs(y - top)) * (1 - np.abs(x - left))
            at = _clipped(np.stack([top, left], -1), found.shape[:2])
            way = np.round(offsets[at[:, 0], at[:, 1]] * scale).astype(int)
            place = _clipped(np.stack([rows, columns], -1) + way, hole.shape)
            pixels = photo[place[:, 0], place[:, 1]] + added[at[:, 0], at[:, 1]]
            total += share[:, None] * pixels
    filled = photo.copy()
    filled[rows, columns] = np.clip(total, 0, 255)
    return filled
