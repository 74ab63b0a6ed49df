"""A model as an ONNX file: for programs without jax or python, and for the browser.

Inputs: "photos" uint8 [batch, H, W, 3] in RGB; "source_keypoints", those of the people
in the photos, where the architecture `needs_source_pose`; and "keypoints", the poses to
generate, float32 [batch, 18, 3], (x, y, visible) in pixels. Outputs: images uint8
[batch, H, W, 3] by kind, see `generation.draw`. It computes in float32.

`onnx_program` translates. The converter jax2onnx 0.17.1 needs an orbax-checkpoint older
than ours, and of 0.13.0 ONNX Runtime refuses the graph of pg2plus for any batch.
"""

import dataclasses
import importlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from pg2_jax import errors, files, generation, inputs, pose
from pg2_jax.architecture import Architecture
from pg2_jax.inference import pose_library, retarget

SUFFIX = ".onnx"
_OLDEST_RUNTIME = (1, 20)
# Of the image's range, between jax and ONNX Runtime: of all but one value in a
# thousand, and of these. pg2plus reads places to 1/256 pixel, so a rounding error can
# move one by as much.
_TOLERANCE, _OF_SINGLE_VALUES = 1e-4, 1e-2
_EXACT = "exact_"


def require_packages() -> None:
    """A ValueError unless what writes and checks a file is installed."""
    if lacks := _lacks("onnx") or _lacks("onnxruntime"):
        raise errors.ArgumentError("form", "onnx", lacks)


def program(
    architecture: Architecture,
    weights: Mapping[str, Any],
    dtype: str,
    about: Mapping[str, str],
) -> bytes:
    """The file, which gives the images of jax: it was run, and a ValueError says if
    they differ. The `weights` "coarse" and "refine" are those of `generation.draw`,
    float32, stored in the dtype if they lose nothing by it; `about` is what the file
    says of itself."""
    require_packages()
    import onnx

    from pg2_jax.onnx_program import graph, translate

    architecture = dataclasses.replace(architecture, precision="float32", remat=False)
    draw = generation.program(generation.draw, weights, architecture)

    def both(*arrays: jax.Array) -> dict[str, jax.Array]:
        exact = draw(*arrays)
        images = {name: inputs.to_uint8(image) for name, image in exact.items()}
        return {**images, **{_EXACT + name: image for name, image in exact.items()}}

    written = graph.Graph(jnp.dtype(dtype))
    outputs = translate.write(written, both, inputs_of(architecture))
    model = written.model(outputs, about)
    onnx.checker.check_model(model, full_check=True)
    _compare(model.SerializeToString(), jax.jit(draw), architecture)
    kept = {name: x for name, x in outputs.items() if not name.startswith(_EXACT)}
    said = {**about, "inputs_and_outputs": _explained(architecture, list(kept))}
    return bytes(written.model(kept, said).SerializeToString())


def load(
    path: files.PathLike,
) -> tuple[dict[str, str], Callable[[Any, Any, Any], dict[str, Any]]]:
    """What a file says of itself, and what generates as `exported_model.Program`."""
    if lacks := _lacks("onnxruntime"):
        raise ValueError(f"{path}{lacks}")
    session = _session(os.fspath(path), str(path))
    outputs = [output.name for output in session.get_outputs()]
    takes_source = len(session.get_inputs()) > 2

    def generate(photos: Any, source_keypoints: Any, keypoints: Any) -> Any:
        given = {"photos": photos, "keypoints": keypoints}
        if takes_source:
            given["source_keypoints"] = source_keypoints
        return dict(zip(outputs, session.run(outputs, given), strict=True))

    return dict(session.get_modelmeta().custom_metadata_map), generate


