"""What a reader of a data set is asked for and returns, and the photos of folders."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pg2_jax.photos import photo_files

# The annotation file of a folder of people.
FOLDER_ANNOTATIONS = "annotations.csv"


@dataclasses.dataclass(frozen=True)
class Request:
    """What a reader is asked for.

    Attributes:
        annotation_files: given by the user; empty means the data set's own.
        split_people: whether people are divided between train and test (folder only).
        test_fraction: share of the people that go to test (folder only).
        seed: decides which people do.
        pair_protocol: one of `identity.PROTOCOLS`; decides who has pairs at all (folder
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
        annotations: photo name -> float32 [18, 3].
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


def check_folder(folder: pathlib.Path, rule: str) -> None:
    """Raises a ValueError unless a folder exists and holds something; the message ends
    with the rule."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder ({rule})")
    if not entries(folder):
        raise ValueError(f"{folder}: the folder is empty ({rule})")


def check_annotation_files(
    files: Sequence[pathlib.Path], count: int, rule: str
) -> None:
    """Raises a ValueError unless so many files are named and all exist."""
    if len(files) != count:
        raise ValueError(f"--annotations names {len(files)} files, {rule}")
    for file in files:
        if not file.exists():
            raise ValueError(
                f"{file}: there is no such annotation file (--annotations)"
            )


def entries(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns what a folder holds and does not hide, by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def photos_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the photos in a folder, by name."""
    return [
        path for path in entries(folder) if path.suffix.lower() in photo_files.SUFFIXES
    ]


def photos_of_people(folder: pathlib.Path, rule: str = "--source_dir") -> list[str]:
    """Returns the names <person>/<photo> of a folder of people, sorted; there is one at
    least, or a ValueError."""
    check_folder(folder, rule)
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


def names_in(folder: pathlib.Path, dataset: str, rule: str) -> list[str]:
    """Returns the names of the photos of one split, sorted: they lie in the folder
    itself, or, with the data set "folder", as <person>/<photo>. There is one at least,
    or a ValueError."""
    if dataset == "folder":
        return photos_of_people(folder, rule)
    check_folder(folder, rule)
    names = [path.name for path in photos_in(folder)]
    if not names:
        raise ValueError(
            f"{folder}: no photos ({', '.join(photo_files.SUFFIXES)}) in the folder "
            f"itself ({rule})"
        )
    return names
