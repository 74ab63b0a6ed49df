"""Folders of images that a flag names: what is in them, read into arrays."""

import pathlib
from collections.abc import Sequence

import numpy as np

from pg2_jax.photos import photo_files


def images(flag: str, folder: str, remarks: list[str]) -> list[pathlib.Path]:
    """The images of a folder, sorted by name; what else lies there is remarked.

    Raises:
        ValueError: no such folder, or no images in it.
    """
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise ValueError(f"--{flag}={folder}: there is no such folder.")
    found = sorted(path.iterdir(), key=lambda entry: entry.name)
    chosen = [
        f for f in found if f.is_file() and f.suffix.lower() in photo_files.SUFFIXES
    ]
    if not chosen:
        raise ValueError(
            f"--{flag}={folder} holds no images ({', '.join(photo_files.SUFFIXES)})."
        )
    others = [entry.name for entry in found if entry not in set(chosen)]
    if others:
        count = f" ({len(others)} in all)" if len(others) > 3 else ""
        remarks.append(f"--{flag}: no images and not used: {few(others)}{count}")
    return chosen


def few(names: Sequence[str]) -> str:
    """The first three names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def read(flag: str, path: pathlib.Path) -> np.ndarray:
    """The image as uint8 [H, W, 3].

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return np.asarray(photo_files.load(path).image)
    except (ValueError, OSError) as error:
        raise ValueError(f"--{flag}: {error}") from error


def stack(
    flag: str, paths: Sequence[pathlib.Path], size: tuple[int, int], whose: str
) -> np.ndarray:
    """The images as uint8 [N, H, W, 3].

    Args:
        flag: that names their folder.
        paths: of the images.
        size: (height, width) that all must have.
        whose: what has that size, for the message.

    Raises:
        ValueError: an image cannot be read or has another size.
    """
    found = []
    for path in paths:
        image = read(flag, path)
        if image.shape[:2] != size:
            raise ValueError(
                f"--{flag}: {path} is {image.shape[0]}x{image.shape[1]}, {whose} "
                f"{size[0]}x{size[1]} (height x width); all must have one size."
            )
        found.append(image)
    return np.stack(found)
