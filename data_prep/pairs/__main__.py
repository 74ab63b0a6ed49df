r"""Writes the list of the pairs that a protocol makes of annotated photos.

    python -m data_prep.pairs --dataset=market1501 --annotations=CSV --split=train \
        --output=pairs.csv
"""

import pathlib

import numpy as np
from absl import flags

from data_prep import command_line
from data_prep.pairs import identity, pair_choice, pair_files
from data_prep.records import summary
from data_prep.sources import photo_names, split
from pg2_jax.keypoints import keypoint_files


def define_flags() -> None:
    """Defines the flags of `main`."""
    flags.DEFINE_enum(
        "dataset", "market1501", identity.DATASETS, "How photo names give identities."
    )
    flags.DEFINE_enum(
        "pair_protocol",
        "field",
        identity.PROTOCOLS,
        "Whose pairs: those that later papers share, or those of PG2's own program "
        "(data_prep/pairs/pg2_protocol.py).",
    )
    flags.DEFINE_string(
        "photos",
        "",
        "Folder of the split's photos; of a folder of people, <person>/<photo>. "
        "--pair_protocol=pg2 shuffles all of them, by default those that --annotations "
        "names; MATLAB files need it for names.",
    )
    flags.DEFINE_string(
        "annotations", None, "Keypoint file in any format that pg2_jax.keypoints reads."
    )
    flags.DEFINE_enum(
        "split", None, ("train", "test"), "train: all pairs; test: a seeded sample."
    )
    flags.DEFINE_string(
        "output", None, "Where to write the list, a csv with the header from,to."
    )
    flags.DEFINE_enum(
        "on_error",
        "fail",
        ("fail", "skip"),
        "fail: list all bad rows, write nothing. skip: leave them out.",
    )
    flags.DEFINE_boolean("overwrite", False, "Replace --output if it is there.")
    flags.DEFINE_integer(
        "max_pairs",
        None,
        "At most so many pairs (default: train all, test 12000; with "
        "--pair_protocol=pg2 12800 of market1501 and all of deepfashion).",
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
    output = command_line.expand(args.output)
    command_line.check_output(
        "--output", pathlib.Path(output), overwrite=args.overwrite
    )
    problems = summary.Problems(skip=args.on_error == "skip")
    photos, annotated = _read(args, problems.rows)
    problems.check()
    choice = pair_choice.PairChoice(
        (), args.max_pairs, args.max_pairs, args.seed, args.pair_protocol
    )
    pairs = pair_choice.by_protocol(choice, args.split, annotated, photos, args.dataset)
    choice.check_not_empty(args.split, pairs)
    pair_files.write_csv(output, pairs)
    written = (
        f"{output}: {len(pairs):,} pairs of {len(pairs.used()):,} of "
        f"{len(annotated):,} annotated photos"
    )
    return "\n".join([written, *[f"  left out: {row}" for row in problems.rows]])


def _read(
    args: flags.FlagValues, problems: list[str]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Returns the names of the split's photos, and the keypoints of the annotated."""
    source = command_line.expand(args.annotations)
    if not args.photos:
        annotated = keypoint_files.read(source, problems)
        return list(annotated), annotated
    folder = pathlib.Path(command_line.expand(args.photos))
    photos = split.names_in(folder, args.dataset, "--photos")
    known = photo_names.PhotoNames(photos, args.dataset)
    placed = keypoint_files.read_placed(source, problems, photos=photos)
    return photos, photo_names.match(placed, known, problems)


if __name__ == "__main__":
    define_flags()
    command_line.start(main)
