"""Which pairs a conversion takes, split by split: a protocol's, or those of a list."""

import pathlib
from collections.abc import Collection, Mapping, Sized

import numpy as np

from data_prep.build_options import Options
from data_prep.pairs import field_protocol, pair_files, pg2_protocol
from data_prep.pairs.pair_list import PairList
from data_prep.sources.split import Split


def _file(options: Options, split: str) -> str:
    """The list to use for a split, "" for the protocol."""
    return options.pairs[split == "test"] if options.pairs else ""


def _cap(options: Options, split: str, dataset: str) -> int | None:
    """How many of the protocol's pairs a split takes, None for all."""
    if split != "test":
        return options.max_train_pairs
    if options.max_test_pairs is not None:
        return options.max_test_pairs
    if options.pair_protocol == "pg2":
        return pg2_protocol.MAX_TEST_PAIRS.get(dataset)
    return field_protocol.MAX_TEST_PAIRS


def describe(options: Options, split: str, dataset: str) -> str:
    """Says in words where the pairs of a split come from."""
    if file := _file(options, split):
        return f"pairs of the list {pathlib.Path(file).name}"
    cap = _cap(options, split, dataset)
    most = "" if cap is None else f"; at most {cap}"
    if options.pair_protocol == "pg2":
        return (
            "all ordered pairs of photos of one person with keypoints, in the "
            f"order of the program of PG2's authors, seed {options.seed}{most}"
        )
    drawn = f"{most} chosen with seed {options.seed}" if most else ""
    return (
        "all ordered pairs of photos of one person that show both shoulders and "
        f"both hips{drawn}"
    )


def check_not_empty(options: Options, split: str, kept: Sized) -> None:
    """Refuses a split of which bad rows and bad photos leave no pair."""
    if len(kept):
        return
    reason = "nobody has two photos that show both shoulders and both hips"
    if options.pair_protocol == "pg2":
        reason = "nobody has two photos with keypoints"
    if file := _file(options, split):
        reason = f"{file} has bad rows or bad photos only (--on_error=fail lists them)"
    raise ValueError(f"the {split} split has no pairs: {reason}")


def list_pairs(
    options: Options, splits: Mapping[str, Split], dataset: str, problems: list[str]
) -> dict[str, PairList]:
    """Lists the pairs of each split, in the order of the protocol or of the given file.
    Bad rows of pair lists are left out and go to `problems`."""
    files = options.pairs
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
        annotated, file = split.annotations, _file(options, name)
        lists[name] = (
            PairList.of(pair_files.read(file, _posed(annotated), dataset, problems))
            if file
            else by_protocol(options, name, annotated, split.photos, dataset)
        )
    return lists


def by_protocol(
    options: Options,
    split: str,
    annotated: Mapping[str, np.ndarray],
    photos: Collection[str],
    dataset: str,
) -> PairList:
    """Lists the pairs of a split ("train" or "test") by the protocol that is chosen,
    of `annotated` (photo name -> [18, 3]) among all `photos` of the split. The test
    pairs of the field are a sample, however few there are: of 12,000 with seed 0 the
    published list; its training pairs are one only where there are too many."""
    cap, seed = _cap(options, split, dataset), options.seed
    if options.pair_protocol == "pg2":
        posed = _posed(annotated)
        listed = pg2_protocol.list_pairs(photos, posed, dataset, limit=cap, seed=seed)
        return PairList.of(listed)
    pairs = field_protocol.all_pairs(annotated, dataset)
    if cap is None or (split == "train" and len(pairs) <= cap):
        return pairs
    return field_protocol.sample(pairs, cap, seed)


def _posed(annotated: Mapping[str, np.ndarray]) -> list[str]:
    return [name for name, keypoints in annotated.items() if keypoints[:, 2].any()]
