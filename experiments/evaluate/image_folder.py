"""Folders of images, any method's: what is in them, which files of two belong together,
and their pixels."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.config import Config
from pg2_jax import files
from pg2_jax.photos import photo_files


class Pair(NamedTuple):
    """Two files that belong together."""

    generated: pathlib.Path
    target: pathlib.Path


def pairs(config: Config, remarks: list[str]) -> list[Pair]:
    """The pairs of --generated_dir and --target_dir by the rule of --match; `remarks`
    gets a line on what else lies in a folder."""
    generated = images("generated_dir", config.generated_dir, remarks)
    target = images("target_dir", config.target_dir, remarks)
    folders = (
        f"--generated_dir={config.generated_dir}, --target_dir={config.target_dir}"
    )
    if config.match == "name":
        return _of_one_name(generated, target, folders)
    if len(generated) != len(target):
        raise ValueError(
            f"{folders}: {len(generated)} and {len(target)} images; --match=order "
            "needs equal numbers."
        )
    return [Pair(*pair) for pair in zip(generated, target, strict=True)]


def _of_one_name(
    generated: list[pathlib.Path], target: list[pathlib.Path], folders: str
) -> list[Pair]:
    by_name = _by_stem("generated_dir", generated)
    targets = _by_stem("target_dir", target)
    for flag, names, others in (
        ("target_dir", by_name, targets),
        ("generated_dir", targets, by_name),
    ):
        if lone := [path.name for stem, path in names.items() if stem not in others]:
            raise ValueError(
                f"{folders}: {len(lone)} of {len(names)} files have none of the "
                f"same name in --{flag}: {few(lone)}. --match=order matches sorted "
                "files instead."
            )
    return [Pair(path, targets[stem]) for stem, path in by_name.items()]


def _by_stem(flag: str, paths: list[pathlib.Path]) -> dict[str, pathlib.Path]:
    by_stem: dict[str, pathlib.Path] = {}
    for path in paths:
        other = by_stem.setdefault(files.same_name(path.stem), path)
        if other is not path:
            raise ValueError(
                f"--{flag}={path.parent}: {other.name} and {path.name} have one name; "
                "--match=name cannot tell them apart."
            )
    return by_stem


def images(flag: str, folder: str, remarks: list[str]) -> list[pathlib.Path]:
    """The images of a folder, 2.png before 10.png; what else lies there is remarked."""
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise ValueError(f"--{flag}={folder}: there is no such folder.")
    entries = [x for x in path.iterdir() if not files.is_left_behind(x.name)]
    entries.sort(key=lambda entry: files.natural_order(entry.name))
    chosen = [
        entry
        for entry in entries
        if entry.is_file() and entry.suffix.lower() in photo_files.SUFFIXES
    ]
    if not chosen:
        raise ValueError(
            f"--{flag}={folder} holds no images ({', '.join(photo_files.SUFFIXES)})."
        )
    others = [entry.name for entry in entries if entry not in set(chosen)]
    if others:
        count = f" ({len(others)} in all)" if len(others) > 3 else ""
        remarks.append(f"--{flag}: no images and not used: {few(others)}{count}")
    return chosen


def few(names: Sequence[str]) -> str:
    """The first three names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def read(flag: str, path: pathlib.Path) -> np.ndarray:
    """The image as uint8 [H, W, 3]."""
    try:
        return np.asarray(photo_files.load(path).image)
    except (ValueError, OSError) as error:
        raise ValueError(f"--{flag}: {error}") from error


def stack(
    flag: str, paths: Sequence[pathlib.Path], size: tuple[int, int], whose: str
) -> np.ndarray:
    """The images as uint8 [N, H, W, 3]; all must have the (height, width) of the image
    that `whose` names."""
    arrays = [read(flag, path) for path in paths]
    for path, array in zip(paths, arrays, strict=True):
        if array.shape[:2] != size:
            raise ValueError(
                f"--{flag}: {path} is {array.shape[0]}x{array.shape[1]}, {whose} "
                f"{size[0]}x{size[1]} (height x width); all must have one size."
            )
    return np.stack(arrays)
