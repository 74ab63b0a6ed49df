r"""Turns photos and keypoints into TFRecords.

    python data_prep/build_tfrecords.py --dataset=market1501 \
        --source_dir=Market-1501 --output_dir=data/market
    python data_prep/build_tfrecords.py --dataset=folder --fit=crop \
        --source_dir=people --output_dir=data/people
    python data_prep/build_tfrecords.py --dataset=synthetic --output_dir=data/synthetic

market1501 reads bounding_box_train, bounding_box_test and the annotation files
market-annotation-train.csv and market-annotation-test.csv. deepfashion reads train and
test, or img or img_highres as downloaded, with fasion-annotation-*.csv or
fasion-resize-annotation-*.csv (data_prep/deepfashion.py says how photos are fitted).
folder reads <person>/<photo> and one annotation file with these names, or estimates the
keypoints when there is none. pg2_tfrecords reads the TFRecords of PG2's authors.
synthetic draws people first.
Everything is read and checked before anything is written; the data set appears in
--output_dir whole or not at all.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags, logging

if (
    __name__ == "__main__"
):  # Run as a script, python puts this folder on the path, not its parent.
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import (
    command_line,
    conversion,
    deepfashion,
    estimators,
    framing,
    output_folder,
    pair_choice,
    pg2_records,
    sources,
    summary,
)
from data_prep import pairs as pairs_lib
from data_prep.pair_list import PairList
from pg2_jax import files

_DEFAULT_SIZE = "128x64"
DATASETS = (*sources.READERS, "pg2_tfrecords", "synthetic")


def _option(default: Any, text: str, **constraints: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": text, **constraints})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to convert and how; each field is a flag."""

    dataset: str = _option(
        "market1501", "Layout of the source, or people to draw.", choices=DATASETS
    )
    source_dir: str = _option(
        "",
        "Folder of the data set; for synthetic, where to keep the photos (optional).",
    )
    photos: str = _option(
        "",
        "For folder, another name of --source_dir: photos as <person>/<photo>. Without "
        "annotations their keypoints are estimated first and kept there, in "
        "annotations.csv.",
    )
    estimator: str = _option(
        "mediapipe",
        "What estimates keypoints; see estimate_keypoints.py.",
        choices=estimators.NAMES,
    )
    model: str = _option(
        "", "The estimator's model file; default: the published one, downloaded once."
    )
    output_dir: str = _option(
        "", "Folder for the records; must not exist, or be empty."
    )
    annotations: Sequence[str] = _option(
        (),
        "Keypoint files in any format that data_prep.annotations reads, default those "
        "in --source_dir: TRAIN,TEST for market1501 (market-annotation-*.csv) and "
        "deepfashion, one for folder (annotations.csv).",
    )
    annotation_size: str = _option(
        "",
        "deepfashion: HEIGHTxWIDTH of the photos that keypoints were found in, "
        "256x256, 256x176 or 1101x750; by default as the published names say.",
    )
    image_size: str = _option(
        "",
        "HEIGHTxWIDTH of the photos in the records, default 128x64, for deepfashion "
        "256x256. The networks here train sizes that they can halve often enough: "
        "multiples of 16 at heights 128 to 255, of 32 at 256 to 511; so 256x256 and "
        "256x192, but not 256x176.",
    )
    fit: str | None = _option(
        None,
        "How photos and their keypoints get that size; default: crop with --photos, "
        "none with --source_dir. none: others are refused. "
        "stretch: resampled, whatever their shape. letterbox: the whole photo, as "
        "large as fits. crop: the box around the keypoints and a --margin, grown to "
        "the shape of --image_size. What a letterbox, or a crop that leaves its photo, "
        "does not fill repeats the pixels of the edge. Not for deepfashion.",
        choices=framing.RULES,
    )
    margin: float = _option(
        framing.MARGIN,
        "For --fit=crop: room on every side, as a share of the longer side of the box "
        "around the keypoints.",
        lower_bound=0.0,
        upper_bound=2.0,
    )
    pairs: Sequence[str] = _option(
        (),
        "Published pair lists TRAIN,TEST (csv with the header from,to, or NTED's text "
        "files *.txt) to use instead of the protocol's pairs; either may be left "
        "empty.",
    )
    max_train_pairs: int | None = _option(
        None, "At most so many training pairs, drawn by --seed.", lower_bound=1
    )
    max_test_pairs: int | None = _option(
        None,
        "At most so many test pairs, drawn by --seed; default 12000, with "
        "--pair_protocol=pg2 12800 of market1501 and all of others.",
        lower_bound=1,
    )
    pair_protocol: str = _option(
        "field",
        "Whose pairs: those that later papers share, or those of PG2's own program "
        "(data_prep/pg2_protocol.py).",
        choices=pairs_lib.PROTOCOLS,
    )
    test_fraction: float = _option(
        0.1,
        "Share of the people of a folder who are kept for testing.",
        lower_bound=0.0,
        upper_bound=0.9,
    )
    seed: int = _option(
        0,
        "Seed of every draw; 0 gives the published test list.",
        lower_bound=0,
        upper_bound=command_line.MAX_SEED,
    )
    on_error: str = _option(
        "fail",
        "fail: list all bad rows and photos, write nothing. skip: leave them out.",
        choices=("fail", "skip"),
    )
    overwrite: bool = _option(
        False, "Replace --output_dir if it holds a data set written by this program."
    )
    train_identities: int = _option(
        60, "Synthetic: people for training.", lower_bound=1
    )
    test_identities: int = _option(
        12, "Synthetic: other people for testing.", lower_bound=1
    )
    images_per_identity: int = _option(
        12, "Synthetic: photos of each person.", lower_bound=2
    )
    beam_pipeline_options: Sequence[str] = _option(
        (),
        "Write the records on Apache Beam, with these options of its own, such as "
        "runner=FlinkRunner,flink_master=HOST:8081; the files are the same. All "
        "workers must see --output_dir, or --beam_shared_dir.",
    )
    beam_shared_dir: str = _option(
        "",
        "Folder through which Beam's workers get the photos and give back the records "
        "when they do not see --output_dir, such as gs://BUCKET/FOLDER.",
    )
    workers: int = _option(
        0,
        "Processes that draw synthetic people or estimate keypoints; 0 means one per "
        "core.",
        lower_bound=0,
    )


