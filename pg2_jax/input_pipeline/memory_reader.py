"""Pairs that are read without tensorflow, and kept in memory: numpy batches.

A split is read whole when it is first asked for. To train, every photo is decoded once
and for all; of other splits those of a batch, when it comes.
"""

import concurrent.futures
import functools
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from pg2_jax import errors
from pg2_jax.input_pipeline import description, pair_table, reader, reader_choice
from pg2_jax.input_pipeline.process_share import Share
from pg2_jax.photos import photo_files

_ROWS_AT_ONCE = 4096
# After how many pairs `photos` turns from sources to targets; as tf_data_reader does.
_PHOTO_ROWS = 64
_ROLES = list(zip(description.IMAGES, description.NAMES[1:], strict=True))


class MemoryReader(reader.Reader):
    """A `Reader` of splits that take so much memory at most."""

    def __init__(self, data_dir: str, memory_gib: float):
        super().__init__(data_dir)
        self._memory_gib = memory_gib
        self._tables: dict[str, pair_table.PairTable] = {}

    def stored(self, split: str, keys: tuple[str, ...]) -> Iterator[Any]:
        """Yields keypoints or names of all pairs of a stored split, in order."""
        rows = np.arange(self.splits[split].pairs)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            yield self._batch(split, rows[start : start + _ROWS_AT_ONCE], keys)

    def prepare_training(self) -> None:
        """Decodes all training photos; a ValueError if that is not possible."""
        if self.training_photos is not None:
            return
        photos = self._table("train").photos
        shape = (len(photos), self.height, self.width, 3)
        gib = np.prod(shape, dtype=float) / 2**30
        if gib > self._memory_gib:
            what = f"the {len(photos):,} photos of split train take {gib:.3g} GiB"
            raise self._too_large(what)
        pixels = np.empty(shape, np.uint8)

        def decode(number: int) -> None:
            pixels[number] = self._decoded("train", number)

        # Pillow decodes outside of Python's lock. Each decoding silences warnings for a
        # while, which threads do not undo in order: this does.
        with (
            warnings.catch_warnings(),
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            list(pool.map(decode, range(len(photos))))
        self.training_photos = pixels
        photos.clear()

    def virtual_readers(self, wanted: int, batch_size: int) -> int:
        """None, for nothing is read in training."""
        return 0

    def training_batches(
        self, *, seed: int, first_step: int, share: Share, readers: int
    ) -> Iterator[Any]:
        """Yields keypoints, and photos by their numbers, int32 [B], without end."""
        pairs, keys = self._rows_of("train"), description.ARRAYS
        place = first_step * share.batch_size + share.first
        while True:
            places = np.arange(place, place + share.rows)
            epochs, within = np.divmod(places, len(pairs))
            rows = [
                pairs[_order(seed, number, len(pairs))[within[epochs == number]]]
                for number in np.unique(epochs).tolist()
            ]
            yield self._batch("train", np.concatenate(rows), keys)
            place += share.batch_size

    def ordered_batches(self, split: str, count: int, share: Share) -> Iterator[Any]:
        """Yields the first `count` pairs of a split with all keys, then padding."""
        pairs = self._rows_of(split)
        stored = "train" if split == "validation" else split
        for first in range(share.first, count + share.first, share.batch_size):
            places = np.arange(first, first + share.rows)
            rows = pairs[np.where(places < count, places, 0)]
            batch = self._batch(stored, rows, description.KEYS)
            for key in description.IMAGES:
                batch[key] = self._images(stored, batch[key])
            yield batch

    def photos(self, split: str, batch_size: int) -> Iterator[np.ndarray]:
        """Yields every photo of a stored split once, as `PairDataset.photos`."""
        table = self._table(split)
        first: dict[int, int] = {}  # photo by name
        for start in range(0, self.splits[split].pairs, _PHOTO_ROWS):
            rows = slice(start, start + _PHOTO_ROWS)
            for roles in _ROLES:
                both = (table.numbers(key)[rows].tolist() for key in roles)
                for photo, name in zip(*both, strict=True):
                    first.setdefault(name, photo)
        numbers = np.array(list(first.values()))
        for start in range(0, len(numbers), batch_size):
            yield self._images(split, numbers[start : start + batch_size])

    def _table(self, split: str) -> pair_table.PairTable:
        if split not in self._tables:
            try:
                limit = self._memory_gib * 2**30
                self._tables[split] = pair_table.read(self.splits[split].shards, limit)
            except ValueError as error:
                reason = f"a record cannot be read: {error}"
                raise description.unusable(self.data_dir, reason) from error
            except pair_table.TooLarge as error:
                if split == "train":
                    raise self._too_large("split train takes more") from error
                raise description.unusable(
                    self.data_dir,
                    f"split {split} takes more than {self._memory_gib:g} GiB of memory "
                    "without tensorflow, which reads it piece by piece: "
                    f"{reader_choice.INSTALL}",
                ) from error
        return self._tables[split]

    def _too_large(self, what: str) -> errors.ArgumentError:
        rule = (
            f": {what}, in {self.data_dir}. Give it more, or read it piece by piece, "
            f"with reader=tf_data, which needs tensorflow: {reader_choice.INSTALL}"
        )
        return errors.ArgumentError("reader_memory_gib", self._memory_gib, rule)

    def _rows_of(self, split: str) -> np.ndarray:
        if split == "test":
            return np.arange(self.splits[split].pairs)
        return np.flatnonzero(self.is_held_out == (split == "validation"))

    def _batch(self, split: str, rows: np.ndarray, keys: tuple[str, ...]) -> Any:
        """Pairs of a stored split, with the numbers of photos for images."""
        table, batch = self._table(split), {}
        for key in keys:
            batch[key] = numbers = table.numbers(key)[rows]
            if key in description.KEYPOINTS:
                batch[key] = table.keypoints[numbers]
            elif key in description.NAMES:
                batch[key] = np.array([table.names[n] for n in numbers], object)
        return batch

    def _images(self, split: str, numbers: np.ndarray) -> np.ndarray:
        if split == "train" and self.training_photos is not None:
            return self.training_photos[numbers]
        return np.stack([self._decoded(split, number) for number in numbers])

    def _decoded(self, split: str, number: int) -> np.ndarray:
        """A photo, [H, W, 3] uint8; what the builder does not store is a ValueError."""
        try:
            photo = photo_files.decode(self._table(split).photos[number], "its photo")
            size = (photo.image.height, photo.image.width)
            if photo.notes or size != (self.height, self.width):
                what = ", ".join(photo.notes) or f"{size[0]}x{size[1]} pixels"
                raise ValueError(f"its photo is not RGB of the right size: {what}")
        except ValueError as error:
            reason = f"a record of {self._name(split, number)}: {error}"
            raise description.unusable(self.data_dir, reason) from error
        return np.asarray(photo.image)

    def _name(self, split: str, number: int) -> str:
        """Of a photo, as one of the pairs has it."""
        table, names = self._table(split), []
        for image, name in _ROLES:
            names += table.numbers(name)[table.numbers(image) == number].tolist()
        return table.names[names[0]].decode()


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of an epoch: a permutation of `count`, the same in every version of
    numpy: the stream of PCG64 never changes, that of numpy's permutations may."""
    random = np.random.PCG64(np.random.SeedSequence([seed, epoch]))
    return np.argsort(random.random_raw(count), kind="stable")
