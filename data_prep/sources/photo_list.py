"""The photos of a folder or a pattern, with names that an annotation file can hold."""

import glob
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from pg2_jax import errors
from pg2_jax.keypoints import base
from pg2_jax.photos import photo_files

# How the files end that an estimation writes beside its annotations.
CONTACT_SHEET, REPORT = "_contact.png", "_report.csv"


class Listing(NamedTuple):
    """Photos.

    Attributes:
        folder: what the names are relative to.
        names: sorted, with "/" between folders.
        problems: one message for each that cannot be used, and for each folder that
            cannot be read or is reached twice.
    """

    folder: pathlib.Path
    names: list[str]
    problems: list[str]


def find(text: str) -> Listing:
    """Lists the photos of a folder, of all folders below it, or of a pattern.

    Symbolic links are followed, but no folder is entered twice. Hidden files are left
    out.

    Args:
        text: a folder, a photo, or a pattern such as `people/*/*.jpg`, where `**`
            stands for any folders; names are relative to the last folder before the
            first wildcard.

    Raises:
        ValueError: no such folder, or no photo in it.
    """
    path = pathlib.Path(text)
    problems: list[str] = []
    if path.is_dir():
        folder, files = path, _walk(path, problems)
    elif path.is_file():
        folder, files = path.parent, iter([path])
    elif glob.has_magic(text):
        folder, files = _match(path)
    else:
        rule = ": there is no such folder, photo or pattern"
        raise errors.ArgumentError("photos", text, rule)
    names = [each.relative_to(folder).as_posix() for each in files if _is_photo(each)]
    if not names and not problems:
        rule = f": no photos there ({', '.join(photo_files.SUFFIXES)})"
        raise errors.ArgumentError("photos", text, rule)
    listing = checked(folder, names)
    return listing._replace(problems=problems + listing.problems)


def checked(folder: pathlib.Path, names: list[str]) -> Listing:
    """Returns the photos of a folder whose names, with "/" between folders, an
    annotation file can hold, and the others as problems."""
    problems, usable = [], []
    for name in sorted(names):
        try:
            check_name(name)
        except ValueError as error:
            problems.append(f"{os.fspath(folder / name)!r}: {error}")
        else:
            usable.append(name)
    return Listing(folder, usable, problems)


def _is_photo(path: pathlib.Path) -> bool:
    if path.name.endswith(CONTACT_SHEET):
        stem = path.name.removesuffix(CONTACT_SHEET)
        # The sheet of an earlier estimation, not a photo.
        return not path.with_name(stem + REPORT).exists()
    return path.suffix.lower() in photo_files.SUFFIXES


def check_name(name: str) -> None:
    """Raises a ValueError if an annotation file cannot hold the name of a photo."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError("its name is not UTF-8 text") from error
    if name != name.strip() or ":" in name or len(name.splitlines()) != 1:
        raise ValueError(
            "its name holds a colon, a line break or an outer space, which annotation "
            "files cannot"
        )
    base.check_name(name)


def _match(path: pathlib.Path) -> tuple[pathlib.Path, Iterator[pathlib.Path]]:
    first = next(i for i, part in enumerate(path.parts) if glob.has_magic(part))
    folder = pathlib.Path(*path.parts[:first])
    # pathlib's ** does not follow symbolic links, so that it ends.
    pattern = str(pathlib.Path(*path.parts[first:]))
    matched = folder.glob(pattern) if folder.is_dir() else iter(())
    return folder, (each for each in matched if not _is_hidden(each, folder))


def _is_hidden(path: pathlib.Path, folder: pathlib.Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _walk(folder: pathlib.Path, problems: list[str]) -> Iterator[pathlib.Path]:
    """Yields all files below a folder, each real folder once."""
    entered: dict[tuple[int, int], pathlib.Path] = {}
    waiting, links = [folder], list[pathlib.Path]()
    while waiting or links:
        # Real folders first: a link never hides the folder that it leads to.
        current = waiting.pop() if waiting else links.pop(0)
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
            if entry.name.startswith("."):
                continue
            if not os.path.isdir(entry):
                yield entry
            else:
                (links if entry.is_symlink() else waiting).append(entry)
