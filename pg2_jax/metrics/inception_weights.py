"""Trained weights of Inception-v3, from every form in which they are distributed."""

import hashlib
import os
import pathlib
import tarfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pg2_jax.metrics import inception, state_dict

GRAPH = "classify_image_graph_def.pb"
_ARCHIVES = (".tgz", ".tar.gz")
# The second classifier, which only training needs, and counters.
_UNUSED = ("AuxLogits.", "num_batches_tracked")


class Weights(NamedTuple):
    """A trained network.

    Attributes:
        network: `inception.TF_2015` or `inception.TORCHVISION`.
        params: its weights, float32.
        file: name of the file.
        sha256: checksum of the file.
    """

    network: inception.InceptionV3
    params: dict[str, Any]
    file: str
    sha256: str


def read(path: str | os.PathLike[str]) -> Weights:
    """Reads trained weights; which network they are of follows from the file.

    Args:
        path: the frozen graph of 2015 (.pb, or inception-2015-12-05.tgz as it is
            distributed), or a state dict (.pth, .pt, .safetensors): 1008 classes are
            the graph of 2015 as pytorch-fid and torch-fidelity have it, 1000 are
            torchvision's ImageNet.

    Raises:
        ValueError: the file is absent, damaged, of an unknown kind, or not of
            Inception-v3.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not there, or is no file.")
    if path.name.endswith((".pb", *_ARCHIVES)):
        network, params = inception.TF_2015, from_graph(_graph_bytes(path), str(path))
    elif path.suffix in (".pth", ".pt", ".safetensors"):
        network, params = from_state_dict(state_dict.read(path), str(path))
    else:
        raise ValueError(
            f"{path}: weights of Inception-v3 are .pth, .pt, .safetensors, .pb or .tgz."
        )
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Weights(network, params, path.name, digest)


def from_state_dict(
    state: dict[str, np.ndarray], name: str
) -> tuple[inception.InceptionV3, dict[str, Any]]:
    """The network and the weights of a state dict of torch.

    Args:
        state: arrays by torchvision's names.
        name: of the file, for messages.

    Raises:
        ValueError: names or shapes are not those of Inception-v3.
    """
    used = {key for key in state if not any(word in key for word in _UNUSED)}
    wanted = {"fc.weight", "fc.bias"} | {
        f"{layer}.{weight}"
        for layer, _ in layers()
        for weight in ("conv.weight", *(f"bn.{x}" for x in _TORCH_NORM))
    }
    _check_names(used, wanted, name)
    by_classes = {n.classes: n for n in (inception.TF_2015, inception.TORCHVISION)}
    classes = len(state["fc.bias"])
    if classes not in by_classes:
        raise ValueError(
            f"{name} has {classes} classes; known are 1008 (the graph of 2015) and "
            "1000 (torchvision's ImageNet)."
        )

    def convolution(layer: str) -> dict[str, np.ndarray]:
        norm = [state[f"{layer}.bn.{weight}"] for weight in _TORCH_NORM]
        kernel = state[f"{layer}.conv.weight"]
        kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel
        return {"kernel": kernel, **folded(norm)}

    network = by_classes[classes]
    params: dict[str, Any] = {layer: convolution(layer) for layer, _ in layers()}
    params |= {"fc_kernel": state["fc.weight"].T, "fc_bias": state["fc.bias"]}
    return network, _fitting(params, network, name)


# scale, offset, mean and variance.
_TORCH_NORM = ("weight", "bias", "running_mean", "running_var")
_GRAPH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def from_graph(content: bytes, name: str) -> dict[str, Any]:
    """The weights of the frozen graph of 2015, for `inception.TF_2015`.

    Args:
        content: a serialized GraphDef; reading it takes tensorflow.
        name: of the file, for messages.

    Raises:
        ValueError: it is no graph, or another one.
    """
    nodes = _nodes(content, name)
    norms = {f"{scope}/batchnorm" for _, scope in layers()}
    wanted = {"softmax/weights", "softmax/biases", *norms}
    wanted |= {f"{scope}/conv2d_params" for _, scope in layers()}
    wanted |= {f"{norm}/{weight}" for norm in norms for weight in _GRAPH_NORM}
    _check_names(set(nodes) & wanted, wanted, name)
    value = _constant_reader(nodes)

    def convolution(scope: str) -> dict[str, np.ndarray]:
        """Kernel and folded batch norm of a layer."""
        norm = [value(f"{scope}/batchnorm/{weight}") for weight in _GRAPH_NORM]
        attributes = nodes[f"{scope}/batchnorm"].attr
        if not attributes["scale_after_normalization"].b:
            # The graph holds gamma and does not use it.
            norm[0] = np.ones_like(norm[0])
        kernel = value(f"{scope}/conv2d_params")
        return {"kernel": kernel, **folded(norm, attributes["variance_epsilon"].f)}

    params: dict[str, Any] = {layer: convolution(scope) for layer, scope in layers()}
    params["fc_kernel"] = value("softmax/weights")
    params["fc_bias"] = value("softmax/biases")
    return _fitting(params, inception.TF_2015, name)


def folded(
    norm: Sequence[np.ndarray], epsilon: float = inception.NORM_EPSILON
) -> dict[str, np.ndarray]:
    """Batch norm with fixed statistics as x * gain + offset.

    Args:
        norm: scale, offset, mean and variance, [C] each.
        epsilon: added to the variance.
    """
    scale, offset, mean, variance = (np.asarray(x, np.float64) for x in norm)
    gain = scale / np.sqrt(variance + epsilon)
    return {"gain": gain, "offset": offset - mean * gain}


def layers() -> Iterator[tuple[str, str]]:
    """Each convolution by torchvision's name, which is ours, and by the scope that it
    has in the graph of 2015."""
    for i, conv in enumerate(inception.convolutions(inception.STEM)):
        yield conv.name, _numbered("conv", i)
    for i, (block, branches) in enumerate(inception.BLOCKS.items()):
        towers = 0
        for branch in branches:
            scope = _numbered("mixed", i)
            if len(branch) > 1:
                scope, towers = f"{scope}/{_numbered('tower', towers)}", towers + 1
            for conv, own in _in_branch(branch):
                yield f"{block}.{conv.name}", f"{scope}/{own}"


def _in_branch(branch: inception.Branch) -> Iterator[tuple[inception.Conv, str]]:
    count = 0
    for layer in branch:
        if isinstance(layer, inception.Conv):
            yield layer, _numbered("conv", count)
            count += 1
        elif isinstance(layer, inception.Fork):
            for i, conv in enumerate(layer.layers):
                yield conv, f"mixed/{_numbered('conv', i)}"


def _numbered(name: str, i: int) -> str:
    return f"{name}_{i}" if i else name


def _graph_bytes(path: pathlib.Path) -> bytes:
    if path.suffix == ".pb":
        return path.read_bytes()
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if pathlib.PurePosixPath(member.name).name == GRAPH and member.isfile():
                    file = archive.extractfile(member)
                    return file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ValueError(f"{path} cannot be unpacked: {error}") from error
    raise ValueError(f"{path} does not hold {GRAPH}.")


def _nodes(content: bytes, name: str) -> dict[str, Any]:
    try:
        from tensorflow.core.framework import graph_pb2
    except ImportError as error:
        raise ValueError(
            f"{name} is a TensorFlow graph, which takes tensorflow to read: pip "
            "install 'pg2_jax[data]', or give the weights as .pth."
        ) from error
    from google.protobuf import message

    try:
        graph = graph_pb2.GraphDef.FromString(content)
    except message.DecodeError as error:
        raise ValueError(f"{name} is no TensorFlow graph: {error}") from error
    return {node.name: node for node in graph.node}


def _constant_reader(nodes: dict[str, Any]) -> Callable[[str], np.ndarray]:
    from tensorflow.python.framework import tensor_util

    return lambda key: tensor_util.MakeNdarray(nodes[key].attr["value"].tensor)


def _check_names(found: set[str], wanted: set[str], name: str) -> None:
    missing, unknown = sorted(wanted - found), sorted(found - wanted)
    if missing or unknown:
        word, names = ("lacks", missing) if missing else ("has the unknown", unknown)
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        raise ValueError(
            f"{name} holds no Inception-v3: it {word} {', '.join(names[:3])}{more}."
        )


def _fitting(
    params: dict[str, Any], network: inception.InceptionV3, name: str
) -> dict[str, Any]:
    """The weights as float32 on the device, if they have the network's shapes."""
    what = f"{name} holds no Inception-v3"
    return state_dict.fitted(params, inception.parameter_shapes(network), what, name)
