r"""Which photo is paired with which: the published protocol, and lists in its format.

    python -m data_prep.pairs --dataset=market1501 --annotations=CSV --split=train \
        --output=pairs.csv

The protocol is the one of the pose transfer literature (pose-gan, PATN and their
followers), to the letter, so that its lists of 263,632 training and 12,000 test pairs
of Market-1501 come out row by row.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep import command_line
from data_prep.flag_fields import option
from data_prep.pairs import pair_list
from data_prep.pairs.pair_list import Pair, PairList
from data_prep.sources import deepfashion_names
from pg2_jax.keypoints import keypoint_files

# Whose pairs: those that later papers share, which this module lists, or those of PG2's
# own program (pg2_protocol.py).
PROTOCOLS = ("field", "pg2")
_UNUSABLE = {"field": "a shoulder or a hip is missing", "pg2": "no point is there"}
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
    "deepfashion": deepfashion_names.identity,
    "folder": _folder_of,
}
DATASETS = tuple(_IDENTITY_RULES)


def identity_of(name: str, dataset: str) -> str:
    """Returns the identity of the person in a photo, from the photo's name.

    Args:
        name: file name (market1501), file name or path as downloaded (deepfashion), or
            path `<person>/<photo>` (folder).
        dataset: one of `DATASETS`.
    """
    return _IDENTITY_RULES[dataset](name)


def is_junk(name: str, dataset: str) -> bool:
    """Whether a name marks a photo of nobody in particular, in market1501 only."""
    return dataset == "market1501" and name.startswith(_JUNK_PREFIXES)


def valid(name: str, keypoints: np.ndarray, dataset: str) -> bool:
    """Whether the protocol pairs this photo at all.

    Args:
        name: the photo's name.
        keypoints: [18, 3] = (x, y, visible).
        dataset: one of `DATASETS`; junk is marked by the name in market1501 only.
    """
    return not is_junk(name, dataset) and bool(
        keypoints[list(REQUIRED_KEYPOINTS), 2].all()
    )


def usable(name: str, keypoints: np.ndarray, dataset: str, protocol: str) -> bool:
    """Whether a protocol pairs a photo; `valid` is the field's.

    Args:
        name: the photo's name.
        keypoints: [18, 3] = (x, y, visible).
        dataset: one of `DATASETS`.
        protocol: one of `PROTOCOLS`.
    """
    if protocol == "field":
        return valid(name, keypoints, dataset)
    return not is_junk(name, dataset) and bool(keypoints[:, 2].any())


def all_pairs(annotated: Mapping[str, np.ndarray], dataset: str) -> PairList:
    """Returns all ordered pairs of different valid photos of one person.

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
    return PairList.within(groups.values())


def sample(pairs: Sequence[Pair], count: int, seed: int) -> PairList:
    """Draws pairs without replacement, in drawn order, exactly as `DataFrame.sample` of
    pandas.

    Args:
        pairs: the pool.
        count: how many to draw at most; a smaller pool is returned whole, shuffled.
        seed: pandas' `random_state`.
    """
    # RandomState.choice without replacement is the head of its permutation.
    order = pair_list.random_order(len(pairs), seed)
    return PairList.of(pairs).take(order[np.arange(min(count, len(pairs)))])


def train_pairs(
    annotated: Mapping[str, np.ndarray], dataset: str, max_pairs: int | None, seed: int
) -> PairList:
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
) -> PairList:
    """Returns the test list: `max_pairs` pairs drawn by seed (default 12,000; seed 0 is
    the published list)."""
    return sample(
        all_pairs(annotated, dataset),
        MAX_TEST_PAIRS if max_pairs is None else max_pairs,
        seed,
    )


