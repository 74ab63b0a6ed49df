"""Folders of images, any method's: which files of two belong together."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.config import Config
from experiments.evaluate import pair_names
from pg2_jax import files
from pg2_jax.errors import few
from pg2_jax.photos import photo_files


class Pair(NamedTuple):
    """Two files that belong together."""

    generated: pathlib.Path
    target: pathlib.Path
    source: str = ""  # how the generated one's name calls the source, if it does


def pairs(config: Config, remarks: list[str]) -> list[Pair]:
    """The pairs of --generated_dir and --target_dir by the rule of --match; `remarks`
    gets lines on other files, and on names that speak for other pairs."""
    generated = images("generated_dir", config.generated_dir, remarks)
    target = images("target_dir", config.target_dir, remarks)
    named = _named(generated, target)
    folders = f"--generated_dir={config.generated_dir}"
    folders += f", --target_dir={config.target_dir}"
    if config.match == "name":
        return _by_name(generated, target, named, folders, remarks)
    if len(generated) != len(target):
        raise ValueError(
            f"{folders}: {len(generated)} and {len(target)} images; --match=order "
            "needs equal numbers."
        )
    both = list(zip(map(Pair, generated, target), named, strict=True))
    disagree = [(x, said) for x, said in both if said and said.target != x.target]
    if disagree:
        pair, said = disagree[0]
        remarks.append(
            f"WARNING: the order and the names of {len(disagree)} of {len(both)} "
            f"files disagree: {pair.generated.name} is scored with {pair.target.name}, "
            f"its name says {said.target.name}; --match=name follows the names"
        )
    # What agrees may also know the source.
    return [said if said and said.target == x.target else x for x, said in both]


def _named(
    generated: list[pathlib.Path], target: list[pathlib.Path]
) -> list[Pair | None]:
    """The pair of each generated image by its name, None where it names no target."""
    photos = pair_names.Photos(path.name for path in target)
    paths = {path.name: path for path in target}
    found = [photos.find(path.name) for path in generated]
    if not any(found):
        inside = [photos.find_inside(path.name) for path in generated]
        named = [one.photo for one in inside if one]
        # One name in many files is a coincidence, such as that of a step.
        found = inside if len(set(named)) == len(named) else found
    return [
        Pair(path, paths[one.photo], one.source) if one else None
        for path, one in zip(generated, found, strict=True)
    ]


def _by_name(
    generated: list[pathlib.Path],
    target: list[pathlib.Path],
    named: list[Pair | None],
    folders: str,
    remarks: list[str],
) -> list[Pair]:
    for flag, paths in (("generated_dir", generated), ("target_dir", target)):
        by_stem: dict[str, pathlib.Path] = {}
        for path in paths:
            other = by_stem.setdefault(files.same_name(path.stem), path)
            if other is not path:
                raise ValueError(
                    f"--{flag}={path.parent}: {other.name} and {path.name} have the "
                    "same name; --match=name cannot tell them apart."
                )
    found = [pair for pair in named if pair]
    used = {pair.target for pair in found}
    lone = [p.name for p, pair in zip(generated, named, strict=True) if not pair]
    unused = [path.name for path in target if path not in used]
    # Where files name pairs the targets may be all photos of a data set.
    may_be_unused = any(pair.source for pair in found)
    for flag, names, count in (
        ("target_dir", lone, len(generated)),
        ("generated_dir", [] if may_be_unused else unused, len(target)),
    ):
        if names:
            raise ValueError(
                f"{folders}: {len(names)} of {count} files have no partner (the "
                f"same name, or SOURCE__TARGET) in --{flag}: {few(names)}. Where "
                "both folders hold the same pairs in the same order, --match=order "
                "matches their sorted files instead."
            )
    if unused:
        remarks.append(
            f"--target_dir: {len(unused):,} of {len(target):,} images are not "
            f"targets of --generated_dir and are not used: {few(unused)}"
        )
    return found


def images(flag: str, folder: str, remarks: list[str]) -> list[pathlib.Path]:
    """The images of a folder, 2.png before 10.png; what else lies there is remarked."""
    path = pathlib.Path(folder)
    if not path.is_dir():
        raise ValueError(f"--{flag}={folder}: there is no such folder.")
    entries = [x for x in path.iterdir() if not files.is_left_behind(x.name)]
    entries.sort(key=lambda entry: files.natural_order(entry.name))
    chosen = [x for x in entries if x.is_file() and photo_files.is_photo(x)]
    if not chosen:
        raise ValueError(
            f"--{flag}={folder} holds no images ({', '.join(photo_files.SUFFIXES)})."
        )
    known = set(chosen)
    others = [x.name for x in entries if x not in known]
    if others:
        count = f" ({len(others)} in all)" if len(others) > 3 else ""
        remarks.append(f"--{flag}: not images, ignored: {few(others)}{count}")
    return chosen


def read(flag: str, path: pathlib.Path) -> np.ndarray:
    """The image as uint8 [H, W, 3]."""
    try:
        return np.asarray(photo_files.load(path).image)
    except (ValueError, OSError) as error:
        raise ValueError(f"--{flag}: {error}") from error


def stack(
    flag: str, paths: Sequence[pathlib.Path], size: tuple[int, int], whose: str
) -> np.ndarray:
    """Images as uint8 [N, H, W, 3]; all must have the (height, width) of `whose`."""
    arrays = [read(flag, path) for path in paths]
    for path, array in zip(paths, arrays, strict=True):
        if array.shape[:2] != size:
            raise ValueError(
                f"--{flag}: {path} is {array.shape[0]}x{array.shape[1]}, {whose} "
                f"{size[0]}x{size[1]} (height x width); all must have the same size."
            )
    return np.stack(arrays)
