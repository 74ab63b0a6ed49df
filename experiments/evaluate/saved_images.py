"""--save_images: every generated image as a file, for other programs."""

import contextlib
import itertools
import pathlib
import shutil
from collections.abc import Iterator

from PIL import Image

from experiments.evaluate import pair_names, protocol
from pg2_jax import files

_TARGET = "target"
_KINDS = ("coarse", "generated", "refined", _TARGET)


class SavedImages:
    """A folder with a folder for each kind of image, whose files have equal names."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._used: set[str] = set()

    def add(self, batch: protocol.Batch) -> None:
        """Writes the images of the next batch as KIND/SOURCE__TARGET.png."""
        names = []
        for key in (pair_names.key(*pair) for pair in batch.names):
            # A number where that is not unique.
            numbered = (f"{key}__{i}" if i > 1 else key for i in itertools.count(1))
            names.append(next(name for name in numbered if name not in self._used))
            self._used.add(names[-1])
        for kind, images in {**batch.images, _TARGET: batch.target}.items():
            if kind in _KINDS:
                folder = self._folder / kind
                folder.mkdir(exist_ok=True)
                for name, image in zip(names, images, strict=False):
                    Image.fromarray(image).save(folder / f"{name}.png")


@contextlib.contextmanager
def replacing(folder: pathlib.Path) -> Iterator[SavedImages]:
    """Gives what becomes the folder, in place of an older one, when all is there; an
    error leaves the older one. A folder that holds something else is refused."""
    there = folder.iterdir() if folder.exists() else ()
    others = sorted(path.name for path in there if path.name not in _KINDS)
    if others:
        raise ValueError(
            f"--save_images would replace {folder}, which holds more than images of an "
            f"evaluation: {others[0]}; move it away."
        )
    with files.replacing_folder(folder) as new:
        yield SavedImages(new)
        if folder.exists():
            shutil.rmtree(folder)
