"""Photos of any kind as upright RGB pixels."""

import os
import pathlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pg2_jax import errors
from pg2_jax.photos import photo_files


class Photo(NamedTuple):
    """A photo as a program or a person gave it."""

    image: Image.Image  # upright, RGB
    name: str  # for messages
    reduction: int = 1  # the file's sides are as many times as long


def to_photo(image: Any) -> Photo:
    """A photo as an upright RGB Pillow image, and its name for messages: of a path of a
    photo in a format of `photo_files`, of an animation the first frame, with a warning;
    of a Pillow image; or of an array, grey [H, W] or [H, W, 1], RGB [H, W, 3] or RGBA
    [H, W, 4], uint8, or floats in [0, 1], or, where one is negative, in [-1, 1].
    Transparency is composited on white; a JPEG of more pixels than are read is decoded
    at a part of its size, with a warning. Anything else is a ValueError."""
    if isinstance(image, str | os.PathLike):
        path = pathlib.Path(image).expanduser()
        if not path.exists():
            raise ValueError(f"{image}: there is no such file.")
        upright = photo_files.load(path, large=True)
        for note in upright.notes:
            if note.startswith(photo_files.FIRST_OF):
                errors.warn(f"{image}: {note} is taken.")
        if upright.reduction > 1:
            size = f"1/{upright.reduction} of its size"
            errors.warn(f"{image} is so large that it was read at {size}.")
        return Photo(upright.image, os.fspath(image), upright.reduction)
    name = "the photo"
    if isinstance(image, Image.Image):
        name = getattr(image, "filename", "") or name
    else:
        image = Image.fromarray(to_uint8(np.asarray(image)))
    with errors.said_of(name):
        return Photo(photo_files.upright_rgb(image), name)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """A photo by the rule of `to_photo` as uint8 [H, W, 3], or transparent [H, W,
    4]."""
    shape = pixels.shape
    if len(shape) == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        raise ValueError(
            f"A photo is an array [height, width] or [height, width, 1, 3 or 4]; got "
            f"{list(shape)}."
        )
    if np.issubdtype(pixels.dtype, np.floating):
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= -1 and high <= 1):  # Not a number is neither.
            raise ValueError(
                "A photo of floats is in 0 .. 1 or in -1 .. 1; this one is in "
                f"{low:g} .. {high:g}. Convert 0 .. 255 with astype('uint8')."
            )
        scaled = (pixels + 1) / 2 if low < 0 else pixels
        pixels = np.round(scaled * 255).astype(np.uint8)
    if pixels.dtype != np.uint8:
        known = "uint8, or floats in 0 .. 1 or -1 .. 1"
        raise ValueError(f"A photo is {known}; got {pixels.dtype}.")
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
