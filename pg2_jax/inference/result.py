"""What a model generated, and from what: to look at, to save, to work with."""

import abc
import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from pg2_jax import files, visualize
from pg2_jax.inference import animation

# People beside each other in an animation.
_BESIDE = 8


class _Shown(abc.ABC):
    """What has a picture: notebooks show it."""

    @abc.abstractmethod
    def picture(self) -> Image.Image:
        """The picture that is shown."""

    def show(self) -> None:
        """Shows the picture, in a notebook or in a window."""
        if "IPython" in sys.modules:  # A notebook has imported it already.
            from IPython import display, get_ipython

            if get_ipython() is not None:
                display.display(self.picture())
                return
        self.picture().show()

    def _repr_png_(self) -> bytes | None:
        return self.picture()._repr_png_()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Result(_Shown):
    """One photo's person in one pose."""

    source: np.ndarray  # uint8 [H, W, 3], the photo as the model saw it
    pose: np.ndarray  # float32 [18, 3] = (x, y, visible), the pose in its pixels
    coarse: np.ndarray  # uint8 [H, W, 3], G1's image
    refined: np.ndarray | None  # G2's image; None where the model is G1 alone
    # The whole photo with the generated image in its place; None unless asked for.
    whole: np.ndarray | None = None
    # uint8 [h, w, 3], the image with the photo's own pixels, at their resolution; None
    # where the model generates every pixel, or the photo is no larger than its images.
    large: np.ndarray | None = None
    large_source: np.ndarray | None = None  # the photo's part at that resolution

    @property
    def image(self) -> np.ndarray:
        """The refined image, or G1's where there is no G2."""
        return self.coarse if self.refined is None else self.refined

    @property
    def difference(self) -> np.ndarray | None:
        """What the refinement added to the coarse image, int16 [H, W, 3] in -255 ..
        255; None where the model is G1 alone."""
        if self.refined is None:
            return None
        return self.refined.astype(np.int16) - self.coarse

    def picture(self) -> Image.Image:
        """Source, pose, coarse image, difference (grey is none) and refined image."""
        scale = visualize.screen_scale(len(self.source))
        tiles = {
            "source": self.source,
            "pose": self.skeleton(scale),
            "coarse": self.coarse,
        }
        if self.difference is not None and self.refined is not None:
            grey = np.clip(128 + self.difference // 2, 0, 255)
            tiles |= {"difference": grey.astype(np.uint8), "refined": self.refined}
        return visualize.grid([list(tiles.values())], list(tiles), scale=scale)

    def skeleton(self, scale: int = 1) -> np.ndarray:
        """The pose on black, uint8 [H * scale, W * scale, 3]."""
        return visualize.draw_skeleton(
            np.zeros_like(self.source), self.pose, scale=scale
        )

    def save(self, path: str | os.PathLike[str], *, skeleton: bool = False) -> None:
        """Writes the image, at the photo's resolution where it is known, or the whole
        photo with the image in it if there is one, in the format of the suffix, such as
        .png or .jpg; another is a ValueError. The file appears whole or not at all.
        `skeleton` puts the pose beside it."""
        _save(Image.fromarray(_frame(self, skeleton=skeleton, scale=1)), path)


class Results(_Shown, tuple[Result, ...]):
    """One photo's person in several poses, one at least. A tuple of `Result`, with the
    names of the poses; `images` and `poses` are all of them as arrays."""

    names: tuple[str, ...]

    def __new__(cls, results: Mapping[str, Result]) -> "Results":
        made = super().__new__(cls, results.values())
        made.names = tuple(results)
        return made

    @property
    def images(self) -> np.ndarray:
        """uint8 [N, H, W, 3]: the refined images, or G1's where there is no G2."""
        return np.stack([result.image for result in self])

    @property
    def poses(self) -> np.ndarray:
        """float32 [N, 18, 3]."""
        return np.stack([result.pose for result in self])

    def picture(self) -> Image.Image:
        """The contact sheet: source and images, the poses over them."""
        return sheet([self])

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        per_second: float = 8,
        skeleton: bool = False,
    ) -> None:
        """Writes an animation, for .gif, .webp and .mp4, of so many frames in a second,
        or the contact sheet, for .png and .jpg; `skeleton` puts the poses beside the
        images. The file appears whole or not at all; another format, or one without its
        library, is a ValueError."""
        save([self], path, per_second=per_second, skeleton=skeleton)


