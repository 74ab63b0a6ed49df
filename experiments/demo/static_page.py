"""The page as a folder of files: the browser itself runs the model, and nothing is
uploaded."""

import base64
import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

from data_prep import command_line
from experiments.demo import model_queue, page_setup
from experiments.demo.model_queue import ModelQueue, Person
from pg2_jax import errors, files
from pg2_jax.inference import exported_model, pose_library
from pg2_jax.keypoints import MIN_CONFIDENCE

MODEL = "model.onnx"
RUNTIME = "onnxruntime"
_PROGRAMS = (".jax_export", ".onnx")
_PAGE = pathlib.Path(__file__).parent / "page"
# Where a visitor begins to place the joints of a person.
_STANDING = "Front"


def check(folder: pathlib.Path, workdir: str) -> None:
    """Refuses, before anything is loaded, a folder that holds something, and a model
    without weights; and says which package is missing."""
    command_line.check_folder("--static", folder)
    if pathlib.Path(workdir).suffix in _PROGRAMS:
        raise ValueError(
            f"--workdir={workdir} is a compiled program; --static needs the weights, "
            "of a run or of a .safetensors file."
        )
    try:
        exported_model.check_path(MODEL, "onnx")
    except errors.ArgumentError as error:
        raise ValueError(f"--static={folder}{error.rule}") from error


def write(
    folder: pathlib.Path,
    queue: ModelQueue,
    people: dict[str, Person],
    runtime: Sequence[pathlib.Path],
    max_bytes: int,
) -> None:
    """Writes the page, whole or not at all, of a model with weights. `runtime` are the
    files of onnxruntime-web, `people` the examples; a visitor's file may have so many
    bytes."""
    with files.replacing_folder(folder) as built:
        queue.model.export(built / MODEL, "onnx")
        shutil.copytree(_PAGE, built / "page")
        (built / "page" / "index.html").rename(built / "index.html")
        (built / RUNTIME).mkdir()
        for path in runtime:
            # Not all web servers know that .mjs is JavaScript.
            name = path.with_suffix(".js") if path.suffix == ".mjs" else path
            shutil.copy(path, built / RUNTIME / name.name)
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
