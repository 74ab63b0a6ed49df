"""The photos and keypoints of a split, and the photos of folders."""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from pg2_jax import files
from pg2_jax.errors import few
from pg2_jax.keypoints import base, keypoint_files
from pg2_jax.photos import photo_files

# The annotation file of a folder of people.
FOLDER_ANNOTATIONS = "annotations.csv"


@dataclasses.dataclass(frozen=True)
class Split:
    """The photos and keypoints, float32 [18, 3], of one split, by name.

    `photos` are those with keypoints and the `num_unannotated` without; `paths` has the
    files that are not `folder / name`; `sizes` the (height, width) of photos as the
    annotations have it.
    """

    folder: pathlib.Path
    annotations: dict[str, np.ndarray]
    num_unannotated: int
    photos: Collection[str] = ()
    paths: Mapping[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    sizes: Mapping[str, base.Size] = dataclasses.field(default_factory=dict)

    def path(self, name: str) -> pathlib.Path:
        return self.paths.get(name, self.folder / name)


@contextlib.contextmanager
def collecting(problems: list[str], place: str) -> Iterator[None]:
    """Adds the message of a ValueError to the problems; it begins with the place."""
    try:
        yield
    except ValueError as error:
        problems.append(f"{place}: {error}")


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


def read_annotations(
    file: pathlib.Path,
    problems: list[str],
    min_confidence: float,
    photos: Sequence[str] | None = None,
) -> dict[str, base.Pose]:
    """Reads a keypoint file by `read_placed`; a ValueError if nobody has a keypoint."""
    placed = keypoint_files.read_placed(
        file, problems, photos=photos, min_confidence=min_confidence
    )
    if placed and not any(pose.keypoints[:, 2].any() for pose in placed.values()):
        raise ValueError(
            f"{file}: all {len(placed):,} poses are empty, without one keypoint (-1 "
            "in a csv): the estimator found nobody"
        )
    return placed


def entries(folder: pathlib.Path) -> list[pathlib.Path]:
    """What a folder holds and does not hide, by name."""
    paths = folder.iterdir()
    return sorted(path for path in paths if not files.is_left_behind(path.name))


def found_in(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """What matches a pattern below a folder and is nowhere hidden, sorted. pathlib's **
    does not follow symbolic links, so that it ends."""
    return [
        path
        for path in sorted(folder.glob(pattern))
        if not any(map(files.is_left_behind, path.relative_to(folder).parts))
    ]


def files_in(folder: pathlib.Path, dataset: str = "folder") -> list[str]:
    """The sorted names of the files of one split: they lie in the folder itself, or,
    with the data set "folder", as <person>/<photo>."""
    places = [folder]
    if dataset == "folder":
        places = [path for path in entries(folder) if path.is_dir()]
    paths = (path for place in places for path in entries(place))
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def names_in(
    folder: pathlib.Path, dataset: str = "folder", rule: str = "--source_dir"
) -> list[str]:
    """The photos among `files_in`, one at least; the message ends with the rule."""
    check_folder(folder, rule)
    names = files_in(folder, dataset)
    say_unread(folder, names)
    photos = list(filter(photo_files.is_photo, names))
    if not photos:
        deeper = dataset == "folder"
        place = "of the form <person>/<photo>" if deeper else "in the folder itself"
        suffixes = ", ".join(photo_files.SUFFIXES)
        raise ValueError(f"{folder}: no photos {place} ({suffixes}) ({rule})")
    return photos


def say_unread(folder: pathlib.Path, names: Iterable[str]) -> None:
    """Says which photos are ignored, one line for each format that is not read."""
    of_format: dict[str, list[str]] = {}
    for name in filter(photo_files.unread, names):
        of_format.setdefault(pathlib.PurePath(name).suffix.lower(), []).append(name)
    for suffix, its in of_format.items():
        print(
            f"note: {folder}: photos {suffix} are not read, ignored: {len(its):,} "
            f"({few(its)}); {photo_files.unread(suffix)}",
            file=sys.stderr,
        )