def save(
    people: Sequence[Results],
    path: str | os.PathLike[str],
    *,
    per_second: float = 8,
    skeleton: bool = False,
) -> None:
    """Writes several people in the same poses, side by side or row by row, as
    `Results.save` does one; where the person of the first has more poses than others,
    theirs begin again."""
    if pathlib.Path(path).suffix.lower() not in animation.SUFFIXES:
        _save(sheet(people, skeleton=skeleton), path)
        return
    frames = []
    for i in range(max(len(person) for person in people)):
        now = [person[i % len(person)] for person in people]
        scale = visualize.screen_scale(len(now[0].source))
        tiles = [_frame(result, skeleton=skeleton, scale=scale) for result in now]
        frames.append(_in_rows(tiles))
    animation.write(path, frames, per_second)


def sheet(people: Sequence[Results], *, skeleton: bool = True) -> Image.Image:
    """The contact sheet: a row for each person, the source first, a pose in a column
    under its name; `skeleton` puts the poses in a row of their own above."""
    first = people[0][0].source
    scale = visualize.screen_scale(len(first))
    rows: list[list[np.ndarray]] = []
    shown: np.ndarray | None = None
    for person in people:
        # Poses fitted to each body differ a little.
        if skeleton and (shown is None or not np.array_equal(shown, person.poses)):
            shown = person.poses
            black = np.full_like(first, 255)
            rows.append([black, *(result.skeleton(scale) for result in person)])
        photo = person[0].large_source
        rows.append([person[0].source if photo is None else photo])
        rows[-1] += [r.image if r.large is None else r.large for r in person]
    titles = ["source", *(name.replace("_", " ") for name in people[0].names)]
    return visualize.grid(rows, titles, scale=scale)


def _frame(result: Result, *, skeleton: bool, scale: int) -> np.ndarray:
    """The image as it is saved, enlarged unless it has the photo's pixels."""
    shown = result.large if result.whole is None else result.whole
    if shown is not None:
        height, width = result.source.shape[:2]
        size = max(1, round(width * len(shown) / height)), len(shown)
        pose = Image.fromarray(result.skeleton(scale)).resize(size)
        tiles = [shown, np.asarray(pose)]
    else:
        enlarged = result.image.repeat(scale, axis=0).repeat(scale, axis=1)
        tiles = [enlarged, result.skeleton(scale)]
    return _beside(tiles if skeleton else tiles[:1])


def _in_rows(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side, `_BESIDE` in a row."""
    rows = [_beside(tiles[i : i + _BESIDE]) for i in range(0, len(tiles), _BESIDE)]
    width = max(row.shape[1] for row in rows)
    return np.concatenate([_on_white(row, len(row), width) for row in rows])


def _beside(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side, each on white to the height of the largest."""
    height = max(len(tile) for tile in tiles)
    same = [_on_white(tile, height, tile.shape[1]) for tile in tiles]
    return np.concatenate(same, axis=1)


def _on_white(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    free = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, free, constant_values=255)


def _save(picture: Image.Image, path: str | os.PathLike[str]) -> None:
    suffix = pathlib.Path(path).suffix.lower()
    form = Image.registered_extensions().get(suffix)
    if form not in Image.SAVE:
        raise ValueError(
            f"{path}: no format that pictures are written in; choose .png, .jpg or "
            ".webp."
        )
    with files.replacing(path) as temporary:
        picture.save(temporary, form)
