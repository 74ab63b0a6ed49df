"""Trained weights of the networks that metrics look through."""

import pathlib
from typing import Any, Generic, NamedTuple, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

Network = TypeVar("Network")


class Weights(NamedTuple, Generic[Network]):
    """A trained network: its weights in float32, and the file that they are from."""

    network: Network
    params: dict[str, Any]
    file: str
    sha256: str


def check_file(path: pathlib.Path, suffixes: tuple[str, ...], whose: str) -> None:
    """Refuses a path without a file, or with another suffix."""
    if not path.is_file():
        raise ValueError(f"{path} does not exist, or is not a file.")
    if path.suffix not in suffixes:
        raise ValueError(f"{path}: weights of {whose} are {', '.join(suffixes)}.")


def shapes_of(network: nn.Module, side: int, images: int = 1) -> dict[str, Any]:
    """The shapes of the weights of a network of square images, nested as they are."""
    image = jnp.zeros((1, side, side, 3), jnp.uint8)
    key = jax.random.key(0)
    return jax.eval_shape(network.init, key, *[image] * images)["params"]


def fitted(value: Any, shapes: Any, what: str, file: str, label: str = "") -> Any:
    """Arrays nested by name as float32 on the device, if they are the network's. `what`
    begins the message where names or shapes are others, `file` where numbers are not
    finite; `label` says where in the network they are."""
    if isinstance(shapes, dict):
        if set(value) != set(shapes):
            raise ValueError(f"{what}: {label}has {sorted(value)}.")
        return {
            name: fitted(value[name], shape, what, file, f"{label}{name} ")
            for name, shape in shapes.items()
        }
    if tuple(value.shape) != shapes.shape:
        given = f"{label}has the shape {value.shape}"
        raise ValueError(f"{what}: {given}, needed is {shapes.shape}.")
    if not np.isfinite(value).all():
        raise ValueError(f"{file}: {label}holds NaN or infinite values.")
    return jnp.asarray(value, jnp.float32)
