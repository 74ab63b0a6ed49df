"""A model in one file: for sharing, and for programs that do not train.

Three formats, all with the config, the step and a version inside:

- safetensors: the weights of G1 and G2 by name, "coarse/..." and "refine/...", and the
  rest as metadata;
- jax_export: a zip of "model.json" and "program", the serialized `jax.export` of
  (photos uint8 [B, H, W, 3], keypoints float32 [B, 18, 3]) -> images, weights included,
  for any B, on CPU, CUDA and TPU; a model that `needs_source_pose` takes the keypoints
  of the photos between the two. jax alone runs it; nothing of this package is needed;
- onnx: the same for ONNX Runtime and whatever else reads ONNX, see `onnx_model`.
"""

import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from flax import traverse_util

from pg2_jax import cpu_convolution, errors, files, generation
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore, run_folder
from pg2_jax.checkpoint.restore import Generators
from pg2_jax.inference import onnx_model
from pg2_jax.input_pipeline import cloud_files

# What this code writes, and the newest that it reads.
VERSION = 1
FORMATS = run_folder.FORMATS
DTYPES = ("float32", "float16", "bfloat16")
PLATFORMS = ("cpu", "cuda", "tpu")
_KEY = "pg2_jax_bundle"


class Program(NamedTuple):
    """A compiled model without weights that could be taken out of it."""

    step: int  # finished training steps
    architecture: Architecture
    config: dict[str, Any]  # every setting of the run
    # (photos, their keypoints, keypoints) -> images, as `generation.generate`.
    generate: Callable[[Any, Any, Any], dict[str, jax.Array]]


def check_path(path: files.PathLike, form: str) -> None:
    """A ValueError unless a file is named as its format is, and can be written."""
    errors.check_choice("form", form, FORMATS)
    suffix = pathlib.Path(path).suffix
    if suffix != f".{form}":
        other = f" Or choose the format {suffix[1:]}." if suffix[1:] in FORMATS else ""
        rule = f" must end in .{form}, as its format is.{other}"
        raise errors.ArgumentError("output", path, rule)
    if form == "onnx":
        onnx_model.require_packages()


def write(
    path: files.PathLike,
    generators: Generators,
    form: str = "safetensors",
    dtype: str = "float32",
) -> None:
    """Writes a model in one of `FORMATS`, which the path ends in, with its weights in
    one of `DTYPES`, from which float32 is computed; whole or not at all, also in cloud
    storage. An ONNX model whose images differ from those of jax is a ValueError."""
    check_path(path, form)
    errors.check_choice("dtype", dtype, DTYPES)
    weights = {"coarse": generators.coarse, "refine": generators.refine}
    stored = jax.tree.map(lambda x: np.asarray(x).astype(jnp.dtype(dtype)), weights)
    about = {
        _KEY: str(VERSION),
        "step": str(generators.step),
        "dtype": dtype,
        "config": json.dumps(public_config(generators.config)),
        "architecture": json.dumps(dataclasses.asdict(generators.architecture)),
        "versions": json.dumps(restore.versions()),
    }
    with cloud_files.replacing(path, "output") as temporary:
        if form == "safetensors":
            kept = {name: tree for name, tree in stored.items() if tree is not None}
            flat = traverse_util.flatten_dict(kept, sep="/")
            # Its own writer makes files that only their owner may read.
            temporary.write_bytes(safetensors.numpy.save(flat, metadata=about))
        elif form == "onnx":
            computed = jax.tree.map(lambda x: x.astype(np.float32), stored)
            how = generators.architecture, computed, dtype
            temporary.write_bytes(onnx_model.program(*how, about))
        else:
            program = _export(generators.architecture, stored)
            with zipfile.ZipFile(temporary, "w") as archive:
                archive.writestr("model.json", json.dumps(about, indent=2))
                archive.writestr("program", program)


def _export(architecture: Architecture, stored: dict[str, Any]) -> bytes:
    def generate(*given: jax.Array) -> dict[str, jax.Array]:
        weights = jax.tree.map(lambda x: x.astype(jnp.float32), stored)
        return generation.program(generation.generate, weights, architecture)(*given)

    given = onnx_model.inputs_of(architecture).values()
    exported = jax.export.export(jax.jit(generate), platforms=PLATFORMS)(*given)
    return bytes(exported.serialize())