_DEFINE: dict[Any, Any] = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    int | None: flags.DEFINE_integer,
    str: flags.DEFINE_string,
    Sequence[str]: flags.DEFINE_list,
}


def define_flags(values: flags.FlagValues) -> None:
    """Defines one flag per field of `Options`."""
    for field in dataclasses.fields(Options):
        constraints = dict(field.metadata)
        text, choices = constraints.pop("help"), constraints.pop("choices", None)
        default: Any = field.default
        if choices:
            flags.DEFINE_enum(field.name, default, choices, text, values)
        else:
            define = _DEFINE[field.type]
            define(field.name, default, text, flag_values=values, **constraints)


def build(options: Options) -> summary.Summary:
    """Converts a data set.

    Args:
        options: what and how.

    Returns:
        What was written and what was left out.

    Raises:
        ValueError: an option, or the source: every bad row and photo (unless on_error
        is skip). OSError: a file cannot be read or written.
    """
    image_size(options)
    _check_used(options)
    if not options.output_dir:
        raise ValueError("--output_dir is missing: where shall the records go?")
    # Behind a symbolic link the data go where it points; renaming would replace it.
    output_dir = pathlib.Path(os.path.realpath(options.output_dir))
    problems = summary.Problems(skip=options.on_error == "skip")
    with output_folder.staging(output_dir) as stage:
        output_folder.check(output_dir, overwrite=options.overwrite)
        read = _read_records if options.dataset == "pg2_tfrecords" else _read_source
        splits, lists, rules = read(options, stage, problems.rows)
        built, written = conversion.convert(stage, splits, lists, rules, problems)
        output_folder.publish(built, output_dir, stage, overwrite=options.overwrite)
    return written


