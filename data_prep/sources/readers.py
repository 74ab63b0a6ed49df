"""Where a data set keeps its photos and its keypoints, and who is in which split.

`READERS` holds one function per layout; another data set is another function there.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from data_prep.pairs import field_protocol
from data_prep.sources import photo_names
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import photo_files

# The annotation file of a folder of people.
FOLDER_ANNOTATIONS = "annotations.csv"


@dataclasses.dataclass(frozen=True)
class Request:
    """What a reader is asked for.

    Attributes:
        source_dir: the folder of the data set.
        annotation_files: keypoint files given by the user; empty means the data set's
            own.
        split_people: whether people are divided between train and test (folder only).
        test_fraction: share of the people that go to test (folder only).
        seed: decides which people do.
        pair_protocol: one of `pairs.PROTOCOLS`; decides who has pairs at all (folder
            only).
        annotation_size: (height, width) of the photos that keypoints were found in
            (deepfashion only); None where the name of the file tells.
    """

    source_dir: pathlib.Path
    annotation_files: Sequence[pathlib.Path]
    split_people: bool
    test_fraction: float
    seed: int
    pair_protocol: str
    annotation_size: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Split:
    """The photos and keypoints of one split.

    Attributes:
        folder: what the names are relative to.
        annotations: photo name -> float32 [18, 3]; every name is a file in `folder`.
        num_unannotated: photos of the split without keypoints.
        photos: names of all photos of the split, with or without keypoints.
        paths: photo name -> file, for those that are not `folder / name`.
    """

    folder: pathlib.Path
    annotations: dict[str, np.ndarray]
    num_unannotated: int
    photos: Collection[str] = ()
    paths: Mapping[str, pathlib.Path] = dataclasses.field(default_factory=dict)

    def path(self, name: str) -> pathlib.Path:
        """Returns the file of a photo."""
        return self.paths.get(name, self.folder / name)


def read(dataset: str, request: Request, problems: list[str]) -> dict[str, Split]:
    """Reads the annotations of a data set and finds its photos.

    Args:
        dataset: a key of `READERS`.
        request: where, and how to split.
        problems: bad rows are appended here, one message each, and left out.

    Returns:
        "train" and, if there is one, "test".

    Raises:
        ValueError: a missing or empty folder, a wrong number of files, an unreadable
        annotation file.
    """
    _check_folder(request.source_dir, "--source_dir")
    return READERS[dataset](request, problems)


def _read_market1501(request: Request, problems: list[str]) -> dict[str, Split]:
    names = ("market-annotation-train.csv", "market-annotation-test.csv")
    files = request.annotation_files or [request.source_dir / name for name in names]
    if len(files) != 2:
        raise ValueError(
            f"--annotations names {len(files)} files, market1501 has two: "
            "TRAIN.csv,TEST.csv"
        )
    splits = {}
    for split, file in zip(("train", "test"), files, strict=True):
        folder = request.source_dir / f"bounding_box_{split}"
        _check_folder(
            folder,
            "Market-1501's layout has bounding_box_train and bounding_box_test",
        )
        splits[split] = _match(
            folder, {path.name for path in photos_in(folder)}, file, problems
        )
    return splits


def _read_deepfashion(request: Request, problems: list[str]) -> dict[str, Split]:
    from data_prep.sources import deepfashion  # It builds on this module.

    return deepfashion.read(request, problems)


def _read_folder(request: Request, problems: list[str]) -> dict[str, Split]:
    folder = request.source_dir
    files = request.annotation_files or [folder / FOLDER_ANNOTATIONS]
    if len(files) != 1:
        raise ValueError(
            f"--annotations names {len(files)} files, a folder of people has one"
        )
    everyone = _match(folder, set(photos_of_people(folder)), files[0], problems)
    if not everyone.annotations and problems:
        raise ValueError(
            f"no row of {files[0]} names a photo of the folder as <person>/<photo>; "
            f"{problems[0]}"
        )
    if not request.split_people:
        return {"train": everyone, "test": everyone}
    return _split_people(
        everyone, request.test_fraction, request.seed, request.pair_protocol
    )


def photos_of_people(folder: pathlib.Path) -> list[str]:
    """Returns the names <person>/<photo> of a folder of people, sorted.

    Raises:
        ValueError: there is no such folder, or no such photo.
    """
    _check_folder(folder, "--source_dir")
    names = [
        f"{person.name}/{photo.name}"
        for person in entries(folder)
        if person.is_dir()
        for photo in photos_in(person)
    ]
    if not names:
        raise ValueError(
            f"{folder}: no photos of the form <person>/<photo> "
            f"({', '.join(photo_files.SUFFIXES)})"
        )
    return names


def names_in(folder: pathlib.Path, dataset: str, flag: str) -> list[str]:
    """Returns the names of the photos of one split, sorted.

    Args:
        folder: where they lie; in a folder of people as <person>/<photo>.
        dataset: one of `pairs.DATASETS`.
        flag: what named the folder, for messages.

    Raises:
        ValueError: there is no such folder, or no photo in it.
    """
    _check_folder(folder, flag)
    if dataset == "folder":
        return photos_of_people(folder)
    names = [path.name for path in photos_in(folder)]
    if not names:
        raise ValueError(
            f"{folder}: no photos ({', '.join(photo_files.SUFFIXES)}) in the folder "
            f"itself ({flag})"
        )
    return names


def _split_people(
    everyone: Split, test_fraction: float, seed: int, protocol: str
) -> dict[str, Split]:
    """Divides the people who have pairs by seed, so that nobody is in both splits."""
    photos_of = collections.Counter(
        field_protocol.identity_of(name, "folder")
        for name, keypoints in everyone.annotations.items()
        if field_protocol.usable(name, keypoints, "folder", protocol)
    )
    people = sorted(person for person, count in photos_of.items() if count > 1)
    if test_fraction == 0:
        return {"train": everyone}
    if len(people) < 2:
        raise ValueError(
            f"{everyone.folder}: {len(people)} people have two usable photos, training "
            "and test need one person each (--test_fraction=0 makes no test split)"
        )
    num_test = min(max(1, round(test_fraction * len(people))), len(people) - 1)
    tested = {
        people[index]
        for index in np.random.RandomState(seed).permutation(len(people))[:num_test]
    }
    parts: dict[str, dict[str, np.ndarray]] = {"train": {}, "test": {}}
    for name, keypoints in everyone.annotations.items():
        parts[
            "test" if field_protocol.identity_of(name, "folder") in tested else "train"
        ][name] = keypoints
    train = dataclasses.replace(everyone, annotations=parts["train"])
    return {
        "train": train,
        "test": dataclasses.replace(
            everyone, annotations=parts["test"], num_unannotated=0
        ),
    }


READERS: dict[str, Callable[[Request, list[str]], dict[str, Split]]] = {
    "market1501": _read_market1501,
    "deepfashion": _read_deepfashion,
    "folder": _read_folder,
}


def _match(
    folder: pathlib.Path, present: set[str], file: pathlib.Path, problems: list[str]
) -> Split:
    """Reads an annotation file and keeps the rows whose photo is there."""
    if not file.exists():
        raise ValueError(f"{file}: there is no such annotation file (--annotations)")
    placed = keypoint_files.read_placed(file, problems, photos=sorted(present))
    found = photo_names.match(placed, photo_names.PhotoNames(present), problems)
    unannotated = len(present - found.keys())
    return Split(folder, found, unannotated, photos=sorted(present))


def _check_folder(folder: pathlib.Path, rule: str) -> None:
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder ({rule})")
    if not entries(folder):
        raise ValueError(f"{folder}: the folder is empty ({rule})")


def entries(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns what a folder holds and does not hide, by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def photos_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the photos in a folder, by name."""
    return [
        path for path in entries(folder) if path.suffix.lower() in photo_files.SUFFIXES
    ]
