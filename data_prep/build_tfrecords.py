r"""Turns photos and keypoints into TFRecords.

    python data_prep/build_tfrecords.py --dataset=market1501 \
        --source_dir=Market-1501 --output_dir=data/market
    python data_prep/build_tfrecords.py --dataset=folder --fit=crop \
        --source_dir=people --output_dir=data/people
    python data_prep/build_tfrecords.py --dataset=synthetic --output_dir=data/synthetic

market1501 reads bounding_box_train, bounding_box_test and the annotation files
market-annotation-train.csv and market-annotation-test.csv. deepfashion reads train and
test, or img or img_highres as downloaded, with fasion-annotation-*.csv or
fasion-resize-annotation-*.csv (deepfashion_photos.py says how photos are fitted).
folder reads <person>/<photo> and one annotation file with these names, or estimates the
keypoints if there is none. pg2_tfrecords reads the TFRecords of PG2's authors.
synthetic generates photos of people first.
Everything is read and checked before anything is written. --output_dir then holds the
whole data set, or nothing.
"""

import contextlib
import dataclasses
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence

from absl import logging

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line
from data_prep.build_options import Options, check_used, image_size
from data_prep.pairs import field_protocol, pair_choice
from data_prep.pairs.pair_list import PairList
from data_prep.records import output_folder, summary, write_dataset
from data_prep.sources import pg2_records, photo_list, readers, split
from pg2_jax import errors
from pg2_jax.architecture import Architecture
from pg2_jax.errors import counted
from pg2_jax.input_pipeline import cloud_files


def build(options: Options) -> summary.Summary:
    """Converts a data set; a ValueError names every bad row and photo."""
    image_size(options)
    check_used(options)
    if not options.output_dir:
        raise ValueError("--output_dir is missing: name the folder for the records")
    if cloud_files.is_address(options.output_dir):
        return _build_in_cloud(options)
    # Behind a symbolic link the data go where it points; renaming would replace it.
    output_dir = pathlib.Path(os.path.realpath(options.output_dir))
    problems = summary.Problems(skip=options.on_error == "skip")
    with output_folder.staging(output_dir) as stage:
        output_folder.check(output_dir, overwrite=options.overwrite)
        read = _read_records if options.dataset == "pg2_tfrecords" else _read_source
        splits, lists, rules = read(options, stage, problems.rows)
        built, written = write_dataset.convert(stage, splits, lists, rules, problems)
        output_folder.publish(built, output_dir, stage, overwrite=options.overwrite)
    return written


def _build_in_cloud(options: Options) -> summary.Summary:
    """Builds in a temporary folder, which stays if it cannot be copied."""
    address = options.output_dir
    output_folder.check_cloud(address, overwrite=options.overwrite)
    stage = pathlib.Path(tempfile.mkdtemp(prefix="pg2_jax-"))
    built = stage / "data"
    with contextlib.ExitStack() as cleaning:
        cleaning.callback(shutil.rmtree, stage, ignore_errors=True)
        written = build(dataclasses.replace(options, output_dir=str(built)))
        cleaning.pop_all()
    kept = f"The data set is in {built}; copy it from there."
    try:
        output_folder.publish_in_cloud(built, address)
    except errors.ArgumentError as error:
        rule = f"{error.rule} {kept}"
        raise errors.ArgumentError("output_dir", address, rule) from error
    except BaseException:
        print(f"--output_dir={address} is not whole. {kept}", file=sys.stderr)
        raise
    shutil.rmtree(stage, ignore_errors=True)
    return written


# Of the estimation of a folder's annotations.
_REPORT = f"{pathlib.Path(split.FOLDER_ANNOTATIONS).stem}{photo_list.REPORT}"
_Source = tuple[Mapping[str, split.Split], Mapping[str, PairList], write_dataset.Rules]


def _read_source(options: Options, stage: pathlib.Path, problems: list[str]) -> _Source:
    synthetic = options.dataset == "synthetic"
    size = image_size(options)
    source_dir = _synthesize(options, stage, *size) if synthetic else _source(options)
    layout = "market1501" if synthetic else options.dataset
    splits = readers.read(layout, source_dir, options, problems)
    lists = pair_choice.list_pairs(options, splits, layout, problems)
    return splits, lists, write_dataset.Rules(options, layout, size)