def unused(
    annotated: Mapping[str, np.ndarray],
    pairs: Sequence[Pair],
    dataset: str,
    protocol: str = "field",
) -> collections.Counter[str]:
    """Counts the annotated photos that are in no pair, by reason.

    Args:
        annotated: photo name -> [18, 3].
        pairs: the pairs.
        dataset: one of `DATASETS`.
        protocol: one of `PROTOCOLS`; decides what a usable photo is.
    """
    used = set(PairList.of(pairs).used())
    paired = [
        name
        for name, keypoints in annotated.items()
        if usable(name, keypoints, dataset, protocol)
    ]
    photos_of = collections.Counter(identity_of(name, dataset) for name in paired)
    counts: collections.Counter[str] = collections.Counter()
    for name in annotated.keys() - used:
        if is_junk(name, dataset):
            counts["junk or distractor by name"] += 1
        elif not usable(name, annotated[name], dataset, protocol):
            counts[_UNUSABLE[protocol]] += 1
        elif photos_of[identity_of(name, dataset)] == 1:
            counts["the only usable photo of the person"] += 1
        else:
            counts["in none of the listed pairs"] += 1
    return counts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Which list to write."""

    dataset: str = option("market1501", DATASETS)
    """How photo names give identities."""
    pair_protocol: str = option("field", PROTOCOLS)
    """Whose pairs: those that later papers share, or those of PG2's own program
    (data_prep/pairs/pg2_protocol.py)."""
    photos: str = option("", path=True)
    """Folder of the split's photos; of a folder of people, <person>/<photo>.
    --pair_protocol=pg2 shuffles all of them, by default those that --annotations names;
    MATLAB files need it for names."""
    annotations: str = option("", path=True, required=True)
    """Keypoint file in any format that pg2_jax.keypoints reads."""
    split: str = option(None, ("train", "test"), required=True)
    """train: all pairs; test: a seeded sample."""
    output: str = option("", path=True, required=True)
    """Where to write the list, a csv with the header from,to."""
    on_error: str = option("fail", ("fail", "skip"))
    """fail: list all bad rows, write nothing. skip: leave them out."""
    overwrite: bool = option(False)
    """Replace --output if it is there."""
    max_pairs: int | None = option(None, minimum=1)
    """At most so many pairs (default: train all, test 12000; with --pair_protocol=pg2
    12800 of market1501 and all of deepfashion)."""
    seed: int = option(0, minimum=0, maximum=command_line.MAX_SEED)
    """Seed of the sample; 0 gives the published test list."""


def main(words: Sequence[str]) -> int:
    """Writes the list that the flags ask for; returns the exit code."""
    return command_line.run(words, Options, _write_list, __doc__)


def _write_list(args: Options) -> str:
    """Does what the flags ask for and says what was written."""
    from data_prep.pairs import pair_choice, pair_files
    from data_prep.records import summary  # They build on this module.

    source, output = args.annotations, args.output
    command_line.check_output(
        "--output", pathlib.Path(output), overwrite=args.overwrite
    )
    problems = summary.Problems(skip=args.on_error == "skip")
    photos, annotated = _read(source, args, problems.rows)
    problems.check()
    choice = pair_choice.PairChoice(
        (), args.max_pairs, args.max_pairs, args.seed, args.pair_protocol
    )
    pairs = pair_choice.by_protocol(choice, args.split, annotated, photos, args.dataset)
    choice.check_not_empty(args.split, pairs)
    pair_files.write_csv(output, pairs)
    used = len({name for pair in pairs for name in pair})
    lines = [
        f"{output}: {len(pairs):,} pairs of {used:,} of {len(annotated):,} annotated "
        "photos"
    ]
    return "\n".join([*lines, *[f"  left out: {row}" for row in problems.rows]])


def _read(
    source: str, args: Options, problems: list[str]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Returns the names of the split's photos, and the keypoints of the annotated."""
    from data_prep.sources import photo_names, readers  # It builds on this module.

    if not args.photos:
        annotated = keypoint_files.read(source, problems)
        return list(annotated), annotated
    folder = pathlib.Path(args.photos)
    photos = readers.names_in(folder, args.dataset, "--photos")
    known = photo_names.PhotoNames(photos, photo_names.simplifier(args.dataset))
    placed = keypoint_files.read_placed(source, problems, photos=photos)
    return photos, photo_names.match(placed, known, problems)
