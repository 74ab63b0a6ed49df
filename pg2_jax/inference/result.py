"""What a model generated, and from what: to look at, to save, to work with."""

import abc
import dataclasses
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from pg2_jax import errors, files, visualize
from pg2_jax.inference import animation

# Enlargement of files that people look at: models draw small pictures.
SCALE = 4
# Of a side by format, and of the whole: more is a broken file, or opened by nothing.
_MOST_PIXELS = {"JPEG": 65_500, "WEBP": 16_383, "PNG": 2**31 - 1}
_LARGEST = 600_000_000


class _Shown(abc.ABC):
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
    # where the model generates every pixel, or the joints are not known.
    large: np.ndarray | None = None
    large_source: np.ndarray | None = None  # the photo's part at that resolution
    max_side: int = 0  # the longest side that was asked for `large`
    name: str = ""  # of the pose

    @property
    def image(self) -> np.ndarray:
        """The refined image, or G1's where there is no G2."""
        return self.coarse if self.refined is None else self.refined

    @property
    def finest(self) -> np.ndarray:
        """`large` where there is one, else `image`."""
        return self.image if self.large is None else self.large

    @property
    def difference(self) -> np.ndarray | None:
        """What the refinement added, int16 [H, W, 3] in -255 .. 255; None without."""
        if self.refined is None:
            return None
        return self.refined.astype(np.int16) - self.coarse

    def picture(self) -> Image.Image:
        """Source, pose, coarse image, difference (grey is none) and refined image; or
        source, pose and the one image that there is."""
        scale = visualize.screen_scale(len(self.source))
        tiles = {"source": self.source, "pose": self.skeleton(scale)}
        if self.difference is None:
            tiles["generated"] = self.coarse
        else:
            grey = np.clip(128 + self.difference // 2, 0, 255).astype(np.uint8)
            tiles |= {"coarse": self.coarse, "difference": grey, "refined": self.image}
        return visualize.grid([list(tiles.values())], list(tiles), scale=scale)

    def skeleton(self, scale: int = 1) -> np.ndarray:
        """The pose on black, uint8 [H * scale, W * scale, 3]."""
        black = np.zeros_like(self.source)
        return visualize.draw_skeleton(black, self.pose, scale=scale)

    def enlarged(self, scale: int) -> np.ndarray:
        """The finest image, brought by Lanczos to `scale` times the model's size.
        `large` is neither reduced nor enlarged beyond `max_side`."""
        _check_scale(scale)
        height, width = self.source.shape[:2]
        if self.large is None:
            return visualize.resized(self.image, scale * height)
        longest = max(height, width)
        wanted = int(min(scale, self.max_side / longest) * height)
        return visualize.resized(self.large, max(len(self.large), wanted))

    def save(
        self,
        path: files.PathLike,
        *,
        skeleton: bool = False,
        beside: bool = False,
        scale: int = SCALE,
    ) -> None:
        """Writes the image, or the whole photo with the person in it if there is one,
        whole or not at all, in the format of the suffix, such as .png; another is a
        ValueError. `skeleton` puts the pose beside it, `beside` the source and the pose
        before it; for `scale` see `enlarged`."""
        picture = _frame(self, skeleton, beside, scale)
        _save(Image.fromarray(picture), path)


class Results(_Shown, tuple[Result, ...]):
    """One photo's person in several poses, one at least; a tuple."""

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the poses."""
        return tuple(result.name for result in self)

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
        scale = visualize.screen_scale(len(self[0].source))
        return Sheet([self], scale=scale).picture()

    def save(
        self,
        path: files.PathLike,
        *,
        per_second: float = 8,
        skeleton: bool = False,
        beside: bool = False,
        scale: int | None = None,
    ) -> None:
        """Writes an animation, for .gif, .webp and .mp4, of so many frames in a second,
        or the contact sheet, whole or not at all; for the other arguments see
        `Result.save`. Another format, one without its library, and a sheet that is too
        large for it are a ValueError."""
        save(
            [self],
            path,
            per_second=per_second,
            skeleton=skeleton,
            beside=beside,
            scale=scale,
        )


def save(
    people: Sequence[Results],
    path: files.PathLike,
    *,
    names: Sequence[str] = (),
    per_second: float = 8,
    skeleton: bool = False,
    beside: bool = False,
    scale: int | None = None,
) -> None:
    """Writes several people in the same poses, side by side or row by row, as
    `Results.save` does one; fewer poses than those of others begin again. The names of
    the people stand at the rows of a sheet. Without a scale a sheet has `SCALE`, and an
    animation 256 rows or more."""
    if pathlib.Path(path).suffix.lower() not in animation.SUFFIXES:
        sheet = Sheet(
            people, names, skeleton or beside, SCALE if scale is None else scale
        )
        sheet.check_size(path)
        _save(sheet.picture(), path)
        return
    if scale is None:
        scale = visualize.screen_scale(len(people[0][0].source))
    frames = []
    for i in range(max(map(len, people))):
        shown = [person[i % len(person)] for person in people]
        tiles = [_frame(one, skeleton, beside, scale) for one in shown]
        frames.append(visualize.in_rows(tiles))
    animation.write(path, frames, per_second)


class Sheet:
    """The contact sheet: a row for each person, the source first, a pose in a column
    under its name; what does not fit beside each other below. `skeleton` puts the poses
    in a row of their own above. Pictures have `scale` times the model's size."""

    def __init__(
        self,
        people: Sequence[Results],
        names: Sequence[str] = (),
        skeleton: bool = True,
        scale: int = SCALE,
    ):
        _check_scale(scale)
        self._people, self._names, self._skeleton = people, names, skeleton
        first = people[0][0]
        height, width = first.source.shape[:2]
        if first.large is not None:
            # Its pixels are the photo's; more would be made up.
            scale = max(1, min(scale, first.max_side // max(height, width)))
        self._width, self._height = scale * width, scale * height
        self._poses, rows = max(map(len, people)), len(people) + skeleton
        self._block = self._width, rows * self._height
        self._beside = visualize.columns(self._poses, self._block)

    def check_size(self, path: files.PathLike) -> None:
        """Refuses a sheet that the format of the path cannot hold."""
        width = (1 + self._beside) * self._block[0]
        height = -(-self._poses // self._beside) * self._block[1]
        form = Image.registered_extensions().get(pathlib.Path(path).suffix.lower(), "")
        most = _MOST_PIXELS.get(form, _MOST_PIXELS["PNG"])
        if max(width, height) > most or width * height > _LARGEST:
            raise ValueError(
                f"{path}: the sheet would have {width:,} x {height:,} pixels, more "
                f"than {form or 'its format'} holds or a viewer opens; take fewer "
                "poses or people, a smaller scale, or write a folder or an animation."
            )

    def picture(self) -> Image.Image:
        """The sheet."""
        titles = [name.replace("_", " ") for name in self._people[0].names]
        blocks = []
        for first in range(0, self._poses, self._beside):
            here = slice(first, first + self._beside)
            rows, row_titles = self._rows(here)
            block = visualize.grid(rows, ["source", *titles[here]], row_titles)
            blocks.append(np.asarray(block))
        return Image.fromarray(visualize.stacked(blocks))

    def _rows(self, here: slice) -> tuple[list[list[np.ndarray]], list[str]]:
        rows: list[list[np.ndarray]] = []
        titles: list[str] = []
        shown = np.empty(0)
        for i, person in enumerate(self._people):
            photo = visualize.resized(_photo(person[0]), self._height)
            # Poses fitted to each body differ a little.
            if self._skeleton and not np.array_equal(shown, person.poses):
                shown, white = person.poses, np.full_like(photo, 255)
                skeletons = [_skeleton(x, self._height) for x in person[here]]
                rows.append([white, *skeletons])
                titles.append("pose")
            images = [visualize.resized(x.finest, self._height) for x in person[here]]
            rows.append([photo, *images])
            titles.append(self._names[i] if self._names else "")
        return rows, titles if self._names else []


def _check_scale(scale: int) -> None:
    if scale < 1:
        raise errors.ArgumentError("scale", scale, " must be at least 1.")


def _frame(result: Result, skeleton: bool, beside: bool, scale: int) -> np.ndarray:
    """The image as it is saved, a whole photo as large as it is."""
    shown = result.enlarged(scale) if result.whole is None else result.whole
    tiles = [shown]
    if skeleton or beside:
        tiles.append(_skeleton(result, len(shown)))
    if beside:
        tiles = [visualize.resized(_photo(result), len(shown)), *reversed(tiles)]
    return visualize.side_by_side(tiles)


def _photo(result: Result) -> np.ndarray:
    return result.source if result.large_source is None else result.large_source


def _skeleton(result: Result, height: int) -> np.ndarray:
    scale = max(1, height // len(result.source))
    return visualize.resized(result.skeleton(scale), height)


def _save(picture: Image.Image, path: files.PathLike) -> None:
    form = Image.registered_extensions().get(pathlib.Path(path).suffix.lower())
    if form not in Image.SAVE:
        known = "choose .png, .jpg or .webp."
        raise ValueError(f"{path}: no format that pictures are written in; {known}")
    with files.replacing(path) as temporary:
        picture.save(temporary, form)