def _read_records(
    options: Options, stage: pathlib.Path, problems: list[str]
) -> _Source:
    splits, pairs, files, found_size = pg2_records.extract(
        _source(options), stage, problems
    )
    lists = {split: PairList.of(listed) for split, listed in pairs.items()}
    if options.max_train_pairs and "train" in lists:
        # The mirrored pairs come first in their records.
        lists["train"] = field_protocol.sample(
            lists["train"], options.max_train_pairs, options.seed
        )
    if "test" in lists:
        lists["test"] = PairList.of(pairs["test"][: options.max_test_pairs])
    size = image_size(options) if options.image_size else found_size
    described = dataclasses.replace(options, pairs=files)
    return splits, lists, write_dataset.Rules(described, pg2_records.LAYOUT, size)


def _source(options: Options) -> pathlib.Path:
    if options.photos and (options.source_dir or options.dataset != "folder"):
        raise ValueError(
            f"--photos={options.photos} is --source_dir of --dataset=folder; give one "
            "of them"
        )
    source_dir = options.source_dir or options.photos
    if not source_dir:
        where = f"where is the {options.dataset} data set?"
        raise ValueError(f"--source_dir is missing: {where}")
    folder = pathlib.Path(source_dir)
    output = folder / split.FOLDER_ANNOTATIONS
    if options.dataset == "folder" and not options.annotations:
        _estimate(folder, output, options)
    return folder


def _estimate(folder: pathlib.Path, output: pathlib.Path, options: Options) -> None:
    """Estimates the keypoints of a folder, or adds those of new photos to those that an
    estimation wrote; annotations from elsewhere stay."""
    from data_prep.estimation import estimation, quality_report

    listing = photo_list.checked(folder, split.names_in(folder))
    exists, new = output.exists(), list[str]()
    if exists:
        report = quality_report.earlier_rows(output.with_name(_REPORT))
        new = estimation.unseen(listing, output, report).names if report else []
        if not new:
            return
    estimating = estimation.Options(
        output=str(output),
        estimator=options.estimator,
        model=options.model,
        on_error=options.on_error,
        workers=options.workers,
        add=exists,
    )
    try:
        print(estimation.estimate(listing, estimating))
    except ValueError as error:
        what = f"there is no {output}, and estimating the keypoints"
        if exists:
            photos = f"{counted(len(new), 'photo')} are not yet in {output}, such as"
            what = f"{photos} {new[0]}, and estimating their keypoints"
        raise ValueError(f"{what} failed: {error}") from error


def _synthesize(
    options: Options, stage: pathlib.Path, height: int, width: int
) -> pathlib.Path:
    from data_prep import synthesize_people

    folder = pathlib.Path(options.source_dir or stage / "people")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"--source_dir={folder} is not empty; to convert what it holds, use "
            "--dataset=market1501"
        )
    people = synthesize_people.Options(
        output_dir=str(folder),
        train_identities=options.train_identities,
        test_identities=options.test_identities,
        images_per_identity=options.images_per_identity,
        image_size=f"{height}x{width}",
        seed=options.seed,
        workers=options.workers,
    )
    synthesize_people.synthesize(people)
    return folder


def main(words: Sequence[str]) -> int:
    logging.set_verbosity(logging.WARNING)  # TFDS logs every slice that it reads.
    return command_line.run(words, Options, build_and_tell, __doc__)


def build_and_tell(options: Options) -> str:
    """Converts a data set and sums it up, with a note if it is not for training."""
    height, width = image_size(options)
    try:
        Architecture(image_height=height, image_width=width)
    except ValueError as error:
        note = f"note: these records are not for training here: {error}"
        print(note, file=sys.stderr)
    return build(options).text(cloud_files.path_of(options.output_dir)) + _hint(options)


def _hint(options: Options) -> str:
    """Where a folder's estimation says why photos have no keypoints."""
    people = pathlib.Path(options.source_dir or options.photos)
    csv, report = people / split.FOLDER_ANNOTATIONS, people / _REPORT
    if options.dataset != "folder" or not report.exists():
        return ""
    words = [f"--photos={people}", f"--output={csv}", "--overwrite"]
    again = shlex.join(["python", "data_prep/estimate_keypoints.py", *words])
    return (
        f"\n  photo by photo, what the estimation found: {report}; the next build "
        f"adds photos that come later; to estimate all of them again: {again}"
    )


if __name__ == "__main__":
    command_line.quiet(on_cpu=True)
    sys.exit(main(sys.argv[1:]))
