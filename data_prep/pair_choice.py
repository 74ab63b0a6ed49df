"""Which pairs a conversion takes, split by split: the protocol's, or those of a
list."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep import pairs, sources
from data_prep.pair_list import PairList


@dataclasses.dataclass(frozen=True)
class PairChoice:
    """Which pairs are wanted.

    Attributes:
        files: pair lists for train and test, "" for none; or nothing at all.
        max_train_pairs: cap of the protocol's training pairs, None for all.
        max_test_pairs: cap of the protocol's test pairs.
        seed: seed of the draws.
    """

    files: Sequence[str]
    max_train_pairs: int | None
    max_test_pairs: int
    seed: int

    def file(self, split: str) -> str:
        """Returns the list to use for a split, "" for the protocol."""
        return self.files[split == "test"] if self.files else ""

    def protocol(self, split: str) -> str:
        """Says in words where the pairs of a split come from."""
        if self.file(split):
            return f"pairs of the list {pathlib.Path(self.file(split)).name}"
        cap = self.max_test_pairs if split == "test" else self.max_train_pairs
        drawn = "" if cap is None else f"; at most {cap} drawn with seed {self.seed}"
        return (
            "all ordered pairs of photos of one person that show both shoulders and "
            f"both hips{drawn}"
        )

    def check_not_empty(self, split: str, kept: Sequence[pairs.Pair]) -> None:
        """Refuses a split without pairs.

        Args:
            split: name of the split.
            kept: the pairs that bad rows and bad photos leave of it.

        Raises:
            ValueError: there are none; says why.
        """
        if kept:
            return
        reason = "nobody has two usable photos that show both shoulders and both hips"
        if self.file(split):
            reason = (
                f"{self.file(split)} has bad rows or bad photos only "
                "(--on_error=fail lists them)"
            )
        raise ValueError(f"the {split} split has no pairs: {reason}")


def list_pairs(
    choice: PairChoice,
    splits: Mapping[str, sources.Split],
    dataset: str,
    problems: list[str],
) -> dict[str, PairList]:
    """Lists the pairs of each split, in the order of the protocol or of the given file.

    Args:
        choice: which pairs.
        splits: the annotated photos.
        dataset: a key of `sources.READERS`.
        problems: bad rows of pair lists are appended here and left out.

    Returns:
        Split name -> pairs.

    Raises:
        ValueError: a wrong number of lists, or one that cannot be read.
    """
    files = choice.files
    if len(files) not in (0, 2):
        raise ValueError(
            f"--pairs names {len(files)} files, expected TRAIN.csv,TEST.csv; either "
            "may be left empty"
        )
    if dataset == "folder" and any(files) and not all(files):
        raise ValueError(
            "--pairs needs both lists for a folder: they decide who is in which split"
        )
    lists = {}
    for split, source in splits.items():
        annotated, file = source.annotations, choice.file(split)
        if file:
            listed = pairs.read_csv(file, _posed(annotated), dataset, problems)
            lists[split] = PairList.of(listed)
        elif split == "train":
            cap = choice.max_train_pairs
            lists[split] = pairs.train_pairs(annotated, dataset, cap, choice.seed)
        else:
            cap = choice.max_test_pairs
            lists[split] = pairs.test_pairs(annotated, dataset, cap, choice.seed)
    return lists


def _posed(annotated: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name, keypoints in annotated.items() if keypoints[:, 2].any()]
