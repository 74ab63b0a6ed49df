"""Trained weights of Inception-v3, as state dicts of torch."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pg2_jax import downloads, errors
from pg2_jax.metrics import inception, state_dict, weights

Weights = weights.Weights[inception.InceptionV3]
# The second classifier, which only training needs, and counters.
_UNUSED = ("AuxLogits.", "num_batches_tracked")
# Scale, offset, mean and variance.
_NORM = ("weight", "bias", "running_mean", "running_var")


def read(path: pathlib.Path) -> Weights:
    """Reads a state dict by torchvision's names; the classes tell the network."""
    weights.check_file(path, (".pth", ".pt", ".safetensors"), "Inception-v3")
    network, params = from_state_dict(state_dict.read(path), str(path))
    return weights.Weights(network, params, path.name, downloads.sha256(path))


def from_state_dict(
    state: Mapping[str, np.ndarray], name: str
) -> tuple[inception.InceptionV3, dict[str, Any]]:
    """Network and weights of a state dict, of the file `name`: of 1008 classes the
    graph of 2015 as pytorch-fid and torch-fidelity have it, of 1000 torchvision's
    ImageNet."""
    by_classes = {n.classes: n for n in (inception.TF_2015, inception.TORCHVISION)}
    classes = len(state.get("fc.bias", ()))
    network = by_classes.get(classes, inception.TF_2015)
    shapes = weights.shapes_of(network, inception.SIDE)
    layers = sorted(shapes.keys() - {"fc_kernel", "fc_bias"})
    what = f"{name} holds no Inception-v3"
    used = {key for key in state if not any(word in key for word in _UNUSED)}
    own = ("conv.weight", *(f"bn.{part}" for part in _NORM))
    wanted = {f"{layer}.{part}" for layer in layers for part in own}
    wanted |= {"fc.weight", "fc.bias"}
    for verb, names in (("lacks", wanted - used), ("has the unknown", used - wanted)):
        if names:
            raise ValueError(f"{what}: it {verb} {errors.few(sorted(names))}.")
    if classes not in by_classes:
        raise ValueError(
            f"{name} has {classes} classes; known are 1008 (the graph of 2015) and "
            "1000 (torchvision's ImageNet)."
        )
    params: dict[str, Any] = {"fc_kernel": state["fc.weight"].T}
    params["fc_bias"] = state["fc.bias"]
    for layer in layers:
        kernel = state[f"{layer}.conv.weight"]
        kernel = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel
        norm = [state[f"{layer}.bn.{part}"] for part in _NORM]
        params[layer] = {"kernel": kernel, **_folded(*norm)}
    return network, weights.fitted(params, shapes, what, name)


def _folded(*norm: np.ndarray) -> dict[str, np.ndarray]:
    """Batch norm with fixed statistics, [C] each, as x * gain + offset."""
    scale, offset, mean, variance = (np.asarray(x, np.float64) for x in norm)
    gain = scale / np.sqrt(variance + inception.NORM_EPSILON)
    return {"gain": gain, "offset": offset - mean * gain}