def inputs_of(architecture: Architecture) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of the inputs, in order, of any number of people."""
    (batch,) = jax.export.symbolic_shape("batch")
    keypoints = jax.ShapeDtypeStruct((batch, 18, 3), np.float32)
    source = {"source_keypoints": keypoints} if architecture.needs_source_pose else {}
    photos = jax.ShapeDtypeStruct((batch, *architecture.size, 3), np.uint8)
    return {"photos": photos, **source, "keypoints": keypoints}


def _explained(architecture: Architecture, outputs: list[str]) -> str:
    height, width = architecture.size
    image = f"uint8 [batch, {height}, {width}, 3], RGB, 0 to 255"
    points = (
        f"float32 [batch, 18, 3], (x, y, visible): x from 0 to {width - 1}, y from 0 "
        f"to {height - 1} in pixels, visible 1; a missing point is (0, 0, 0)"
    )
    about = {
        "photos": f"the people; {image}",
        "source_keypoints": f"of the people in the photos; {points}",
        "keypoints": f"the poses to generate; {points}",
    }
    taken = {name: about[name] for name in inputs_of(architecture)}
    given = dict.fromkeys(outputs, image)
    return json.dumps({"inputs": taken, "outputs": given, "keypoints": pose.JOINTS})


def _compare(
    model: bytes, draw: Callable[..., dict[str, jax.Array]], architecture: Architecture
) -> None:
    given = _example(architecture)
    session = _session(model, "The ONNX model")
    with jax.default_matmul_precision("float32"):  # on a GPU as well
        want = {name: np.asarray(x) for name, x in draw(*given.values()).items()}
    got = session.run([_EXACT + name for name in want], given)
    for (name, image), other in zip(want.items(), got, strict=True):
        # About [-1, 1]; of an untrained network far more.
        difference = np.abs(image - other) / max(2.0, np.ptp(image))
        apart, most = np.quantile(difference, 0.999), difference.max()
        if not (apart <= _TOLERANCE and most <= _OF_SINGLE_VALUES):
            raise ValueError(
                f"The {name} image of ONNX Runtime differs from that of jax by "
                f"{apart:.1e} of its range, single values by {most:.1e}, more than "
                f"{_TOLERANCE} or {_OF_SINGLE_VALUES}: nothing is written."
            )


def _example(architecture: Architecture) -> dict[str, np.ndarray]:
    """Two people in two poses, in smooth photos, which pg2plus reads to 1/256 pixel."""
    height, width = architecture.size
    rows, columns = np.mgrid[:height, :width] / height
    waves = [np.sin(6 * rows * k + 5 * columns + k) for k in range(1, 4)]
    photo = (127.5 + 127 * np.stack(waves, axis=-1)).astype(np.uint8)
    poses = list(pose_library.read("catalogue").values())[:4]
    points = retarget.fit_to_image(np.stack(poses), height, width, alone=True)
    points[1, 4] = points[3, 10] = 0  # a wrist and an ankle are not seen
    photos = np.stack([photo, photo[::-1]])
    known = {"photos": photos, "source_keypoints": points[:2], "keypoints": points[2:]}
    return {name: known[name] for name in inputs_of(architecture)}


def _session(model: str | bytes, name: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    where = ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(model, options, providers=where)
    except Exception as error:
        # It has classes of its own for what it cannot read.
        first = str(error).partition("\n")[0][:200]
        raise ValueError(
            f"{name}: not a model that ONNX Runtime can run, or damaged ({first})."
        ) from error


def _lacks(name: str) -> str:
    """What is said where a package is missing or too old; empty where it is not."""
    install = "pip install 'pg2_jax[onnx]' (in a checkout: pip install '.[onnx]')."
    try:
        version = importlib.import_module(name).__version__
    except ImportError:
        return f" needs {name}: {install}"
    major, minor = (int(part) for part in version.split(".")[:2])
    if name != "onnxruntime" or (major, minor) >= _OLDEST_RUNTIME:
        return ""
    oldest = ".".join(map(str, _OLDEST_RUNTIME))
    return f" needs onnxruntime {oldest} or later, not {version}: {install}"
