"""onnxruntime-web, which runs a model in a browser: from npm, or from a folder."""

import contextlib
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator

VERSION = "1.30.0"
# What the page loads: the program for the CPU, and its WebAssembly.
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
_PACKAGE = f"onnxruntime-web@{VERSION}"
_FOLDER = "dist"
_SECONDS = 600


@contextlib.contextmanager
def files(folder: str) -> Iterator[list[pathlib.Path]]:
    """The FILES of the npm package unpacked in a folder; without a folder it is fetched
    by npm and is gone afterwards. A ValueError if there is none."""
    if folder:
        yield _in_folder(pathlib.Path(folder))
        return
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(
            f"--static needs npm (https://nodejs.org) to fetch {_PACKAGE}; or give "
            "that package, unpacked: --onnxruntime_web=FOLDER."
        )
    with tempfile.TemporaryDirectory() as temporary:
        yield _fetched(npm, pathlib.Path(temporary))


def _in_folder(folder: pathlib.Path) -> list[pathlib.Path]:
    paths = [folder / _FOLDER / name for name in FILES]
    for path in paths:
        if not path.is_file():
            raise ValueError(
                f"--onnxruntime_web={folder}: there is no file {_FOLDER}/{path.name}; "
                f"expected the npm package {_PACKAGE}, unpacked."
            )
    return paths


def _fetched(npm: str, folder: pathlib.Path) -> list[pathlib.Path]:
    command = [npm, "pack", _PACKAGE, "--loglevel=error"]
    command += ["--pack-destination", str(folder)]
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, timeout=_SECONDS
        )
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as package:
            for name in FILES:
                package.extract(f"package/{_FOLDER}/{name}", folder, filter="data")
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        lines = said.decode(errors="replace").strip().splitlines()
        # The code, and what it means.
        reason = "; ".join(line.removeprefix("npm error ") for line in lines[:2])
        raise ValueError(
            f"--static: npm could not fetch {_PACKAGE} ({reason[:300]}); try again, "
            "or give that package, unpacked: --onnxruntime_web=FOLDER."
        ) from error
    return _in_folder(folder / "package")
