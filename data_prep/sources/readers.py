"""Reads the photos and keypoints of a data set, split by split: `READERS` holds one
function per layout."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from data_prep.build_options import Options
from data_prep.pairs import identity
from data_prep.sources import deepfashion, photo_names
from data_prep.sources.split import (
    FOLDER_ANNOTATIONS,
    Split,
    check_folder,
    checked_annotation_files,
    names_in,
    read_annotations,
    unread_in,
)


def read(
    layout: str, source_dir: pathlib.Path, options: Options, problems: list[str]
) -> dict[str, Split]:
    """Lists the photos of a data set and reads their keypoints: "train" and, if there
    is one, "test". Bad rows are left out, and go to `problems`, one message each."""
    check_folder(source_dir, "--source_dir")
    return READERS[layout](source_dir, options, problems)


def _read_market1501(
    source_dir: pathlib.Path, options: Options, problems: list[str]
) -> dict[str, Split]:
    names = ("market-annotation-train.csv", "market-annotation-test.csv")
    files = options.annotations or [str(source_dir / name) for name in names]
    rule = "market1501 has two: TRAIN.csv,TEST.csv"
    splits = {}
    for split, file in zip(
        ("train", "test"), checked_annotation_files(files, 2, rule), strict=True
    ):
        folder = source_dir / f"bounding_box_{split}"
        layout = "Market-1501's layout has bounding_box_train and bounding_box_test"
        photos = names_in(folder, "market1501", layout)
        splits[split] = _match(folder, photos, file, options, problems, "market1501")
    return splits


def _read_folder(
    folder: pathlib.Path, options: Options, problems: list[str]
) -> dict[str, Split]:
    files = checked_annotation_files(
        options.annotations or [str(folder / FOLDER_ANNOTATIONS)],
        1,
        "a folder of people has one",
    )
    everyone = _match(folder, names_in(folder), files[0], options, problems)
    if not everyone.annotations and problems:
        raise ValueError(
            f"no row of {files[0]} names a photo of the folder as <person>/<photo>; "
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
    test = {
        name: keypoints
        for name, keypoints in everyone.annotations.items()
        if identity.identity_of(name, "folder") in tested
    }
    train = {n: p for n, p in everyone.annotations.items() if n not in test}
    return {
        "train": dataclasses.replace(everyone, annotations=train),
        "test": dataclasses.replace(everyone, annotations=test, num_unannotated=0),
    }


READERS: dict[str, Callable[..., dict[str, Split]]] = {
    "market1501": _read_market1501,
    "deepfashion": deepfashion.read,
    "folder": _read_folder,
}


def _match(
    folder: pathlib.Path,
    photos: list[str],
    file: pathlib.Path,
    options: Options,
    problems: list[str],
    dataset: str = "folder",
) -> Split:
    placed = read_annotations(file, problems, options.min_confidence, photos)
    names = photo_names.PhotoNames(photos, unread=unread_in(folder, dataset))
    matched = photo_names.match(placed, names, problems)
    sizes = photo_names.sizes(placed, names)
    left = len(photos) - len(matched)
    return Split(folder, matched, left, photos=photos, sizes=sizes)
