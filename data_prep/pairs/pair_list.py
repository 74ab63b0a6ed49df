"""Lists of pairs as numpy index arrays; the names are looked up last."""

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

Pair = tuple[str, str]

# Arrays above this size lie in a temporary file, mapped into memory, so that the pairs
# may outgrow the memory: 100 million take 800 MB.
MAX_BYTES_IN_MEMORY = 2**27
# Pairs that are looked up at once.
BLOCK = 2**16


class PairList:
    """Pairs (source, target): the places in `photos` of both names, int32 [N, 2]."""

    def __init__(self, photos: Sequence[str], positions: np.ndarray) -> None:
        self.photos, self.positions = photos, positions

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> "PairList":
        """Listed pairs as a PairList."""
        places: dict[str, int] = {}
        rows = [places.setdefault(name, len(places)) for pair in pairs for name in pair]
        return cls(list(places), np.asarray(rows, np.int32).reshape(-1, 2))

    @classmethod
    def within(cls, groups: Iterable[Sequence[str]]) -> "PairList":
        """All ordered pairs in each group, ordered as `itertools.permutations`."""
        groups = [group for group in groups if len(group) > 1]
        sizes = [len(group) for group in groups]
        positions = _new_array((sum(size * (size - 1) for size in sizes), 2))
        first_photo = first_pair = 0
        for size in sizes:
            # Off the diagonal stands every pair but those of a photo with itself.
            rows = np.argwhere(~np.eye(size, dtype=bool)) + first_photo
            positions[first_pair : first_pair + len(rows)] = rows
            first_photo, first_pair = first_photo + size, first_pair + len(rows)
        return cls([name for group in groups for name in group], positions)

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[Pair]:
        photos = self.photos
        for start in range(0, len(self), BLOCK):
            for source, target in self.positions[start : start + BLOCK].tolist():
                yield photos[source], photos[target]

    def used(self) -> list[str]:
        """The names that are in a pair, in order of first appearance."""
        names, is_new = [], np.ones(len(self.photos), bool)
        for start in range(0, len(self), BLOCK):
            places = self.positions[start : start + BLOCK].ravel()
            first = list(dict.fromkeys(places[is_new[places]].tolist()))
            is_new[first] = False
            names += [self.photos[place] for place in first]
        return names

    def take(self, rows: np.ndarray) -> "PairList":
        """Returns the pairs of these numbers, int [N], in their order."""
        return PairList(self.photos, _looked_up(self.positions, rows))

    def only(self, good: np.ndarray) -> "PairList":
        """The pairs both of whose photos are good, bool [photos], in their order."""
        if good.all():
            return self
        return self.take(np.flatnonzero(good[self.positions].all(axis=1)))

    def numbered(self, numbers: np.ndarray) -> np.ndarray:
        """The pairs as int32 [N, 2] of the `numbers`, int [photos], of their photos."""
        return _looked_up(numbers, self.positions)


def random_order(size: int, seed: int) -> np.ndarray:
    """The permutation of [0, size) that numpy's `RandomState.permutation` gives, which
    the published lists were drawn with, as int32 [size]."""
    order = _new_array((size,))
    for start in range(0, size, BLOCK):
        order[start : start + BLOCK] = np.arange(start, min(start + BLOCK, size))
    np.random.RandomState(seed).shuffle(order)
    return order


def _looked_up(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """`values[places]`, in a new array."""
    found = _new_array((*places.shape, *values.shape[1:]))
    for start in range(0, len(places), BLOCK):
        block = slice(start, start + BLOCK)
        found[block] = values[places[block]]
    return found


def _new_array(shape: tuple[int, ...]) -> np.ndarray:
    """An int32 array, in a file without a name where it is large."""
    size = 4 * math.prod(shape)
    if size <= MAX_BYTES_IN_MEMORY:
        return np.empty(shape, np.int32)
    with tempfile.TemporaryFile() as file:
        try:
            # Later a full disk would kill the process.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise ValueError(
                f"{tempfile.gettempdir()}: no space for {size:,} bytes of pairs: "
                f"{error.strerror} (the variable TMPDIR names another folder)"
            ) from error
        # Without np.memmap's own class, which is slow to index.
        return np.asarray(np.memmap(file, np.int32, "w+", shape=shape))
