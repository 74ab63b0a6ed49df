"""The photos and keypoints of a split, and the photos of folders."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pg2_jax.photos import photo_files

# The annotation file of a folder of people.
FOLDER_ANNOTATIONS = "annotations.csv"


@dataclasses.dataclass(frozen=True)
class Split:
    """The photos and keypoints, float32 [18, 3], of one split, by name.

    `photos` are those with keypoints and the `num_unannotated` without; `paths` has the
    files that are not `folder / name`.
    """

    folder: pathlib.Path
    annotations: dict[str, np.ndarray]
    num_unannotated: int
    photos: Collection[str] = ()
    paths: Mapping[str, pathlib.Path] = dataclasses.field(default_factory=dict)

    def path(self, name: str) -> pathlib.Path:
        """The file of a photo."""
        return self.paths.get(name, self.folder / name)


def check_folder(folder: pathlib.Path, rule: str) -> None:
    """Raises a ValueError unless a folder exists and holds something; the message ends
    with the rule."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder ({rule})")
    if not entries(folder):
        raise ValueError(f"{folder}: the folder is empty ({rule})")


def checked_annotation_files(
    files: Sequence[str], count: int, rule: str
) -> list[pathlib.Path]:
    """The files; a ValueError unless there are so many and all exist."""
    if len(files) != count:
        raise ValueError(f"--annotations names {len(files)} files, {rule}")
    paths = list(map(pathlib.Path, files))
    for path in paths:
        if not path.exists():
            raise ValueError(
                f"{path}: there is no such annotation file (--annotations)"
            )
    return paths


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
