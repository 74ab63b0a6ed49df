"""The page as a folder of files: the browser itself runs the model, by onnxruntime-web,
and nothing is uploaded."""

import base64
import contextlib
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from data_prep import command_line
from experiments.demo import model_queue, page_setup
from experiments.demo.model_queue import ModelQueue, Person
from pg2_jax import errors, files
from pg2_jax.inference import exported_model, pose_library
from pg2_jax.keypoints import MIN_CONFIDENCE

MODEL = "model.onnx"
PACKAGE = "onnxruntime-web@1.30.0"  # of npm
# What the page loads of it: the program for the CPU, and its WebAssembly.
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
_FETCH_SECONDS = 600
_PAGE = pathlib.Path(__file__).parent / "page"
# Where a visitor begins to place the joints of a person.
_STANDING = "Front"


def check(folder: pathlib.Path, workdir: str) -> None:
    """Refuses, before anything is loaded, a folder that holds something, and a model
    without weights; and says which package is missing."""
    command_line.check_folder("--static", folder)
    if pathlib.Path(workdir).suffix in (".jax_export", ".onnx"):
        raise ValueError(
            f"--workdir={workdir} is a compiled program; --static needs the weights, "
            "of a run or of a .safetensors file."
        )
    try:
        exported_model.check_path(MODEL, "onnx")
    except errors.ArgumentError as error:
        raise ValueError(f"--static={folder}{error.rule}") from error


@contextlib.contextmanager
def runtime(folder: str) -> Iterator[list[pathlib.Path]]:
    """The files `RUNTIME` of the package in a folder; without one npm fetches it."""
    with tempfile.TemporaryDirectory() as temporary:
        package = pathlib.Path(folder or _fetched(pathlib.Path(temporary)))
        paths = [package / "dist" / name for name in RUNTIME]
        for path in paths:
            if not path.is_file():
                raise ValueError(
                    f"--onnxruntime_web={folder}: there is no file dist/{path.name}; "
                    f"expected the npm package {PACKAGE}, unpacked."
                )
        yield paths


def _fetched(folder: pathlib.Path) -> pathlib.Path:
    advice = "give that package, unpacked: --onnxruntime_web=FOLDER."
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(
            f"--static needs npm (https://nodejs.org) to fetch {PACKAGE}; or {advice}"
        )
    command = [npm, "pack", PACKAGE, "--loglevel=error", "--pack-destination=."]
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, timeout=_FETCH_SECONDS
        )
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as package:
            for name in RUNTIME:
                package.extract(f"package/dist/{name}", folder, filter="data")
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        lines = said.decode(errors="replace").strip().splitlines()
        # The code, and what it means.
        reason = "; ".join(line.removeprefix("npm error ") for line in lines[:2])
        raise ValueError(
            f"--static: npm could not fetch {PACKAGE} ({reason[:300]}); try again, or "
            f"{advice}"
        ) from error
    return folder / "package"


def write(
    folder: pathlib.Path,
    queue: ModelQueue,
    people: dict[str, Person],
    runtime_files: Sequence[pathlib.Path],
    max_bytes: int,
) -> None:
    """Writes the page, whole or not at all, of a model with weights; `people` are the
    examples, and a visitor's file may have so many bytes."""
    with files.replacing_folder(folder) as built:
        queue.model.export(built / MODEL, "onnx")
        shutil.copytree(_PAGE, built / "page")
        (built / "page" / "index.html").rename(built / "index.html")
        (built / "onnxruntime").mkdir()
        for path in runtime_files:
            # Not all web servers know that .mjs is JavaScript.
            name = path.name.replace(".mjs", ".js")
            shutil.copy(path, built / "onnxruntime" / name)
        setup = {**_setup(queue, people), "max_bytes": max_bytes}
        (built / "people").mkdir()
        # The pictures of the examples become files.
        for number, person in enumerate(setup["people"], start=1):
            content = person["picture"].partition(",")[2]
            person["picture"] = f"people/{number}.png"
            (built / person["picture"]).write_bytes(base64.b64decode(content))
        files.write_text(built / "setup.json", json.dumps(setup))


def _setup(queue: ModelQueue, people: dict[str, Person]) -> dict[str, Any]:
    """What the server says, and what the browser does in its place needs to know."""
    # A compiled program makes pictures of the model's size only.
    small = {name: person._replace(large=None) for name, person in people.items()}
    architecture = queue.model.architecture
    return {
        **page_setup.setup(queue, small),
        "model": MODEL,
        "needs_source_pose": architecture.needs_source_pose,
        "needs_view": architecture.pose_embedding == "view",
        "standing": _STANDING,
        "sequence_poses": {
            name: [points.tolist() for points in pose_library.read(name).values()]
            for name in page_setup.SEQUENCES
        },
        "margin": model_queue.MARGIN,
        "pose_suffixes": [".json"],
        "min_confidence": MIN_CONFIDENCE,
    }
