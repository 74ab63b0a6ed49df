"""The photos and keypoints of a split, and the photos of folders."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pg2_jax import files
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
    """Refuses a folder that is not there or empty; the message ends with the rule."""
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
    """What a folder holds and does not hide, by name."""
    return sorted(
        path for path in folder.iterdir() if not files.is_left_behind(path.name)
    )


def photos_in(folder: pathlib.Path) -> list[pathlib.Path]:
    """The photos in a folder, by name."""
    return [
        path for path in entries(folder) if path.suffix.lower() in photo_files.SUFFIXES
    ]


def names_in(
    folder: pathlib.Path, dataset: str = "folder", rule: str = "--source_dir"
) -> list[str]:
    """The names of the photos of one split, sorted, one at least: they lie in the
    folder itself, or, with the data set "folder", as <person>/<photo>."""
    check_folder(folder, rule)
    if dataset == "folder":
        place = "of the form <person>/<photo>"
        people = [path for path in entries(folder) if path.is_dir()]
        photos = [photo for person in people for photo in photos_in(person)]
    else:
        place = "in the folder itself"
        photos = photos_in(folder)
    if not photos:
        suffixes = ", ".join(photo_files.SUFFIXES)
        raise ValueError(f"{folder}: no photos {place} ({suffixes}) ({rule})")
    return sorted(photo.relative_to(folder).as_posix() for photo in photos)