def _check_used(options: Options) -> None:
    """Refuses options that would be ignored."""
    dataset, lists = f"--dataset={options.dataset}", ",".join(options.pairs)
    records = options.dataset == "pg2_tfrecords"
    both_lists = bool(options.pairs) and all(options.pairs)
    protocol = "" if options.pair_protocol == "field" else options.pair_protocol
    own = "the records hold their own"
    fitted = options.dataset == "deepfashion"
    for applies, name, value, other, reason in (
        (records, "annotations", ",".join(options.annotations), dataset, own),
        (records, "pairs", lists, dataset, own),
        (records, "pair_protocol", protocol, dataset, "the records hold their pairs"),
        (
            both_lists,
            "pair_protocol",
            protocol,
            f"--pairs={lists}",
            "both lists are given",
        ),
        *(
            (
                bool(options.pairs and options.pairs[place]),
                f"max_{split}_pairs",
                getattr(options, f"max_{split}_pairs"),
                f"--pairs={lists}",
                "the list is taken row by row",
            )
            for place, split in enumerate(("train", "test"))
            if place < len(options.pairs)
        ),
        (fitted, "fit", options.fit, dataset, "its photos are fitted by its own rules"),
        (
            not fitted,
            "annotation_size",
            options.annotation_size,
            dataset,
            "only DeepFashion's keypoints are those of photos of several sizes",
        ),
    ):
        if applies and value:
            raise ValueError(f"--{name}={value} does not go with {other}: {reason}")


_Source = tuple[Mapping[str, sources.Split], Mapping[str, PairList], conversion.Rules]


def _read_source(options: Options, stage: pathlib.Path, problems: list[str]) -> _Source:
    """Reads the annotations of a data set, or draws people first, and lists pairs."""
    synthetic = options.dataset == "synthetic"
    size = image_size(options)
    source_dir = _synthesize(options, stage, *size) if synthetic else _source(options)
    layout = "market1501" if synthetic else options.dataset
    request = sources.Request(
        source_dir=source_dir,
        annotation_files=[pathlib.Path(file) for file in options.annotations],
        split_people=not options.pairs,
        test_fraction=options.test_fraction,
        seed=options.seed,
        pair_protocol=options.pair_protocol,
        annotation_size=(
            files.parse_size("annotation_size", options.annotation_size)
            if options.annotation_size
            else None
        ),
    )
    splits = sources.read(layout, request, problems)
    choice = pair_choice.PairChoice(
        options.pairs,
        options.max_train_pairs,
        options.max_test_pairs,
        options.seed,
        options.pair_protocol,
    )
    lists = pair_choice.list_pairs(choice, splits, layout, problems)
    return splits, lists, _rules(options, layout, size, choice)


def _read_records(
    options: Options, stage: pathlib.Path, problems: list[str]
) -> _Source:
    """Takes pairs, photos and keypoints out of the records of PG2's authors."""
    found = pg2_records.extract(_source(options), stage, problems)
    caps = {"train": options.max_train_pairs, "test": options.max_test_pairs}
    lists = {
        split: PairList.of(listed[: caps[split]])
        for split, listed in found.lists.items()
    }
    if options.max_train_pairs and "train" in lists:
        # The mirrored pairs come first in their records.
        lists["train"] = pairs_lib.sample(
            found.lists["train"], options.max_train_pairs, options.seed
        )
    choice = pair_choice.PairChoice(found.files, None, None, options.seed)
    size = image_size(options) if options.image_size else found.size
    return found.splits, lists, _rules(options, pg2_records.LAYOUT, size, choice)


def _rules(
    options: Options, layout: str, size: tuple[int, int], choice: pair_choice.PairChoice
) -> conversion.Rules:
    return conversion.Rules(
        name=options.dataset,
        dataset=layout,
        height=size[0],
        width=size[1],
        fit=options.fit or ("crop" if options.photos else "none"),
        margin=options.margin,
        seed=options.seed,
        choice=choice,
        read_photo=deepfashion.read_photo if layout == "deepfashion" else None,
        beam_pipeline_options=options.beam_pipeline_options,
        beam_shared_dir=options.beam_shared_dir,
    )


