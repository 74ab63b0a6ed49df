r"""Which photo is paired with which: the published protocol, and lists in its format.

    python -m data_prep.pairs --dataset=market1501 --annotations=CSV --split=train \
        --output=pairs.csv

The protocol is the one of the pose transfer literature (pose-gan, PATN and their
followers), to the letter, so that its lists of 263,632 training and 12,000 test pairs
of Market-1501 come out row by row.
"""

import collections
import csv
import itertools
import os
import pathlib
from collections.abc import Collection, Mapping

import numpy as np
from absl import flags

from data_prep import annotations, command_line
from pg2_jax import files

Pair = tuple[str, str]

HEADER = ("from", "to")
MAX_TEST_PAIRS = 12_000
# Right shoulder, left shoulder, right hip, left hip: without the torso a pose says too
# little.
REQUIRED_KEYPOINTS = (2, 5, 8, 11)
# Market-1501: false detections, and people who belong to no identity.
_JUNK_PREFIXES = ("-1", "0000")


def _folder_of(name: str) -> str:
    person, slash, _ = name.rpartition("/")
    if not slash:
        raise ValueError(
            f"{name!r} names no person: with --dataset=folder it is <person>/<photo>"
        )
    return person


# How the name of a photo gives the identity of its person.
_IDENTITY_RULES = {
    "market1501": lambda name: name.split("_")[0],
    "folder": _folder_of,
}
DATASETS = tuple(_IDENTITY_RULES)


def identity_of(name: str, dataset: str) -> str:
    """Returns the identity of the person in a photo, from the photo's name.

    Args:
        name: file name (market1501) or path `<person>/<photo>` (folder).
        dataset: one of `DATASETS`.
    """
    return _IDENTITY_RULES[dataset](name)


def valid(name: str, keypoints: np.ndarray, dataset: str) -> bool:
    """Whether the protocol pairs this photo at all.

    Args:
        name: the photo's name.
        keypoints: [18, 3] = (x, y, visible).
        dataset: one of `DATASETS`; junk is marked by the name in market1501 only.
    """
    if dataset == "market1501" and name.startswith(_JUNK_PREFIXES):
        return False
    return bool(keypoints[list(REQUIRED_KEYPOINTS), 2].all())


def all_pairs(annotated: Mapping[str, np.ndarray], dataset: str) -> list[Pair]:
    """Lists all ordered pairs of different valid photos of one person.

    Args:
        annotated: photo name -> [18, 3]; its order decides the order of the pairs.
        dataset: one of `DATASETS`.

    Returns:
        (source name, target name): identities in order of first appearance, within one
        the order of `itertools.permutations`.
    """
    groups: dict[str, list[str]] = {}
    for name, keypoints in annotated.items():
        if valid(name, keypoints, dataset):
            groups.setdefault(identity_of(name, dataset), []).append(name)
    return [
        pair for names in groups.values() for pair in itertools.permutations(names, 2)
    ]


def sample(pairs: list[Pair], count: int, seed: int) -> list[Pair]:
    """Draws pairs without replacement, in drawn order, exactly as `DataFrame.sample` of
    pandas.

    Args:
        pairs: the pool.
        count: how many to draw at most; a smaller pool is returned whole, shuffled.
        seed: pandas' `random_state`.
    """
    rows = np.random.RandomState(seed).choice(
        len(pairs), min(count, len(pairs)), replace=False
    )
    return [pairs[row] for row in rows]


def train_pairs(
    annotated: Mapping[str, np.ndarray], dataset: str, max_pairs: int | None, seed: int
) -> list[Pair]:
    """Returns the training list: all pairs in protocol order, or `max_pairs` of them by
    seed."""
    pairs = all_pairs(annotated, dataset)
    return (
        pairs
        if max_pairs is None or len(pairs) <= max_pairs
        else sample(pairs, max_pairs, seed)
    )


def test_pairs(
    annotated: Mapping[str, np.ndarray], dataset: str, max_pairs: int | None, seed: int
) -> list[Pair]:
    """Returns the test list: `max_pairs` pairs drawn by seed (default 12,000; seed 0 is
    the published list)."""
    return sample(
        all_pairs(annotated, dataset),
        MAX_TEST_PAIRS if max_pairs is None else max_pairs,
        seed,
    )


def unused(
    annotated: Mapping[str, np.ndarray], pairs: list[Pair], dataset: str
) -> collections.Counter[str]:
    """Counts the annotated photos that are in no pair, by reason."""
    used = {name for pair in pairs for name in pair}
    usable = [
        name for name, keypoints in annotated.items() if valid(name, keypoints, dataset)
    ]
    photos_of = collections.Counter(identity_of(name, dataset) for name in usable)
    counts: collections.Counter[str] = collections.Counter()
    for name in annotated.keys() - used:
        if dataset == "market1501" and name.startswith(_JUNK_PREFIXES):
            counts["junk or distractor by name"] += 1
        elif not valid(name, annotated[name], dataset):
            counts["a shoulder or a hip is missing"] += 1
        elif photos_of[identity_of(name, dataset)] == 1:
            counts["the only usable photo of the person"] += 1
        else:
            counts["in none of the listed pairs"] += 1
    return counts


