"""Pictures one after the other: GIF, WebP and MP4."""

import importlib.util
import os
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import Image

from pg2_jax import errors, files

SUFFIXES = (".gif", ".webp", ".mp4")


def check_suffix(path: files.PathLike) -> None:
    """A ValueError unless an animation can be written: MP4 needs a library."""
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: an animation ends in {', '.join(SUFFIXES)}.")
    if suffix == ".mp4" and not importlib.util.find_spec("imageio_ffmpeg"):
        raise ValueError(
            f"{path}: MP4 needs imageio-ffmpeg: pip install 'pg2_jax[video]' (in a "
            "checkout: pip install '.[video]'), or choose .gif or .webp."
        )


def write(
    path: files.PathLike, frames: Sequence[np.ndarray], per_second: float = 8
) -> None:
    """Writes an animation of frames [H, W, 3] uint8 that repeats, whole or not at all.
    The suffix chooses .gif (256 colours a frame; it counts in hundredths of a second),
    .webp (lossless) or .mp4 (H.264; an odd side gets a row or column more)."""
    check_suffix(path)
    suffix = pathlib.Path(path).suffix.lower()
    if suffix == ".gif" and per_second > 50:
        errors.warn(
            f"{path}: GIF shows at most 50 frames a second, not {per_second:g}; choose "
            ".webp or .mp4."
        )
    with files.replacing(path) as temporary:
        if suffix == ".mp4":
            _write_mp4(temporary, frames, per_second)
            return
        # In milliseconds; the ends of the frames, not their lengths, are rounded.
        unit = 10 if suffix == ".gif" else 1
        ends = np.arange(len(frames) + 1) * 1000 / per_second
        durations = np.diff(np.round(ends / unit) * unit)
        first, *others = (Image.fromarray(frame) for frame in frames)
        first.save(
            temporary,
            save_all=True,
            append_images=others,
            duration=np.maximum(durations, 1).astype(int).tolist(),
            loop=0,
            lossless=True,
        )


def _write_mp4(
    path: pathlib.Path, frames: Sequence[np.ndarray], per_second: float
) -> None:
    import imageio_ffmpeg

    height, width = frames[0].shape[:2]
    odd = ((0, height % 2), (0, width % 2), (0, 0))
    writer = imageio_ffmpeg.write_frames(
        os.fspath(path),
        (width + width % 2, height + height % 2),
        fps=per_second,
        codec="libx264",
        quality=8,
        macro_block_size=2,
    )
    with warnings.catch_warnings():
        # jax warns of every fork; this one becomes ffmpeg at once.
        warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
        writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(np.pad(frame, odd, mode="edge")))
    writer.close()
