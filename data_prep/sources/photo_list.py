"""The photos of a folder or a pattern, with names that an annotation file can hold."""

import collections
import glob
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from data_prep.sources import split
from pg2_jax import errors, files
from pg2_jax.keypoints import base
from pg2_jax.photos import photo_files

# How the files end that an estimation writes beside its annotations.
CONTACT_SHEET, REPORT = "_contact.png", "_report.csv"


class Listing(NamedTuple):
    """Photos of a folder, by their sorted names with "/" between folders, and messages
    of what cannot be used, and of folders that cannot be read or are reached twice."""

    folder: pathlib.Path
    names: list[str]
    problems: list[str]


def find(text: str) -> Listing:
    """Lists the photos of a folder, of all folders below it, or of a pattern such as
    `people/*/*.jpg`, where `**` stands for any folders; names are relative to the last
    folder before the first wildcard. Symbolic links are followed, but no folder is
    entered twice. Hidden files are left out."""
    path = pathlib.Path(text)
    problems: list[str] = []
    if path.is_dir():
        folder, paths = path, list(_walk(path, problems))
    elif path.is_file():
        folder, paths = path.parent, [path]
    elif glob.has_magic(text):
        first = next(i for i, part in enumerate(path.parts) if glob.has_magic(part))
        folder = pathlib.Path(*path.parts[:first])
        paths = split.found_in(folder, os.path.join(*path.parts[first:]))
    else:
        rule = ": there is no such folder, photo or pattern"
        raise errors.ArgumentError("photos", text, rule)
    split.say_unread(folder, [each.relative_to(folder).as_posix() for each in paths])
    names = [each.relative_to(folder).as_posix() for each in paths if _is_photo(each)]
    if not names and not problems:
        rule = f": no photos there ({', '.join(photo_files.SUFFIXES)})"
        raise errors.ArgumentError("photos", text, rule)
    listing = checked(folder, names)
    return listing._replace(problems=problems + listing.problems)


def checked(folder: pathlib.Path, names: list[str]) -> Listing:
    """The photos whose names an annotation file can hold, the others as problems."""
    problems, usable = list[str](), []
    for name in sorted(names):
        with split.collecting(problems, repr(os.fspath(folder / name))):
            check_name(name)
            usable.append(name)
    return Listing(folder, usable, problems)


def _is_photo(path: pathlib.Path) -> bool:
    if path.name.endswith(CONTACT_SHEET):
        stem = path.name.removesuffix(CONTACT_SHEET)
        # The sheet of an earlier estimation, not a photo.
        return not path.with_name(stem + REPORT).exists()
    return photo_files.is_photo(path)


def check_name(name: str) -> None:
    """Refuses a photo name that an annotation file cannot hold."""
    base.check_name(name)
    if ":" in name:
        raise ValueError(
            f"the photo name {name!r} is refused: annotation files hold no colon in it"
        )


def _walk(folder: pathlib.Path, problems: list[str]) -> Iterator[pathlib.Path]:
    entered: dict[tuple[int, int], pathlib.Path] = {}
    # Real folders at the end, links in front: these come last, so that a link never
    # hides the folder that it leads to.
    waiting = collections.deque([folder])
    while waiting:
        current = waiting.pop()
        try:
            status = os.stat(current)
            first = entered.setdefault((status.st_dev, status.st_ino), current)
            if first is not current:
                problems.append(f"{current}: a symbolic link to {first}, read already")
                continue
            entries = sorted(current.iterdir())
        except OSError as error:
            problems.append(f"{current}: cannot be read: {error.strerror}")
            continue
        for entry in entries:
            if files.is_left_behind(entry.name):
                continue
            if not os.path.isdir(entry):
                yield entry
            elif entry.is_symlink():
                waiting.appendleft(entry)
            else:
                waiting.append(entry)
