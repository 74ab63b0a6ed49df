"""The model files of the pose estimators: given by path, or downloaded once and
checked."""

import contextlib
import hashlib
import http.client
import os
import pathlib
import shutil
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

import tqdm

from pg2_jax import files

_CHUNK = 2**20
_TIMEOUT = 30  # seconds without a byte
# Of what is unpacked from an archive.
_MAX_BYTES = 2**30


class Model(NamedTuple):
    """A published model file.

    Attributes:
        url: where it is downloaded.
        sha256: of the model file, unpacked.
        file: its name in the cache.
        member: its name in the archive behind `url`; empty when there is none.
    """

    url: str
    sha256: str
    file: str
    member: str = ""


# One per estimator. Both are Apache-2.0.
MODELS = {
    "mediapipe": Model(
        "https://storage.googleapis.com/mediapipe-models/pose_landmarker/"
        "pose_landmarker_full/float16/1/pose_landmarker_full.task",
        "4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad",
        "pose_landmarker_full.task",
    ),
    "rtmlib": Model(
        "https://download.openmmlab.com/mmpose/v1/projects/rtmo/onnx_sdk/"
        "rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.zip",
        "d0703d40d19f3921da51ae725402d5fdae4d2478c7442072d3101bd396f370d8",
        "rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.onnx",
        "end2end.onnx",
    ),
}


def locate(estimator: str, path: str) -> pathlib.Path:
    """Finds the model file of an estimator, and downloads it when there is none.

    Args:
        estimator: a key of `MODELS`.
        path: a file of the user's, taken as it is; or empty for the published one,
            which is kept in the user's cache folder.

    Returns:
        A file that exists; a published one has its checksum.

    Raises:
        ValueError: no such file; no download; a wrong checksum. Says where to get it.
    """
    model = MODELS[estimator]
    if path:
        if not pathlib.Path(path).is_file():
            raise ValueError(
                f"--model={path}: there is no such file; {_where(estimator)}"
            )
        return pathlib.Path(path)
    cached = cache_folder() / model.file
    if not (cached.is_file() and sha256(cached) == model.sha256):
        _download(estimator, cached)
    return cached


def cache_folder() -> pathlib.Path:
    """Returns where downloaded models are kept: `$XDG_CACHE_HOME/pg2_jax`, or
    `~/.cache/pg2_jax`."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(root) / "pg2_jax"


def sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 checksum of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _where(estimator: str) -> str:
    model = MODELS[estimator]
    unpack = f" (and unpack {model.member})" if model.member else ""
    return (
        f"{estimator}'s model is at {model.url}: fetch it{unpack} where there is "
        "internet, and give its path with --model=PATH"
    )


def _download(estimator: str, target: pathlib.Path) -> None:
    model = MODELS[estimator]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(target) as temporary:
            with _fetched(model.url, temporary) as archive:
                if model.member:
                    _unpack(archive, model.member, temporary)
            found = sha256(temporary)
            if found != model.sha256:
                raise ValueError(f"its SHA-256 is {found}, expected {model.sha256}")
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        http.client.HTTPException,
    ) as error:
        reason = getattr(error, "reason", error) or type(error).__name__
        raise ValueError(
            f"the model cannot be downloaded: {reason}; {_where(estimator)}"
        ) from error


@contextlib.contextmanager
def _fetched(url: str, path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Downloads into a file, with a progress bar, and gives its path."""
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        length = int(answer.headers.get("Content-Length") or 0)
        bar = tqdm.tqdm(
            total=length or None, desc=path.name[-40:], unit="B", unit_scale=True
        )
        with bar, open(path, "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if length and path.stat().st_size != length:
        raise ValueError(f"{path.stat().st_size:,} bytes came of {length:,}")
    yield path


def _unpack(archive: pathlib.Path, member: str, target: pathlib.Path) -> None:
    """Replaces an archive by one of its files, in whichever folder of it that is."""
    packed = archive.with_name(f"{archive.name}.zip")
    os.replace(archive, packed)
    try:
        with zipfile.ZipFile(packed) as opened:
            names = [n for n in opened.namelist() if n.rpartition("/")[2] == member]
            if not names or opened.getinfo(names[0]).file_size > _MAX_BYTES:
                raise ValueError(f"the archive holds no {member}")
            with opened.open(names[0]) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
    finally:
        packed.unlink(missing_ok=True)
