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
from pg2_jax.input_pipeline import cloud_files
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
    dataset: str = _source("market1501", DATASETS)
    """Layout of the source, or synthetic people."""
    source_dir: str = _source("", path=True)
    """Folder of the data set; for synthetic, where to keep the photos (optional)."""
    photos: str = _source("", path=True)
    """For --dataset=folder, another name of --source_dir: photos as
    <person>/<photo>. If there are no annotations, the keypoints are estimated first
    and saved there as annotations.csv."""
    annotations: Sequence[str] = _source((), path=True)
    """Keypoint files in any format that pg2_jax.keypoints reads. Default: those in
    --source_dir, TRAIN,TEST for market1501 (market-annotation-*.csv) and
    deepfashion, one file for folder (annotations.csv)."""
    min_confidence: float = _source(keypoints.MIN_CONFIDENCE, minimum=0, maximum=1)
    """Points of an estimator's file with a lower confidence count as missing."""
    annotation_size: str = _source("")
    """deepfashion: HEIGHTxWIDTH of the photos that the keypoints belong to:
    256x256, 256x176 or 1101x750. Default: by the name of the published file."""

    image_size: str = _photos("")
    """HEIGHTxWIDTH of the photos in the records. Default: 128x64, for deepfashion
    256x256. The networks train any size with a height of at least 32."""
    fit: str | None = _photos(None, crop.RULES)
    """How photos and their keypoints are brought to that size. Default: crop with
    --photos, none with --source_dir. none: photos of another size are refused.
    stretch: resampled, whatever their proportions. letterbox: the whole photo, as
    large as fits. crop: the box around the keypoints plus a --margin, grown to the
    proportions of --image_size. Empty areas repeat the pixels at the edge. Not for
    deepfashion."""
    margin: float = _photos(crop.MARGIN, minimum=0, maximum=2)
    """For --fit=crop: free space on every side, as a share of the longer side of
    the box around the keypoints."""

    pairs: Sequence[str] = _pairs((), path=True)
    """Published pair lists TRAIN,TEST to use in place of the protocol's pairs: csv
    with the header from,to, or NTED's text files *.txt. Either may be empty."""
    max_train_pairs: int | None = _pairs(None, minimum=1)
    """Most training pairs; --seed chooses them."""
    max_test_pairs: int | None = _pairs(None, minimum=1)
    """Most test pairs; --seed chooses them. Default: 12000; with
    --pair_protocol=pg2, 12800 for market1501 and all for the others."""
    pair_protocol: str = _pairs("field", identity.PROTOCOLS)
    """field: the pairs that later papers use. pg2: the pairs of PG2's own program
    (data_prep/pairs/pg2_protocol.py)."""
    test_fraction: float = _pairs(0.1, minimum=0, maximum=0.9)
    """Share of the people of a folder that is kept for testing."""
    seed: int = _pairs(0, minimum=0, maximum=command_line.MAX_SEED)
    """Seed of every random choice; 0 gives the published test list."""

    estimator: str = _estimation("mediapipe", base.NAMES)
    """The estimator of keypoints; see estimate_keypoints.py."""
    model: str = _estimation("", path=True)
    """Model file of the estimator. Default: the published one, downloaded once."""

    train_identities: int = _synthetic(60, minimum=1)
    """People for training."""
    test_identities: int = _synthetic(12, minimum=1)
    """Other people for testing."""
    images_per_identity: int = _synthetic(12, minimum=2)
    """Photos of each person."""

    output_dir: str = _output("", path=True, addresses=cloud_files.SCHEMES)
    """Folder for the records; it must not exist, or be empty. In cloud storage (gs://,
    s3://, az://) the data set appears when it is finished; until then it is in the
    system's folder for temporary files (TMPDIR)."""
    overwrite: bool = _output(False)
    """Replaces --output_dir if this program wrote the data set in it. Not in cloud
    storage."""
    on_error: str = _output("fail", ("fail", "skip"))
    """fail: lists all bad rows and photos and writes nothing. skip: leaves them out
    and lists them."""
    workers: int = _output(0, minimum=0)
    """Processes that generate synthetic people or estimate keypoints; 0: one per
    core."""
    beam_pipeline_options: Sequence[str] = _output(())
    """Writes the records on Apache Beam, with these options of Beam, such as
    runner=FlinkRunner,flink_master=HOST:8081. The files are the same. All workers
    must see --output_dir, or --beam_shared_dir."""
    beam_shared_dir: str = _output("")
    """Folder through which Beam's workers get the photos and return the records if
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
    if options.dataset != "synthetic":
        for name in ("train_identities", "test_identities", "images_per_identity"):
            _refuse(options, name, dataset, "its people are not generated")
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
