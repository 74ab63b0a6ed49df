"""The options of build_tfrecords.py: each a field, a flag and a line of its help."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from absl import flags

from data_prep import command_line
from data_prep.pairs import identity
from data_prep.sources import deepfashion_photos, readers
from pg2_jax import files
from pg2_jax.estimators import registry
from pg2_jax.photos import crop

_DEFAULT_SIZE = "128x64"
DATASETS = (*readers.READERS, "pg2_tfrecords", "synthetic")


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
        choices=registry.NAMES,
    )
    model: str = _option(
        "", "The estimator's model file; default: the published one, downloaded once."
    )
    output_dir: str = _option(
        "", "Folder for the records; must not exist, or be empty."
    )
    annotations: Sequence[str] = _option(
        (),
        "Keypoint files in any format that pg2_jax.keypoints reads, default those "
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
        "256x256. The networks here train any size from a height of 32 on.",
    )
    fit: str | None = _option(
        None,
        "How photos and their keypoints get that size; default: crop with --photos, "
        "none with --source_dir. none: others are refused. "
        "stretch: resampled, whatever their shape. letterbox: the whole photo, as "
        "large as fits. crop: the box around the keypoints and a --margin, grown to "
        "the shape of --image_size. What a letterbox, or a crop that leaves its photo, "
        "does not fill repeats the pixels of the edge. Not for deepfashion.",
        choices=crop.RULES,
    )
    margin: float = _option(
        crop.MARGIN,
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
        "(data_prep/pairs/pg2_protocol.py).",
        choices=identity.PROTOCOLS,
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


def check_used(options: Options) -> None:
    """Refuses options that would be ignored.

    Raises:
        ValueError: naming the option, its value and what it does not go with.
    """
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


def image_size(options: Options) -> tuple[int, int]:
    """Returns (height, width) of the photos in the records.

    Raises:
        ValueError: --image_size is not a size that is possible.
    """
    fashion = options.dataset == "deepfashion"
    default = deepfashion_photos.DEFAULT_SIZE if fashion else _DEFAULT_SIZE
    text = options.image_size or default
    height, width = files.parse_size("image_size", text)
    if min(height, width) < 8 or max(height, width) > 4096:
        raise ValueError(f"--image_size={text}: each side must be from 8 to 4096")
    if (
        options.dataset == "deepfashion"
        and not width <= height <= deepfashion_photos.CANVAS
    ):
        raise ValueError(
            f"--image_size={text}: DeepFashion's photos are at most 256 high, and not "
            "wider than high"
        )
    return height, width
