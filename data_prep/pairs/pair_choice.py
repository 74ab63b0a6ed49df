"""Which pairs a conversion takes, split by split: a protocol's, or those of a list."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence, Sized

import numpy as np

from data_prep.pairs import field_protocol, pair_files, pg2_protocol
from data_prep.pairs.pair_list import PairList
from data_prep.sources.split import Split


@dataclasses.dataclass(frozen=True)
class PairChoice:
    """Which pairs are wanted: of lists for train and test, "" for none, or of no list;
    how many, None for the protocol's number; a seed; one of `identity.PROTOCOLS`."""

    files: Sequence[str]
    max_train_pairs: int | None
    max_test_pairs: int | None
    seed: int
    rule: str = "field"

    def file(self, split: str) -> str:
        """The list to use for a split, "" for the protocol."""
        return self.files[split == "test"] if self.files else ""

    def cap(self, split: str, dataset: str) -> int | None:
        """How many of the protocol's pairs a split takes, None for all."""
        if split != "test":
            return self.max_train_pairs
        if self.max_test_pairs is not None:
            return self.max_test_pairs
        if self.rule == "pg2":
            return pg2_protocol.MAX_TEST_PAIRS.get(dataset)
        return field_protocol.MAX_TEST_PAIRS

    def protocol(self, split: str, dataset: str) -> str:
        """Says in words where the pairs of a split come from."""
        if self.file(split):
            return f"pairs of the list {pathlib.Path(self.file(split)).name}"
        cap = self.cap(split, dataset)
        most = "" if cap is None else f"; at most {cap}"
        if self.rule == "pg2":
            return (
                "all ordered pairs of photos of one person with keypoints, in the "
                f"order of the program of PG2's authors, seed {self.seed}{most}"
            )
        drawn = f"{most} chosen with seed {self.seed}" if most else ""
        return (
            "all ordered pairs of photos of one person that show both shoulders and "
            f"both hips{drawn}"
        )

    def check_not_empty(self, split: str, kept: Sized) -> None:
        """Refuses a split of which bad rows and bad photos leave no pair."""
        if len(kept):
            return
        if self.file(split):
            reason = (
                f"{self.file(split)} has bad rows or bad photos only "
                "(--on_error=fail lists them)"
            )
        elif self.rule == "pg2":
            reason = "nobody has two photos with keypoints"
        else:
            reason = "nobody has two photos that show both shoulders and both hips"
        raise ValueError(f"the {split} split has no pairs: {reason}")


def list_pairs(
    choice: PairChoice, splits: Mapping[str, Split], dataset: str, problems: list[str]
) -> dict[str, PairList]:
    """Lists the pairs of each split, in the order of the protocol or of the given file.
    Bad rows of pair lists are left out and go to `problems`."""
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
    for name, split in splits.items():
        annotated, file = split.annotations, choice.file(name)
        lists[name] = (
            PairList.of(pair_files.read(file, _posed(annotated), dataset, problems))
            if file
            else by_protocol(choice, name, annotated, split.photos, dataset)
        )
    return lists


def by_protocol(
    choice: PairChoice,
    split: str,
    annotated: Mapping[str, np.ndarray],
    photos: Collection[str],
    dataset: str,
) -> PairList:
    """Lists the pairs of a split ("train" or "test") by the protocol that is chosen,
    of `annotated` (photo name -> [18, 3]) among all `photos` of the split. The test
    pairs of the field are a sample, however few there are: of 12,000 with seed 0 the
    published list; its training pairs are one only where there are too many."""
    cap, seed = choice.cap(split, dataset), choice.seed
    if choice.rule == "pg2":
        posed = _posed(annotated)
        listed = pg2_protocol.list_pairs(photos, posed, dataset, limit=cap, seed=seed)
        return PairList.of(listed)
    pairs = field_protocol.all_pairs(annotated, dataset)
    if cap is None or (split == "train" and len(pairs) <= cap):
        return pairs
    return field_protocol.sample(pairs, cap, seed)


def _posed(annotated: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name, keypoints in annotated.items() if keypoints[:, 2].any()]
