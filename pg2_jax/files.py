"""Files that appear whole or not at all, locks, and sizes as people write them."""

import contextlib
import csv
import errno
import fcntl
import os
import pathlib
import re
import secrets
import shutil
import socket
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from typing import IO

from pg2_jax import errors

PathLike = str | os.PathLike[str]

_PLAIN_WORDS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space",
    errno.EACCES: "no permission to write into this folder; choose another one",
    errno.EPERM: "no permission to write into this folder; choose another one",
    errno.ENOENT: "there is no such folder; make it first, or choose another one",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "a folder with this name exists",
    errno.EROFS: "this disk is read-only; choose another folder",
}
# What systems and archives leave in folders.
_LEFT_BEHIND = (
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"),
    *("@eadir", "#recycle", "__macosx", "icon\r"),
)


def is_left_behind(name: str) -> bool:
    """Whether a file or folder is hidden, or was put there by a system and not by the
    user: `.DS_Store`, `._photo.jpg`, `Thumbs.db`, `__MACOSX`, `@eaDir`."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def same_name(name: str) -> str:
    """A name's NFC form: macOS writes an accent as a letter of its own."""
    return unicodedata.normalize("NFC", name)


def natural_order(name: str) -> tuple[object, ...]:
    """A key to sort names as people count: frame 2 before frame 10."""
    parts = re.split(r"(\d+)", name)
    counted = [(int(x), "") if x.isdecimal() else (-1, x) for x in parts]
    return tuple(counted), name


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside `path`, of the same suffix, which replaces it at
    the end: an error leaves the old file, or none, but never a partial one. An OSError
    names the file and says in plain words that the disk is full or the like."""
    path = pathlib.Path(path).expanduser()
    # Some writers choose the format by the suffix.
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with _plain_words(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: PathLike, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all, as `replacing`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: PathLike, rows: Iterable[Iterable[object]]) -> None:
    """Writes the rows of a csv in UTF-8, whole or not at all, as `replacing`."""
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(rows)


@contextlib.contextmanager
def temporary_folder(parent: pathlib.Path, prefix: str) -> Iterator[pathlib.Path]:
    """Gives a new folder in `parent`, which is removed in any case: tempfile's stays
    where a signal comes between its creation and its registration. A note on stderr
    says where that is not possible."""
    folder = parent / f"{prefix}{secrets.token_hex(4)}"
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            print(f"note: {folder} cannot be removed", file=sys.stderr)


@contextlib.contextmanager
def replacing_folder(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary folder beside `path`, which becomes it at the end; `path` does
    not exist, or is empty; the folders that it is in are made. OSErrors are as those of
    `replacing`."""
    path = pathlib.Path(path).expanduser()
    # Nothing can take its place, and what is beside it is on another disk.
    inside = is_mount_point(path)
    beside = path if inside else path.absolute().parent
    with _plain_words(path):
        beside.mkdir(parents=True, exist_ok=True)
        with temporary_folder(beside, f".{path.name}.") as temporary:
            built = temporary / "built"
            built.mkdir()
            yield built
            if inside:
                rename_all((built / name, path / name) for name in os.listdir(built))
            else:
                os.replace(built, path)


def is_mount_point(path: pathlib.Path) -> bool:
    """Whether a folder is the root of a disk, such as a volume of Docker."""
    if os.path.ismount(path):
        return True
    real = os.path.realpath(path)
    try:
        # A folder that is bound to another place of the same disk is in here alone.
        with open("/proc/self/mountinfo", encoding="utf-8") as lines:
            places = [line.split()[4] for line in lines]
    except OSError:  # Linux alone has it.
        return False
    octal = re.compile(r"\\([0-7]{3})")
    return real in (octal.sub(lambda m: chr(int(m[1], 8)), x) for x in places)


def rename_all(moves: Iterable[tuple[pathlib.Path, pathlib.Path]]) -> None:
    """Renames files or folders in order, each from and to; an error renames all of them
    back."""
    moved = []
    try:
        for source, target in moves:
            os.rename(source, target)
            moved.append((source, target))
    except BaseException:
        for source, target in reversed(moved):
            os.rename(target, source)
        raise


def has_fsync(folder: pathlib.Path) -> bool:
    """Whether a folder's files can be forced onto the disk; some networks refuse."""
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
                return False
            raise
    return True


@contextlib.contextmanager
def _plain_words(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = _PLAIN_WORDS.get(error.errno or 0)
        if reason is None:
            raise
        raise type(error)(f"{path} cannot be written: {reason}.") from error


def lock(file: IO[str]) -> None:
    """Locks an open file until it is closed or this process ends; a BlockingIOError if
    another process has it. On a disk without locks a note on stderr says so."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        print(
            f"note: {file.name} cannot be locked ({error}); a second program that "
            "writes there will not be noticed",
            file=sys.stderr,
        )


@contextlib.contextmanager
def locked(path: pathlib.Path, what: str) -> Iterator[None]:
    """Holds a lock file that names this process, and removes it at the end; the
    ValueError says which other process holds it and is writing `what`."""
    with contextlib.ExitStack() as stack:
        while True:
            file = stack.enter_context(open(path, "a+", encoding="utf-8"))
            try:
                lock(file)
            except BlockingIOError as error:
                file.seek(0)
                raise ValueError(
                    f"{what}: another process is writing it "
                    f"({file.read().strip() or 'it has just begun'}); wait for it, or "
                    "choose another folder"
                ) from error
            # Its owner may have removed it between our two calls.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    break
        stack.callback(path.unlink, missing_ok=True)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def parse_range(argument: str, text: str) -> tuple[int, int]:
    """Reads "A:B" as (A, B); the argument names the text in the message."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text)
    if not match:
        rule = " must be A:B, such as 100:110."
        raise errors.ArgumentError(argument, text, rule)
    return int(match[1]), int(match[2])


def parse_size(argument: str, text: str) -> tuple[int, int]:
    """Reads "HEIGHTxWIDTH" as (height, width) in pixels."""
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    if not match or not (int(match[1]) and int(match[2])):
        rule = " must be HEIGHTxWIDTH in pixels, such as 128x64."
        raise errors.ArgumentError(argument, text, rule)
    return int(match[1]), int(match[2])
