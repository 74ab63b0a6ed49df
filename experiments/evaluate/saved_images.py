"""--save_images: every drawn image as a file, for other programs."""

import itertools
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from types import TracebackType

import numpy as np
from PIL import Image

from experiments.evaluate import pairs_csv

_TARGET = "target"
_KINDS = ("coarse", "refined", _TARGET)


class SavedImages:
    """A folder with a folder for each kind of image, whose files have equal names.

    It replaces an older one when all is there; an error leaves the older one.

    Example:
        with SavedImages(workdir / "images") as saved:
            saved.add({"coarse": drawn}, targets, [("a.jpg", "b.jpg")])
    """

    def __init__(self, folder: pathlib.Path):
        """Takes the folder, whose parent must exist."""
        self._folder = folder
        self._temporary = folder.with_name(f".{os.getpid()}.{folder.name}")
        self._used: set[str] = set()

    def __enter__(self) -> "SavedImages":
        """Makes the folder under a temporary name.

        Raises:
            ValueError: the folder to replace holds something else.
        """
        there = self._folder.iterdir() if self._folder.exists() else ()
        others = sorted(path.name for path in there if path.name not in _KINDS)
        if others:
            raise ValueError(
                f"--save_images would replace {self._folder}, which holds more than "
                f"images of an evaluation: {others[0]}; move it away."
            )
        self._temporary.mkdir()
        return self

    def add(
        self,
        drawn: Mapping[str, np.ndarray],
        target: np.ndarray,
        names: Sequence[tuple[str, str]],
    ) -> None:
        """Writes images of some pairs as KIND/SOURCE__TARGET.png, and the targets.

        Args:
            drawn: [B, H, W, 3] uint8 by kind.
            target: [B, H, W, 3] uint8.
            names: (source, target) of the first pairs; the others are padding.
        """
        files = [self._file(*pair) for pair in names]
        for kind, images in {**drawn, _TARGET: target}.items():
            folder = self._temporary / kind
            folder.mkdir(exist_ok=True)
            for file, image in zip(files, images[: len(files)], strict=True):
                Image.fromarray(image).save(folder / file)

    def _file(self, source: str, target: str) -> str:
        """The key of the pair; a number where that is not unique."""
        name = pairs_csv.key(source, target)
        numbered = (f"{name}__{i}" if i > 1 else name for i in itertools.count(1))
        unique = next(name for name in numbered if name not in self._used)
        self._used.add(unique)
        return f"{unique}.png"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Puts the folder in its place, or removes what there is of it."""
        if kind is None:
            if self._folder.exists():
                shutil.rmtree(self._folder)
            os.replace(self._temporary, self._folder)
        else:
            shutil.rmtree(self._temporary)
