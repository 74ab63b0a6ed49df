"""Files that appear whole or not at all, and sizes as people write them."""

import contextlib
import errno
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

from pg2_jax import errors

_PLAIN_WORDS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your share of the disk is used up; free some space",
    errno.EACCES: "you may not write into this folder; choose another one",
    errno.EPERM: "you may not write into this folder; choose another one",
    errno.ENOENT: "there is no such folder; make it first, or choose another one",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "there is a folder of this name",
    errno.EROFS: "this disk is read-only; choose another folder",
}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`, which replaces it at the end.

    A kill or an error leaves the old file, or none, but never a half. The suffix stays,
    because some writers choose the format by it.

    Args:
        path: the file to write; its folder must exist.

    Raises:
        OSError: it cannot be written; names the file, and says so in plain words where
            the disk is full or the folder is not one's own.
    """
    path = pathlib.Path(path).expanduser()
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with _plain_words(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives a temporary folder beside `path`, which becomes it at the end.

    Args:
        path: the folder to make; it does not exist, or is empty.

    Raises:
        OSError: as `replacing`.
    """
    path = pathlib.Path(path).expanduser()
    with (
        _plain_words(path),
        tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", dir=path.absolute().parent
        ) as temporary,
    ):
        built = pathlib.Path(temporary) / "built"
        built.mkdir()
        yield built
        os.replace(built, path)


@contextlib.contextmanager
def _plain_words(path: pathlib.Path) -> Iterator[None]:
    """Says what stops people from writing a file in words that they know."""
    try:
        yield
    except OSError as error:
        reason = _PLAIN_WORDS.get(error.errno or 0)
        if reason is None:
            raise
        raise type(error)(f"{path} cannot be written: {reason}.") from error


def parse_range(argument: str, text: str) -> tuple[int, int]:
    """Reads "A:B" as (A, B).

    Args:
        argument: names the text in the message.
        text: such as "100:110".

    Raises:
        ValueError: the text is something else.
    """
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text)
    if not match:
        rule = " must be A:B, such as 100:110."
        raise errors.ArgumentError(argument, text, rule)
    return int(match[1]), int(match[2])


def parse_size(argument: str, text: str) -> tuple[int, int]:
    """Reads "HEIGHTxWIDTH" as (height, width) in pixels.

    Args:
        argument: names the text in the message.
        text: such as "128x64".

    Raises:
        ValueError: the text is something else.
    """
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    if not match or not (int(match[1]) and int(match[2])):
        rule = " must be HEIGHTxWIDTH in pixels, such as 128x64."
        raise errors.ArgumentError(argument, text, rule)
    return int(match[1]), int(match[2])