def public_config(config: dict[str, Any]) -> dict[str, Any]:
    """A config to be shared: absolute paths tell of the machine, and are cut short."""
    return {
        name: pathlib.PurePath(value).name
        if isinstance(value, str) and value.startswith(("/", "~"))
        else value
        for name, value in config.items()
    }


def read(
    path: files.PathLike, precision: str = "", argument: str = "workdir"
) -> Generators | Program:
    """Reads a model in any of the formats, to compute in the precision "float32" or
    "bfloat16"; empty is the run's own. A compiled model of another precision, and a
    file that is no such model, damaged, or of a later version, is a ValueError; for one
    that cannot be fetched it names the argument."""
    try:
        with cloud_files.fetched(path, argument) as file:
            model = _reader(file)(file, str(path))
    except (safetensors.SafetensorError, zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"{path}: not a model exported by this program, or damaged ({error}). "
            "Export or download it again."
        ) from error
    if precision in ("", model.architecture.precision):
        return model
    if isinstance(model, Program):
        raise ValueError(
            f"{path} was made to compute in {model.architecture.precision}, not in "
            f"{precision}."
        )
    architecture = dataclasses.replace(model.architecture, precision=precision)
    return dataclasses.replace(model, architecture=architecture)


def _reader(file: pathlib.Path) -> Callable[..., Generators | Program]:
    # ONNX is known by its suffix, the others by how they begin.
    if file.suffix == onnx_model.SUFFIX:
        return _read_onnx
    with open(file, "rb") as opened:
        return _read_program if opened.read(2) == b"PK" else _read_weights


def _read_onnx(file: pathlib.Path, path: str) -> Program:
    about, generate = onnx_model.load(file)
    step, architecture, config = _described(path, about)
    # Whatever the run computed in.
    architecture = dataclasses.replace(architecture, precision="float32")
    return Program(step, architecture, config, generate)


def _read_weights(file: pathlib.Path, path: str) -> Generators:
    with safetensors.safe_open(file, framework="flax") as opened:
        step, architecture, config = _described(path, opened.metadata() or {})
        stored = {key: np.asarray(opened.get_tensor(key)) for key in opened.keys()}  # noqa: SIM118
    shapes = traverse_util.flatten_dict(restore.weight_shapes(architecture), sep="/")
    for key, expected in shapes.items():
        shape = stored[key].shape if key in stored else "nothing"
        if shape != expected.shape:
            raise ValueError(
                f"{path}: the weight {key} should have the shape {expected.shape}, the "
                f"file has {shape}: it does not belong to its config."
            )
    flat = {key: jnp.asarray(stored[key].astype(np.float32)) for key in shapes}
    weights = traverse_util.unflatten_dict(flat, sep="/")
    players = weights["coarse"], weights.get("refine")
    return Generators(step, architecture, config, *players)


def _read_program(file: pathlib.Path, path: str) -> Program:
    with zipfile.ZipFile(file) as archive:
        described = _described(path, json.loads(archive.read("model.json")))
        program = jax.export.deserialize(bytearray(archive.read("program")))
    here = jax.default_backend()
    if ("cuda" if here == "gpu" else here) not in program.platforms:
        raise ValueError(
            f"{path} was exported for {', '.join(program.platforms)}, this machine "
            f"runs on {here}."
        )
    _, architecture, _ = described
    call = jax.jit(program.call, compiler_options=cpu_convolution.compiler_options())

    def generate(photos: Any, source_keypoints: Any, keypoints: Any) -> Any:
        given = (source_keypoints,) if architecture.needs_source_pose else ()
        return call(photos, *given, keypoints)

    return Program(*described, generate)


def _described(
    path: str, about: dict[str, str]
) -> tuple[int, Architecture, dict[str, Any]]:
    """Step, architecture and config; refuses files of others and of later versions."""
    if _KEY not in about:
        raise ValueError(
            f"{path}: not a model exported by this program (its metadata has no "
            f"{_KEY}); export one from its run."
        )
    restore.check_version(path, int(about[_KEY]), VERSION)
    architecture = restore.architecture_of(json.loads(about["architecture"]))
    config = run_folder.with_current_names(json.loads(about["config"]))
    return int(about["step"]), architecture, config
