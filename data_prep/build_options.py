"""The flags of build_tfrecords.py, and which of them go together."""

import dataclasses
import functools
from collections.abc import Sequence

from data_prep import command_line
from data_prep.flag_fields import option
from data_prep.pairs import identity
from data_prep.sources import deepfashion_photos
from pg2_jax import files, keypoints
from pg2_jax.estimators import base
from pg2_jax.photos import crop

_DEFAULT_SIZE = "128x64"
DATASETS = (*identity.DATASETS, "pg2_tfrecords", "synthetic")

_source = functools.partial(option, group="Source")
_photos = functools.partial(option, group="Photos")
_pairs = functools.partial(option, group="Pairs")
_estimation = functools.partial(option, group="Keypoint estimation")
_synthetic = functools.partial(option, group="Synthetic people")
_output = functools.partial(option, group="Output")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to convert and how."""

    dataset: str = _source("market1501", DATASETS)
    """Layout of the source, or synthetic people."""
    source_dir: str = _source("", path=True)
    """Folder of the data set; for synthetic, where to keep the photos (optional)."""
    photos: str = _source("", path=True)
    """For folder, another name of --source_dir: photos as <person>/<photo>. Without
    annotations their keypoints are estimated first and kept there, in
    annotations.csv."""
    annotations: Sequence[str] = _source((), path=True)
    """Keypoint files in any format that pg2_jax.keypoints reads, default those in
    --source_dir: TRAIN,TEST for market1501 (market-annotation-*.csv) and deepfashion,
    one for folder (annotations.csv)."""
    min_confidence: float = _source(keypoints.MIN_CONFIDENCE, minimum=0, maximum=1)
    """Points that an estimator's file in --annotations is less sure of count as
    missing."""
    annotation_size: str = _source("")
    """deepfashion: HEIGHTxWIDTH of the photos that keypoints were found in, 256x256,
    256x176 or 1101x750; by default as the published names say."""

    image_size: str = _photos("")
    """HEIGHTxWIDTH of the photos in the records, default 128x64, for deepfashion
    256x256. The networks here train any size from a height of 32 on."""
    fit: str | None = _photos(None, crop.RULES)
    """How photos and their keypoints get that size; default: crop with --photos, none
    with --source_dir. none: others are refused. stretch: resampled, whatever their
    shape. letterbox: the whole photo, as large as fits. crop: the box around the
    keypoints and a --margin, grown to the shape of --image_size. What a letterbox, or a
    crop that leaves its photo, does not fill repeats the pixels of the edge. Not for
    deepfashion."""
    margin: float = _photos(crop.MARGIN, minimum=0, maximum=2)
    """For --fit=crop: room on every side, as a share of the longer side of the box
    around the keypoints."""

    pairs: Sequence[str] = _pairs((), path=True)
    """Published pair lists TRAIN,TEST (csv with the header from,to, or NTED's text
    files *.txt) to use instead of the protocol's pairs; either may be left empty."""
    max_train_pairs: int | None = _pairs(None, minimum=1)
    """At most so many training pairs, chosen by --seed."""
    max_test_pairs: int | None = _pairs(None, minimum=1)
    """At most so many test pairs, chosen by --seed; default 12000, with
    --pair_protocol=pg2 12800 of market1501 and all of others."""
    pair_protocol: str = _pairs("field", identity.PROTOCOLS)
    """Whose pairs: those that later papers share, or those of PG2's own program
    (data_prep/pairs/pg2_protocol.py)."""
    test_fraction: float = _pairs(0.1, minimum=0, maximum=0.9)
    """Share of the people of a folder who are kept for testing."""
    seed: int = _pairs(0, minimum=0, maximum=command_line.MAX_SEED)
    """Seed of every random choice; 0 gives the published test list."""

    estimator: str = _estimation("mediapipe", base.NAMES)
    """What estimates keypoints; see estimate_keypoints.py."""
    model: str = _estimation("", path=True)
    """The estimator's model file; default: the published one, downloaded once."""

    train_identities: int = _synthetic(60, minimum=1)
    """People for training."""
    test_identities: int = _synthetic(12, minimum=1)
    """Other people for testing."""
    images_per_identity: int = _synthetic(12, minimum=2)
    """Photos of each person."""

    output_dir: str = _output("", path=True)
    """Folder for the records; must not exist, or be empty."""
    overwrite: bool = _output(False)
    """Replace --output_dir if it holds a data set written by this program."""
    on_error: str = _output("fail", ("fail", "skip"))
    """fail: list all bad rows and photos, write nothing. skip: leave them out."""
    workers: int = _output(0, minimum=0)
    """Processes that generate synthetic people or estimate keypoints; 0 means one per
    core."""
    beam_pipeline_options: Sequence[str] = _output(())
    """Write the records on Apache Beam, with these options of its own, such as
    runner=FlinkRunner,flink_master=HOST:8081; the files are the same. All workers must
    see --output_dir, or --beam_shared_dir."""
    beam_shared_dir: str = _output("")
    """Folder through which Beam's workers get the photos and give back the records when
    they do not see --output_dir, such as gs://BUCKET/FOLDER."""


def check_used(options: Options) -> None:
    """Refuses flags that would be ignored."""
    dataset = f"--dataset={options.dataset}"
    if options.dataset == "pg2_tfrecords":
        for name in ("annotations", "pairs", "pair_protocol"):
            _refuse(options, name, dataset, "the records hold their own")
    if options.dataset == "deepfashion":
        _refuse(options, "fit", dataset, "its photos are fitted by its own rules")
    else:
        why = "only DeepFashion's keypoints are those of photos of several sizes"
        _refuse(options, "annotation_size", dataset, why)
    lists = f"--pairs={','.join(options.pairs)}"
    if options.pairs and all(options.pairs):
        _refuse(options, "pair_protocol", lists, "both lists are given")
    limits = ("max_train_pairs", "max_test_pairs")
    for path, name in zip(options.pairs, limits, strict=False):
        if path:
            _refuse(options, name, lists, "the list is taken row by row")


def _refuse(options: Options, name: str, other: str, reason: str) -> None:
    """Refuses a value that is not the default."""
    value = getattr(options, name)
    if value and value != getattr(Options, name):
        text = ",".join(value) if isinstance(value, list | tuple) else value
        raise ValueError(f"--{name}={text} does not go with {other}: {reason}")


def image_size(options: Options) -> tuple[int, int]:
    """(height, width) of the photos in the records."""
    fashion = options.dataset == "deepfashion"
    default = deepfashion_photos.DEFAULT_SIZE if fashion else _DEFAULT_SIZE
    text = options.image_size or default
    height, width = files.parse_size("image_size", text)
    if min(height, width) < 8 or max(height, width) > 4096:
        raise ValueError(f"--image_size={text}: each side must be from 8 to 4096")
    if fashion and not width <= height <= deepfashion_photos.CANVAS:
        raise ValueError(
            f"--image_size={text}: DeepFashion's photos are at most 256 high, and not "
            "wider than high"
        )
    return height, width
