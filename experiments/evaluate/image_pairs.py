"""Two folders of images, any method's, and which of their files belong together."""

import pathlib
from typing import NamedTuple

from experiments.config import Config
from experiments.evaluate import image_folder


class Pair(NamedTuple):
    """Two files that belong together."""

    generated: pathlib.Path
    target: pathlib.Path


def read(config: Config, remarks: list[str]) -> list[Pair]:
    """The pairs of --generated_dir and --target_dir by the rule of --match.

    Args:
        config: names the folders and the rule.
        remarks: is told what else lies in the folders.

    Raises:
        ValueError: a folder without images, or folders that do not match; names flag
            and files.
    """
    return _matched(
        image_folder.images("generated_dir", config.generated_dir, remarks),
        image_folder.images("target_dir", config.target_dir, remarks),
        config,
    )


def _matched(
    generated: list[pathlib.Path], target: list[pathlib.Path], config: Config
) -> list[Pair]:
    folders = (
        f"--generated_dir={config.generated_dir}, --target_dir={config.target_dir}"
    )
    if config.match == "name":
        by_name = _by_stem("generated_dir", generated)
        targets = _by_stem("target_dir", target)
        for flag, names, others in (
            ("target_dir", by_name, targets),
            ("generated_dir", targets, by_name),
        ):
            lone = [path.name for stem, path in names.items() if stem not in others]
            if lone:
                raise ValueError(
                    f"{folders}: {len(lone)} of {len(names)} files have none of the "
                    f"same name in --{flag}: {image_folder.few(lone)}. --match=order "
                    "matches sorted files instead."
                )
        return [Pair(path, targets[stem]) for stem, path in by_name.items()]
    if len(generated) != len(target):
        raise ValueError(
            f"{folders}: {len(generated)} and {len(target)} images; --match=order "
            "needs equal numbers."
        )
    return [Pair(*pair) for pair in zip(generated, target, strict=True)]


def _by_stem(flag: str, paths: list[pathlib.Path]) -> dict[str, pathlib.Path]:
    found: dict[str, pathlib.Path] = {}
    for path in paths:
        if path.stem in found:
            raise ValueError(
                f"--{flag}={path.parent}: {found[path.stem].name} and {path.name} "
                "have one name; --match=name cannot tell them apart."
            )
        found[path.stem] = path
    return found
