"""The pairs that a report shows, each with its pictures and what is known of it."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from experiments.report.data_pairs import DataPairs, Photos
from pg2_jax import pose, visualize

_QUALITY = 90  # of WebP
_BACKGROUND = 24  # grey of a pose picture


class Shot(NamedTuple):
    """A picture of a pair.

    Attributes:
        title: such as source or refined.
        run: number of the run that drew it, None for what was given.
        uri: the picture itself, as a data URI.
        width: in pixels.
        height: in pixels.
        alt: the picture in words.
    """

    title: str
    run: int | None
    uri: str
    width: int
    height: int
    alt: str


class Score(NamedTuple):
    """The score of a run's result, with the rank from the best on."""

    run: int
    text: str
    value: float
    rank: int


class Facts(NamedTuple):
    """What is known of a pair besides its scores.

    Attributes:
        identity: of the person, empty if not known.
        difference: pose difference in torso lengths, None if not known.
        view: such as "front to back", empty if not known.
    """

    identity: str = ""
    difference: float | None = None
    view: str = ""


class Item(NamedTuple):
    """A pair of the gallery.

    Attributes:
        order: in the data set.
        source: name of the photo, empty if not known.
        target: name of the photo.
        facts: of the pair.
        scores: of each run that has one.
        groups: such as "0-worst", why the pair is shown.
        shots: its pictures.
    """

    order: int
    source: str
    target: str
    facts: Facts
    scores: list[Score]
    groups: list[str]
    shots: list[Shot]

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.source} to {self.target}" if self.source else self.target


def encode(image: np.ndarray) -> str:
    """A picture [H, W, 3] uint8 as a data URI."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", quality=_QUALITY, method=6)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def given_shots(name: str, photos: Photos) -> list[Shot]:
    """Source, target pose and target of a pair."""
    black = np.full_like(photos.target, _BACKGROUND)
    scale = visualize.screen_scale(len(black))
    skeleton = visualize.draw_skeleton(black, photos.keypoints, scale=scale)
    size = photos.target.shape[:2]
    return [
        shot("source", photos.source, f"Source photo of {name}"),
        shot("target pose", skeleton, f"Target pose of {name}, as a skeleton", size),
        shot("target", photos.target, f"Target photo of {name}"),
    ]


def shot(
    title: str,
    image: np.ndarray,
    alt: str,
    size: Sequence[int] | None = None,
    run: int | None = None,
) -> Shot:
    """A picture, shown as if it were of another (height, width) if one is given."""
    height, width = size or image.shape[:2]
    return Shot(title, run, encode(image), width, height, alt)


def facts(key: str, data: DataPairs | None) -> Facts:
    """What the data set knows of a pair, if it has it."""
    row = data.rows.get(key) if data else None
    if data is None or row is None:
        return Facts()
    apart = float(data.differences[row])
    source, target = (int(view) for view in data.views[row])
    known = min(source, target) >= 0
    view = f"{pose.VIEWS[source]} to {pose.VIEWS[target]}" if known else ""
    return Facts(data.identities[row], apart if np.isfinite(apart) else None, view)


def spread_of_differences(items: Sequence[Item]) -> tuple[float, float] | None:
    """What divides the pairs into three thirds by their pose difference."""
    every = [item.facts.difference for item in items]
    known = [apart for apart in every if apart is not None]
    if len(known) < 3:
        return None
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    return float(low), float(high)
