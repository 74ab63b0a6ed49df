"""The pairs that a report shows, each with its pictures and what is known of it."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from experiments.report.data_pairs import Photos
from pg2_jax import visualize

_QUALITY = 90  # of WebP
_BACKGROUND = 24  # grey of a pose picture


class Shot(NamedTuple):
    """A picture of a pair, as a data URI, of a size in pixels; the run's number is None
    for what was given."""

    title: str
    run: int | None
    uri: str
    width: int
    height: int
    alt: str


class Score(NamedTuple):
    """The score of a run's result, with the rank from the best on."""

    run: int
    value: float
    rank: int


class Item(NamedTuple):
    """A pair of the gallery; what is not known is empty or None."""

    order: int  # its place in the data set
    source: str  # name of the photo
    target: str
    identity: str  # of the person
    difference: float | None  # of the poses, in torso lengths
    view: str  # such as "front to back"
    scores: list[Score]  # of each run that has one
    groups: list[str]  # such as "0-worst", why the pair is shown
    shots: list[Shot]


def given_shots(name: str, photos: Photos) -> list[Shot]:
    """Source, target pose and target of a pair."""
    black = np.full_like(photos.target, _BACKGROUND)
    scale = visualize.screen_scale(len(black))
    skeleton = visualize.draw_skeleton(black, photos.keypoints, scale=scale)
    height, width = photos.target.shape[:2]
    alt = f"Target pose of {name}, as a skeleton"
    return [
        shot("source", photos.source, f"Source photo of {name}"),
        shot("target pose", skeleton, alt)._replace(width=width, height=height),
        shot("target", photos.target, f"Target photo of {name}"),
    ]


def shot(title: str, image: np.ndarray, alt: str, run: int | None = None) -> Shot:
    """An image as WebP."""
    height, width = image.shape[:2]
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", quality=_QUALITY, method=6)
    uri = "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
    return Shot(title, run, uri, width, height, alt)


def thirds(items: Sequence[Item]) -> list[float]:
    """The two pose differences that part the pairs in three; none for fewer pairs."""
    every = [item.difference for item in items]
    known = [apart for apart in every if apart is not None]
    return np.quantile(known, [1 / 3, 2 / 3]).tolist() if len(known) >= 3 else []
