r"""Writes the list of the pairs that a protocol makes of annotated photos.

    python -m data_prep.pairs --dataset=market1501 --annotations=CSV --split=train \
        --output=pairs.csv
"""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

import numpy as np

from data_prep import build_options, command_line
from data_prep.flag_fields import option
from data_prep.pairs import identity, pair_choice, pair_files
from data_prep.records import summary
from data_prep.sources import photo_names, split
from pg2_jax.errors import counted
from pg2_jax.keypoints import MIN_CONFIDENCE, keypoint_files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    dataset: str = option("market1501", identity.DATASETS)
    """Says how the names of photos give identities."""
    pair_protocol: str = option("field", identity.PROTOCOLS)
    """field: the pairs that later papers use. pg2: the pairs of PG2's own program
    (data_prep/pairs/pg2_protocol.py)."""
    photos: str = option("", path=True)
    """Folder of the split's photos; for a folder of people, <person>/<photo>.
    --pair_protocol=pg2 shuffles all of them; its default is the photos in
    --annotations. MATLAB files need it for names."""
    annotations: str = option("", path=True, required=True)
    """Keypoint file in any format that pg2_jax.keypoints reads."""
    min_confidence: float = option(MIN_CONFIDENCE, minimum=0, maximum=1)
    """Points of an estimator's file with a lower confidence count as missing."""
    split: str = option(None, ("train", "test"), required=True)
    """train: all pairs. test: a random sample by --seed."""
    output: str = option("", path=True, required=True)
    """Where to write the list, a csv with the header from,to."""
    on_error: str = option("fail", ("fail", "skip"))
    """fail: lists all bad rows and writes nothing. skip: leaves them out and lists
    them."""
    overwrite: bool = option(False)
    """Replaces --output if it exists."""
    max_pairs: int | None = option(None, minimum=1)
    """Most pairs. Default: all for train, 12000 for test; with --pair_protocol=pg2,
    12800 for market1501 and all for deepfashion."""
    seed: int = option(0, minimum=0, maximum=command_line.MAX_SEED)
    """Seed of the sample; 0 gives the published test list."""


def main(words: Sequence[str]) -> int:
    return command_line.run(words, Options, _write_list, __doc__)


def _write_list(options: Options) -> str:
    output = pathlib.Path(options.output)
    command_line.check_file("--output", output, overwrite=options.overwrite)
    problems = summary.Problems(skip=options.on_error == "skip")
    photos, annotated = _read(options, problems.rows)
    problems.check()
    choice = build_options.Options(
        max_train_pairs=options.max_pairs,
        max_test_pairs=options.max_pairs,
        seed=options.seed,
        pair_protocol=options.pair_protocol,
    )
    pairs = pair_choice.by_protocol(
        choice, options.split, annotated, photos, options.dataset
    )
    pair_choice.check_not_empty(choice, options.split, pairs)
    pair_files.write_csv(options.output, pairs)
    written = (
        f"{options.output}: {counted(len(pairs), 'pair')} of {len(pairs.used()):,} of "
        f"{counted(len(annotated), 'annotated photo')}"
    )
    return "\n".join([written, *[f"  left out: {row}" for row in problems.rows]])


def _read(
    options: Options, problems: list[str]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Returns the names of the split's photos, and the keypoints of the annotated."""
    photos = None
    if options.photos:
        folder = pathlib.Path(options.photos)
        photos = split.names_in(folder, options.dataset, "--photos")
    placed = keypoint_files.read_placed(
        options.annotations,
        problems,
        photos=photos,
        min_confidence=options.min_confidence,
    )
    photos = photos or list(placed)
    known = photo_names.PhotoNames(photos, options.dataset)
    matched = photo_names.match(placed, known, problems)
    return photos, {name: pose.keypoints for name, pose in matched.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
