"""Lists of pairs that take the memory of their photos, not of their pairs.

All ordered pairs of the photos of a person are counted and numbered, not listed: 100
million of them take no more room than the 5 million photos that they are made of.
Photos and pairs are numpy index arrays here; the names are looked up last.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

Pair = tuple[str, str]

# Up to here an order is numpy's permutation, 128 MiB at most; above it is computed.
MAX_PERMUTATION = 2**24
# Pairs that are looked up at once.
_BLOCK = 2**16


class OrderedPairs:
    """All ordered pairs of different photos of each group, numbered as
    `itertools.permutations` lists them, group by group."""

    def __init__(self, sizes: Sequence[int] | np.ndarray) -> None:
        """Counts the pairs.

        Args:
            sizes: number of photos of each group; the photos are numbered on from group
                to group.
        """
        self.sizes = np.asarray(sizes, np.int64)
        self._first_photo = np.cumsum(self.sizes) - self.sizes
        counts = self.sizes * (self.sizes - 1)
        self._first_pair = np.cumsum(counts) - counts
        self._count = int(counts.sum())

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Maps numbers of pairs, int [N], to numbers of photos, int64 [N, 2]."""
        # Of groups without pairs, which begin where the next one does, the last wins.
        group = np.searchsorted(self._first_pair, rows, side="right") - 1
        others = self.sizes[group] - 1
        source, target = np.divmod(rows - self._first_pair[group], others)
        target += target >= source
        return np.stack([source, target], axis=-1) + self._first_photo[group, None]


class PairList(Sequence[Pair]):
    """(source name, target name) of many pairs.

    Attributes:
        photos: the names.
        positions: for every pair the places of its two names in `photos`; all ordered
            pairs within groups, or int [N, 2].
    """

    def __init__(
        self, photos: Sequence[str], positions: OrderedPairs | np.ndarray
    ) -> None:
        self.photos, self.positions = photos, positions

    @classmethod
    def of(cls, pairs: "Iterable[Pair] | PairList") -> "PairList":
        """Returns listed pairs as a PairList."""
        if isinstance(pairs, PairList):
            return pairs
        places: dict[str, int] = {}
        rows = [places.setdefault(name, len(places)) for pair in pairs for name in pair]
        return cls(list(places), np.asarray(rows, np.int32).reshape(-1, 2))

    @classmethod
    def within(cls, groups: Iterable[Sequence[str]]) -> "PairList":
        """Returns all ordered pairs of different photos within each group."""
        listed = [group for group in groups if len(group) > 1]
        photos = [name for group in listed for name in group]
        return cls(photos, OrderedPairs([len(group) for group in listed]))

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: Any) -> Any:
        rows = range(len(self))[index]
        if isinstance(rows, range):
            return self._named(np.arange(rows.start, rows.stop, rows.step))
        return self._named(np.asarray([rows]))[0]

    def __iter__(self) -> Iterator[Pair]:
        for start in range(0, len(self), _BLOCK):
            yield from self[start : start + _BLOCK]

    def __eq__(self, other: object) -> bool:
        """Whether the other sequence holds the same pairs in the same order."""
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(pair == its for pair, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _named(self, rows: np.ndarray) -> list[Pair]:
        photos = self.photos
        return [(photos[a], photos[b]) for a, b in self.positions[rows].tolist()]

    def used(self) -> list[str]:
        """The names that are in a pair, in order of first appearance."""
        if isinstance(self.positions, OrderedPairs):
            return list(self.photos)
        values, first = np.unique(self.positions, return_index=True)
        return [self.photos[place] for place in values[np.argsort(first)]]

    def take(self, rows: np.ndarray) -> "PairList":
        """Returns the pairs of these numbers, int [N], in their order."""
        positions = self.positions[rows].astype(np.int32).reshape(-1, 2)
        return PairList(self.photos, positions)

    def only(self, good: np.ndarray) -> "PairList":
        """Returns the pairs both of whose photos are good, in their order.

        Args:
            good: bool, one for each of `photos`.
        """
        if good.all():
            return self
        if not isinstance(self.positions, OrderedPairs):
            kept = good[self.positions].all(axis=1)
            return PairList(self.photos, self.positions[kept])
        ends = np.cumsum(self.positions.sizes)[:-1]
        groups = np.split(np.arange(len(self.photos)), ends)
        return PairList.within([self.photos[i] for i in g if good[i]] for g in groups)


class ComputedOrder:
    """A permutation of any size by seed, without a table: a Feistel network over the
    next power of four, walked until it lands below the size (Black and Rogaway, CT-RSA
    2002, Method 2)."""

    _ROUNDS = 6

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._half_bits = np.uint64(max(1, -(-max(size - 1, 1).bit_length() // 2)))
        self._mask = np.uint64((1 << int(self._half_bits)) - 1)
        keys = np.random.SeedSequence(seed).generate_state(self._ROUNDS, np.uint64)
        self._keys = keys | np.uint64(1)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Returns what stands at these places, int64 [N]."""
        values = self._once(np.asarray(rows).astype(np.uint64))
        outside = np.flatnonzero(values >= self._size)
        while len(outside):
            values[outside] = self._once(values[outside])
            outside = outside[values[outside] >= self._size]
        return values.astype(np.int64)

    def _once(self, values: np.ndarray) -> np.ndarray:
        left, right = values >> self._half_bits, values & self._mask
        for key in self._keys:
            # The multiplication wraps around; its high bits are the well mixed ones.
            mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(32)
            mixed *= key
            left, right = right, left ^ (mixed >> np.uint64(33)) & self._mask
        return (left << self._half_bits) | right


def random_order(size: int, seed: int) -> np.ndarray | ComputedOrder:
    """A permutation of [0, size) by seed: numpy's `RandomState.permutation`, which the
    published lists were drawn with, or a computed one where its table would be
    large."""
    if size > MAX_PERMUTATION:
        return ComputedOrder(size, seed)
    return np.random.RandomState(seed).permutation(size)


@dataclasses.dataclass(frozen=True)
class NumberedPairs:
    """Pairs in the order of their records, by the numbers of their stored photos.

    Attributes:
        positions: the pairs, see `PairList`.
        numbers: int [photos], the number of each photo in the store.
        order: which pair each record holds; None for the order of the pairs.
    """

    positions: OrderedPairs | np.ndarray
    numbers: np.ndarray
    order: np.ndarray | ComputedOrder | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def blocks(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Yields (source number, target number) of the records [start, stop), int64
        [N, 2] with N at most some thousand."""
        for begin in range(start, stop, _BLOCK):
            rows = np.arange(begin, min(begin + _BLOCK, stop))
            if self.order is not None:
                rows = self.order[rows]
            yield self.numbers[self.positions[rows]]
