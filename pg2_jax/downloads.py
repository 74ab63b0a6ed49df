"""Published files: downloaded once, checked, and kept in the user's cache folder."""

import contextlib
import hashlib
import os
import pathlib
import shutil
import urllib.request
import zipfile
from http.client import HTTPException
from typing import Any, NamedTuple

from pg2_jax import files

_TIMEOUT = 30  # seconds without a byte
# Of what is unpacked from an archive.
_MAX_BYTES = 2**30


class Published(NamedTuple):
    """A file that somebody publishes."""

    url: str
    sha256: str  # of the file, unpacked; or its first digits, as torch's names have
    file: str  # its name in the cache
    member: str = ""  # its name in the archive at `url`, if that is one


def fetch(published: Published, what: str, advice: str) -> pathlib.Path:
    """A file in `cache_folder`, downloaded if it is not there or has another checksum.
    Where that fails, the ValueError says what it is, such as "the model", and ends with
    the advice where else to get it."""
    cached = cache_folder() / published.file
    if cached.is_file() and sha256(cached).startswith(published.sha256):
        return cached
    try:
        _download(published, cached)
    except (OSError, ValueError, zipfile.BadZipFile, HTTPException) as error:
        reason = getattr(error, "reason", error) or type(error).__name__
        raise ValueError(f"{what} cannot be downloaded: {reason}; {advice}") from error
    return cached


def cache_folder() -> pathlib.Path:
    """Where downloads, and what is derived from data, are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(root) / "pg2_jax"


def sha256(path: pathlib.Path) -> str:
    """The SHA-256 checksum of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(published: Published, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(target) as temporary:
        _fetch(published.url, temporary)
        if published.member:
            _unpack(temporary, published.member)
        digest, wanted = sha256(temporary), published.sha256
        if not digest.startswith(wanted):
            more = "..." * (len(wanted) < len(digest))
            raise ValueError(f"its SHA-256 is {digest}, expected {wanted}{more}")


def _fetch(url: str, path: pathlib.Path) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        length = int(answer.headers.get("Content-Length") or 0)
        bar = _with_bar(answer, length, path.name[-40:])
        with bar as source, open(path, "wb") as file:
            shutil.copyfileobj(source, file)
    if length and path.stat().st_size != length:
        raise ValueError(f"{path.stat().st_size:,} of {length:,} bytes arrived")


def _with_bar(answer: Any, length: int, name: str) -> Any:
    """Shows a progress bar while an answer is read, if tqdm is installed."""
    try:
        import tqdm
    except ImportError:
        return contextlib.nullcontext(answer)
    return tqdm.tqdm.wrapattr(answer, "read", length or None, desc=name)


def _unpack(archive: pathlib.Path, member: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        names = [n for n in opened.namelist() if f"/{n}".endswith(f"/{member}")]
        if not names or opened.getinfo(names[0]).file_size > _MAX_BYTES:
            raise ValueError(f"the archive holds no {member}")
        content = opened.read(names[0])
    archive.write_bytes(content)