def read_csv(
    path: str | os.PathLike[str],
    names: Collection[str],
    dataset: str,
    problems: list[str] | None = None,
) -> list[Pair]:
    """Reads a pair list with the header `from,to`.

    Args:
        path: the csv file, UTF-8.
        names: the photos that have keypoints.
        dataset: one of `DATASETS`; how a name gives the identity of the person.
        problems: bad rows are appended here, one message each, and left out of the
            result; without it the first bad row raises.

    Returns:
        (source name, target name) in file order.

    Raises:
        ValueError: naming file, line, value and rule.
        OSError: the file cannot be read.
    """
    known = set(names)
    first_line: dict[Pair, int] = {}
    num_bad = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if tuple(field.strip() for field in header) != HEADER:
                raise ValueError(
                    f"{path}:1: the header is {','.join(header)!r}, expected 'from,to'"
                )
            for row in filter(None, rows):
                try:
                    pair = _parse_row(row, known, dataset)
                    if pair in first_line:
                        raise ValueError(
                            f"{','.join(pair)!r} is already in line "
                            f"{first_line[pair]}; pairs may not repeat"
                        )
                except ValueError as error:
                    message = f"{path}:{rows.line_num}: {error}"
                    if problems is None:
                        raise ValueError(message) from error
                    problems.append(message)
                    num_bad += 1
                    continue
                first_line[pair] = rows.line_num
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a csv file in UTF-8: {error}") from error
    if not first_line and not num_bad:
        raise ValueError(f"{path}: holds no pairs")
    return list(first_line)


def _parse_row(row: list[str], known: set[str], dataset: str) -> Pair:
    if len(row) != 2:
        raise ValueError(
            f"{','.join(row)!r} has {len(row)} fields, expected two: from,to"
        )
    source, target = row[0].strip(), row[1].strip()
    for name in (source, target):
        if name not in known:
            raise ValueError(f"{name!r} has no keypoints in the annotation file")
    if source == target:
        raise ValueError(f"{source!r} is paired with itself, expected two photos")
    people = identity_of(source, dataset), identity_of(target, dataset)
    if people[0] != people[1]:
        raise ValueError(
            f"{source!r} shows {people[0]!r} and {target!r} shows {people[1]!r}; a "
            "pair shows one person"
        )
    return source, target


def write_csv(path: str | os.PathLike[str], pairs: list[Pair]) -> None:
    """Writes a pair list in the published form; the file appears whole or not at
    all."""
    with (
        files.replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows([HEADER, *pairs])


def _define_flags() -> None:
    flags.DEFINE_enum(
        "dataset", "market1501", DATASETS, "How photo names give identities."
    )
    flags.DEFINE_string(
        "annotations",
        None,
        "Keypoint file in any format that data_prep.annotations reads.",
    )
    flags.DEFINE_enum(
        "split",
        None,
        ("train", "test"),
        "train: all pairs in order; test: a seeded sample.",
    )
    flags.DEFINE_string(
        "output", None, "Where to write the list, a csv with the header from,to."
    )
    flags.DEFINE_boolean("overwrite", False, "Replace --output if it is there.")
    flags.DEFINE_integer(
        "max_pairs",
        None,
        "At most so many pairs (default: train all, test 12000).",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "seed",
        0,
        "Seed of the sample; 0 gives the published test list.",
        lower_bound=0,
        upper_bound=command_line.MAX_SEED,
    )
    flags.mark_flags_as_required(["annotations", "split", "output"])


def main(argv: list[str]) -> int:
    """Writes the list that the flags ask for; returns the exit code."""
    return command_line.run(argv, _write_list)


def _write_list() -> str:
    """Does what the flags ask for and says what was written."""
    args = flags.FLAGS
    source, output = (
        command_line.expand(path) for path in (args.annotations, args.output)
    )
    command_line.check_output(
        "--output", pathlib.Path(output), overwrite=args.overwrite
    )
    list_pairs = train_pairs if args.split == "train" else test_pairs
    annotated = annotations.read(source)
    pairs = list_pairs(annotated, args.dataset, args.max_pairs, args.seed)
    write_csv(output, pairs)
    usable = sum(
        valid(name, keypoints, args.dataset) for name, keypoints in annotated.items()
    )
    return (
        f"{output}: {len(pairs):,} pairs from {usable:,} usable of "
        f"{len(annotated):,} annotated photos"
    )


if __name__ == "__main__":
    _define_flags()
    command_line.start(main)
