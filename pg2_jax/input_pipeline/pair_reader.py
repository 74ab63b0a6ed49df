"""A data set of pairs as numpy batches, read with tf.data or without tensorflow.

The order of the training data depends on the reader, the seed and the step alone, so
that a resumed run sees what an uninterrupted one would have seen.
"""

import array
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

import jax.numpy as jnp
import numpy as np

from pg2_jax import errors, pose
from pg2_jax.input_pipeline import (
    cloud_files,
    description,
    memory_reader,
    process_share,
    reader_choice,
)
from pg2_jax.inputs import Batch, with_images

if TYPE_CHECKING:
    # Imports tensorflow, which takes seconds.
    from pg2_jax.input_pipeline.tf_data_reader import TfDataReader


@dataclasses.dataclass(frozen=True)
class TestBatch:
    """Some test pairs, padded to the batch size B with the first pair. `names`,
    (source, target), and `identities` are those of the true examples alone."""

    batch: Batch
    names: list[tuple[str, str]]
    identities: list[str]


class PairDataset:
    """A data set written by data_prep/build_tfrecords.py: `height` and `width` in
    pixels, what the builder recorded as `metadata`, and the `reader`, "tf_data" or
    "memory". It has the splits "train" and "test", and where a share of the training
    people is held out, "validation": their training pairs, which "train" lacks."""

    def __init__(
        self,
        data_dir: str,
        validation_share: float = 0.0,
        *,
        reader: str = "auto",
        reader_memory_gib: float = 8.0,
    ):
        """Opens a data set, on a disk or in cloud storage, with one of
        `reader_choice.READERS`, of which "memory" takes so many GiB at most for a
        split; holding out a share of the training people takes one pass over the
        records. What is no such data set, or has too few people, is a ValueError."""
        self._data_dir = data_dir
        # tensorflow knows one of the storages.
        if cloud_files.is_address(data_dir) and not data_dir.startswith("gs://"):
            reader = "memory" if reader == "auto" else reader
        self.reader = reader_choice.choose(reader)
        self._reader: memory_reader.MemoryReader | TfDataReader
        if self.reader == "memory":
            self._reader = memory_reader.MemoryReader(data_dir, reader_memory_gib)
        else:
            from pg2_jax.input_pipeline import tf_data_reader

            self._reader = tf_data_reader.TfDataReader(data_dir)
        self.height, self.width = self._reader.height, self._reader.width
        self.metadata = self._reader.metadata
        self.splits = list(self._reader.splits)  # those stored that hold pairs
        if validation_share:
            self._hold_out(validation_share)

    def count(self, split: str) -> int:
        """The number of pairs of a split; none is a ValueError."""
        held_out = int(self._reader.is_held_out.sum())
        if split == "validation" and held_out:
            return held_out
        if split not in self.splits:
            raise description.unusable(self._data_dir, f"no pairs in split {split}.")
        stored = self._reader.splits[split].pairs
        return stored - held_out if split == "train" else stored

    def prepare_training(self) -> None:
        """Does what `training_batches` needs first, so that what is wrong is said
        before: "memory" reads all training pairs and decodes their photos."""
        self.count("train")
        self._reader.prepare_training()

    @property
    def training_photos(self) -> np.ndarray | None:
        """All training photos, uint8 [N, H, W, 3], once `prepare_training` was called;
        None with "tf_data", which keeps none."""
        return self._reader.training_photos

    def virtual_readers(self, batch_size: int, wanted: int = 0) -> int:
        """The number of virtual readers that training takes: the one wanted, which must
        divide the batch and the number of training files, or as many as suit. 0 with
        "memory", which has no need of them."""
        self.count("train")
        return self._reader.virtual_readers(wanted, batch_size)

    def training_batches(
        self,
        *,
        batch_size: int,
        seed: int,
        first_step: int = 0,
        virtual_readers: int = 1,
        numbered: bool = False,
        process_index: int = 0,
        process_count: int = 1,
    ) -> Iterator[Batch]:
        """Yields this process's share of the training batches from `first_step` on,
        without end; `numbered` with the numbers of `training_photos` for images.

        The records of all epochs, each shuffled anew by the seed, are one stream, of
        which every batch takes the next `batch_size`; process i of n gets the i-th of n
        equal shares. So a step sees the same examples with any number of processes.

        With "tf_data" each process reads all records and decodes its own. Or the files
        are dealt to several `virtual_readers`, on whose number the order depends: each
        has epochs of its own, a batch has equally many pairs of each, and a process
        reads those of its share alone.
        """
        share = process_share.of_process(batch_size, process_index, process_count)
        readers = self.virtual_readers(batch_size, virtual_readers)
        self.prepare_training()
        kept = self.training_photos
        if numbered and kept is None:
            needed = f'reader "memory", not {self.reader!r}, which keeps no photos'
            raise errors.ArgumentError("numbered", numbered, f" needs {needed}.")
        photos = None if numbered else kept
        for batch in self._reader.training_batches(
            seed=seed, first_step=first_step, share=share, readers=readers
        ):
            yield with_images(batch, photos)

    def test_batches(
        self,
        *,
        batch_size: int,
        limit: int = 0,
        split: str = "test",
        process_index: int = 0,
        process_count: int = 1,
    ) -> Iterator[TestBatch]:
        """Yields this process's share of the first `limit` test pairs (0 for all), each
        once, in the order of the protocol; of "validation" as they are stored.

        Process i of n takes the i-th of n equal shares of every batch, and all get
        equally many batches: the last are padded with the first pair, without its name.
        """
        count = min(limit or self.count(split), self.count(split))
        share = process_share.of_process(batch_size, process_index, process_count)
        batches = self._reader.ordered_batches(split, count, share)
        # The batches of "tf_data" do not end.
        for first, batch in zip(range(0, count, batch_size), batches, strict=False):
            true = max(0, count - first - share.first)
            people, sources, targets = (
                [name.decode() for name in batch[key][:true]]
                for key in description.NAMES
            )
            arrays = {key: batch[key] for key in description.ARRAYS}
            names = list(zip(sources, targets, strict=True))
            yield TestBatch(cast(Batch, arrays), names, people)

    def photos(self, split: str, batch_size: int) -> Iterator[np.ndarray]:
        """Yields every photo of a split once, in the order in which the pairs name
        them, as uint8 [batch_size or fewer, H, W, 3]."""
        self.count(split)
        yield from self._reader.photos(split, batch_size)

    def checksum(self, split: str) -> str:
        """SHA-256 of the files of a split, one after the other."""
        self.count(split)
        digest = hashlib.sha256()
        for path in self._reader.splits[split].files:
            of_file = hashlib.sha256()
            source = cloud_files.path_of(path)
            with cloud_files.named_errors("data_dir", path), source.open("rb") as file:
                while block := file.read(2**20):
                    of_file.update(block)
            digest.update(of_file.digest())
        return digest.hexdigest()

    def require_views(self, split: str) -> None:
        """Raises a ValueError unless `pose.view` knows the view of every target pose
        of a split; it names the first pair and counts the others."""
        self.count(split)
        names, keypoints = description.NAMES[1:], description.KEYPOINTS[1]
        unknown, first = 0, ""
        for rows in self._reader.stored(split, (*names, keypoints)):
            wrong = np.asarray(pose.view(jnp.asarray(rows[keypoints]))) < 0
            if wrong.any() and not unknown:
                first = ", ".join(rows[name][wrong.argmax()].decode() for name in names)
            unknown += int(wrong.sum())
        if unknown:
            raise description.unusable(
                self._data_dir,
                f"the view of {unknown} of {self.count(split)} pairs of split {split} "
                f"cannot be told, first of {first}: a shoulder or a hip of the target "
                "pose is missing. pose_embedding=view needs all four, as the field's "
                "pair protocol does.",
            )

    def _hold_out(self, share: float) -> None:
        self.count("train")
        key = description.NAMES[0]
        people: dict[bytes, int] = {}  # and their numbers
        of_pairs = array.array("i")
        for rows in self._reader.stored("train", (key,)):
            of_pairs.extend(people.setdefault(n, len(people)) for n in rows[key])
        self._reader.held_out = held_out(people, share)
        numbers = [people[name] for name in self._reader.held_out]
        self._reader.is_held_out = np.isin(np.array(of_pairs), numbers)


def held_out(identities: Iterable[bytes], share: float) -> list[bytes]:
    """The people of the validation split, the same for every seed: a share, above 0 and
    below 1, of those who are named; at least one and not all, those whose names have
    the smallest SHA-256. A single person is a ValueError."""
    people = sorted(set(identities), key=lambda name: hashlib.sha256(name).digest())
    if len(people) < 2:
        rule = f" needs two training people or more; there is {len(people)}."
        raise errors.ArgumentError("validation_share", share, rule)
    return people[: min(max(1, round(share * len(people))), len(people) - 1)]
