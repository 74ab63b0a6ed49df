"""Reads the photos and keypoints of a data set, split by split."""

import collections
import dataclasses
import pathlib

import numpy as np

from data_prep.build_options import Options
from data_prep.pairs import identity
from data_prep.sources import deepfashion, photo_names, split
from data_prep.sources.split import Split


def read(
    layout: str, source_dir: pathlib.Path, options: Options, problems: list[str]
) -> dict[str, Split]:
    """Lists the photos of a data set and reads their keypoints: "train" and, if there
    is one, "test". Bad rows are left out, and go to `problems`, one message each."""
    readers = {
        "market1501": _read_market1501,
        "deepfashion": deepfashion.read,
        "folder": _read_folder,
    }
    split.check_folder(source_dir, "--source_dir")
    return readers[layout](source_dir, options, problems)


def _read_market1501(
    source_dir: pathlib.Path, options: Options, problems: list[str]
) -> dict[str, Split]:
    names = ("market-annotation-train.csv", "market-annotation-test.csv")
    files = options.annotations or [str(source_dir / name) for name in names]
    rule = "market1501 has two: TRAIN.csv,TEST.csv"
    train, test = split.checked_annotation_files(files, 2, rule)
    layout = "Market-1501's layout has bounding_box_train and bounding_box_test"
    splits = {}
    for name, file in (("train", train), ("test", test)):
        folder = source_dir / f"bounding_box_{name}"
        splits[name] = _match(folder, file, options, problems, "market1501", layout)
    return splits


def _read_folder(
    folder: pathlib.Path, options: Options, problems: list[str]
) -> dict[str, Split]:
    files = options.annotations or [str(folder / split.FOLDER_ANNOTATIONS)]
    rule = "a folder of people has one"
    (file,) = split.checked_annotation_files(files, 1, rule)
    everyone = _match(folder, file, options, problems)
    if not everyone.annotations and problems:
        raise ValueError(
            f"no row of {file} names a photo of the folder as <person>/<photo>; "
            f"{problems[0]}"
        )
    if options.pairs:
        return {"train": everyone, "test": everyone}
    if options.test_fraction == 0:
        return {"train": everyone}
    return _split_people(everyone, options)


def _split_people(everyone: Split, options: Options) -> dict[str, Split]:
    """Divides the people who have pairs by seed, so that nobody is in both splits."""
    photos_of = collections.Counter(
        identity.identity_of(name, "folder")
        for name, keypoints in everyone.annotations.items()
        if identity.usable(name, keypoints, "folder", options.pair_protocol)
    )
    people = sorted(person for person, count in photos_of.items() if count > 1)
    if len(people) < 2:
        raise ValueError(
            f"{everyone.folder}: {len(people)} people have two usable photos, training "
            "and test need one person each (--test_fraction=0 makes no test split)"
        )
    wanted = max(1, round(options.test_fraction * len(people)))
    order = np.random.RandomState(options.seed).permutation(len(people))
    tested = {people[index] for index in order[: min(wanted, len(people) - 1)]}
    train, test = dict[str, np.ndarray](), dict[str, np.ndarray]()
    for name, keypoints in everyone.annotations.items():
        its = test if identity.identity_of(name, "folder") in tested else train
        its[name] = keypoints
    return {
        "train": dataclasses.replace(everyone, annotations=train),
        "test": dataclasses.replace(everyone, annotations=test, num_unannotated=0),
    }


def _match(
    folder: pathlib.Path,
    file: pathlib.Path,
    options: Options,
    problems: list[str],
    dataset: str = "folder",
    layout: str = "--source_dir",
) -> Split:
    photos = split.names_in(folder, dataset, layout)
    placed = split.read_annotations(file, problems, options.min_confidence, photos)
    names = photo_names.PhotoNames(photos, there=split.files_in(folder, dataset))
    matched = photo_names.match(placed, names, problems)
    keypoints = {name: pose.keypoints for name, pose in matched.items()}
    sizes = {name: pose.size for name, pose in matched.items() if pose.size}
    left = len(photos) - len(matched)
    return Split(folder, keypoints, left, photos=photos, sizes=sizes)