def image_size(options: Options) -> tuple[int, int]:
    """Returns (height, width) of the photos in the records.

    Raises:
        ValueError: --image_size is not a size that is possible.
    """
    default = (
        deepfashion.DEFAULT_SIZE if options.dataset == "deepfashion" else _DEFAULT_SIZE
    )
    text = options.image_size or default
    height, width = files.parse_size("image_size", text)
    if min(height, width) < 8 or max(height, width) > 4096:
        raise ValueError(f"--image_size={text}: each side must be from 8 to 4096")
    if options.dataset == "deepfashion" and not width <= height <= deepfashion.CANVAS:
        raise ValueError(
            f"--image_size={text}: DeepFashion's photos are at most 256 high, and not "
            "wider than high"
        )
    return height, width


def _source(options: Options) -> pathlib.Path:
    if options.photos and (options.source_dir or options.dataset != "folder"):
        raise ValueError(
            f"--photos={options.photos} is --source_dir of --dataset=folder; give one "
            "of them"
        )
    source_dir = options.source_dir or options.photos
    if not source_dir:
        raise ValueError(
            f"--source_dir is missing: where is the {options.dataset} data set?"
        )
    folder = pathlib.Path(source_dir)
    output = folder / sources.FOLDER_ANNOTATIONS
    if options.dataset == "folder" and not options.annotations and not output.exists():
        from data_prep import estimation

        estimating = estimation.Options(
            output=output,
            estimator=options.estimator,
            model=options.model,
            skip=options.on_error == "skip",
            workers=options.workers,
        )
        print(estimation.annotate_people(folder, estimating))
    return folder


def _synthesize(
    options: Options, stage: pathlib.Path, height: int, width: int
) -> pathlib.Path:
    """Draws people into --source_dir, or into the temporary folder when none is
    given."""
    from data_prep import synthesize_people

    folder = (
        pathlib.Path(options.source_dir) if options.source_dir else stage / "people"
    )
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"--source_dir={folder} is not empty; to convert what it holds, use "
            "--dataset=market1501"
        )
    synthesize_people.synthesize(
        folder,
        train_identities=options.train_identities,
        test_identities=options.test_identities,
        images_per_identity=options.images_per_identity,
        height=height,
        width=width,
        seed=options.seed,
        workers=options.workers,
    )
    return folder


def read_options(values: flags.FlagValues) -> Options:
    """Returns what the flags say, with `~` in paths replaced."""
    found: dict[str, Any] = {
        field.name: values[field.name].value for field in dataclasses.fields(Options)
    }
    for name in ("source_dir", "photos", "model", "output_dir"):
        found[name] = command_line.expand(found[name])
    for name in ("annotations", "pairs"):
        found[name] = [command_line.expand(path) for path in found[name]]
    return Options(**found)


def main(argv: list[str]) -> int:
    """Converts what the flags ask for and prints a summary; returns the exit code."""
    logging.set_verbosity(logging.WARNING)  # TFDS logs every slice that it reads.
    options = read_options(flags.FLAGS)
    folder = pathlib.Path(options.output_dir)
    return command_line.run(argv, lambda: _build_and_tell(options, folder))


def _build_and_tell(options: Options, folder: pathlib.Path) -> str:
    from pg2_jax import models  # Imports jax: a second that --help need not cost.

    height, width = image_size(options)
    try:
        models.Architecture(image_height=height, image_width=width)
    except ValueError as error:
        print(
            f"note: these records are not for training here: {error}", file=sys.stderr
        )
    return build(options).text(folder) + _hint(options)


def _hint(options: Options) -> str:
    """Where a folder's estimation says why photos have no keypoints."""
    from data_prep import photo_list

    people = pathlib.Path(options.source_dir or options.photos)
    csv = people / sources.FOLDER_ANNOTATIONS
    report = csv.with_name(f"{csv.stem}{photo_list.REPORT}")
    if options.dataset != "folder" or not report.exists():
        return ""
    return (
        f"\n  photo by photo, what the estimation found: {report}; photos that came "
        f"later need: estimate_keypoints.py --photos={people} --output={csv} "
        "--overwrite"
    )


if __name__ == "__main__":
    # The picture of the pairs is drawn with the library's own pose code; it needs no
    # accelerator.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # What tensorflow says of its kernels at import hides the progress and the summary.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    define_flags(flags.FLAGS)
    command_line.start(main)
