"""Files in cloud storage, such as gs://BUCKET/FILE, by etils.epath.

epath uses tensorflow where it is installed, which knows gs:// alone, and elsewhere the
package of the storage.
"""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Union

from pg2_jax import errors, files

if TYPE_CHECKING:
    # Its import takes a tenth of a second, which most programs need not spend.
    from etils import epath

Path = Union[pathlib.Path, "epath.Path"]

# The package that reads and writes it without tensorflow; the command to log in.
_STORAGES = {
    "gs://": ("gcsfs", "gcloud auth application-default login"),
    "s3://": ("s3fs", "aws configure"),
    "az://": ("adlfs", "az login"),
}
SCHEMES = tuple(_STORAGES)
_OF_CONTENT = errors.ArgumentError, errors.Damaged, json.JSONDecodeError, UnicodeError


def is_address(path: files.PathLike) -> bool:
    """Whether a path is the address of something in cloud storage."""
    return os.fspath(path).startswith(SCHEMES)


def path_of(path: files.PathLike) -> Path:
    """A path on a disk, where `~` is the home folder, or in cloud storage."""
    if not is_address(path):
        return pathlib.Path(path).expanduser()
    from etils import epath

    return epath.Path(path)


def opened(path: files.PathLike) -> contextlib.AbstractContextManager[IO]:
    """Opens a file to read its bytes."""
    if not is_address(path):
        return open(path, "rb", buffering=2**20)
    return path_of(path).open("rb")


@contextlib.contextmanager
def named_errors(argument: str, path: files.PathLike) -> Iterator[None]:
    """Makes one line, an `errors.ArgumentError`, of whatever a storage raises, which is
    of many classes. What a file holds, and errors of a disk, stay as they are."""
    try:
        yield
    except Exception as error:
        if not is_address(path) or isinstance(error, _OF_CONTENT):
            raise
        raise errors.ArgumentError(argument, path, _rule(path, error)) from error


def _rule(path: files.PathLike, error: Exception) -> str:
    scheme = os.fspath(path).partition("://")[0] + "://"
    package, login = _STORAGES[scheme]
    if isinstance(error, ImportError):
        return f": {scheme} needs the package {package}: pip install {package}"
    if isinstance(error, FileNotFoundError):
        return ": there is no such file, or no such bucket."
    text = (str(error).splitlines() or [""])[0].strip().rstrip(".")
    if "not implemented" in text:
        return (
            f": tensorflow, which is installed, does not know {scheme}; set "
            f"EPATH_USE_TF=0 in the environment, so that the package {package} is used."
        )
    return (
        f": it cannot be reached ({text or type(error).__name__}). Is the name right, "
        f"is there internet, and are you logged in ({login})?"
    )


@contextlib.contextmanager
def fetched(path: files.PathLike, argument: str) -> Iterator[pathlib.Path]:
    """Gives a file that can be read: the one on a disk, or else a copy, for as long as
    the context. The error of what cannot be fetched names the argument."""
    if not is_address(path):
        yield pathlib.Path(path).expanduser()
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, pathlib.PurePath(path).name)
        with named_errors(argument, path):
            with opened(path) as source, open(copy, "wb") as target:
                shutil.copyfileobj(source, target)
            # s3fs reads nothing from a folder.
            if not copy.stat().st_size and path_of(path).is_dir():
                raise errors.ArgumentError(argument, path, ": a folder, not a file.")
        yield copy


@contextlib.contextmanager
def replacing(path: files.PathLike, argument: str) -> Iterator[pathlib.Path]:
    """Gives a temporary path on a disk for a file that is written as a whole, as
    `files.replacing`. The error of what cannot be written names the argument."""
    if not is_address(path):
        with files.replacing(path) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory() as folder:
        temporary = pathlib.Path(folder, pathlib.PurePath(path).name)
        yield temporary
        put(temporary, path, argument)


def put(file: pathlib.Path, path: files.PathLike, argument: str) -> None:
    """Copies a file into cloud storage, where it appears whole; it replaces another."""
    with named_errors(argument, path):
        # What is closed early, after an error too, is kept by most storages.
        unfinished = path_of(f"{os.fspath(path)}.unfinished")
        try:
            with open(file, "rb") as source, unfinished.open("wb") as target:
                shutil.copyfileobj(source, target)
            unfinished.replace(path_of(path))
        except BaseException:
            with contextlib.suppress(Exception):
                unfinished.unlink()
            raise
