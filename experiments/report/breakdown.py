"""How scores fall with the pose difference, and how they differ by person and view."""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.evaluate import statistics
from experiments.report import svg_charts

_BINS = 10


class Part(NamedTuple):
    """The pairs that have something in common, with their mean score."""

    pairs: int
    mean: float


def by_pose_difference(
    label: str, style: str, scores: np.ndarray, differences: np.ndarray
) -> svg_charts.Series:
    """Mean scores, with their intervals, over equally wide bins of the pose difference,
    both [N]; empty bins are absent, and pairs without a finite score and difference do
    not count."""
    known = np.isfinite(scores) & np.isfinite(differences)
    scores, differences = scores[known], differences[known]
    if not len(scores):
        return svg_charts.Series(label, style, [])
    edges = np.linspace(differences.min(), differences.max(), _BINS + 1)
    place = np.clip(np.searchsorted(edges, differences, "right") - 1, 0, _BINS - 1)
    points = []
    for i in np.unique(place):
        here = scores[place == i]
        (interval,) = statistics.intervals([here])
        ends = interval or [float("nan")] * 2
        points.append((edges[i : i + 2].mean(), here.mean(), *ends, len(here)))
    return svg_charts.Series(label, style, *zip(*points, strict=True))


def by_name(scores: np.ndarray, names: Sequence[Hashable]) -> dict[Any, Part]:
    """The pairs of each name, from the lowest mean to the highest; pairs without a
    finite score do not count."""
    scores_of: dict[Hashable, list[float]] = {}
    for score, name in zip(scores, names, strict=True):
        if np.isfinite(score):
            scores_of.setdefault(name, []).append(float(score))
    parts = {n: Part(len(x), float(np.mean(x))) for n, x in scores_of.items()}
    return dict(sorted(parts.items(), key=lambda item: item[1].mean))


def by_view(scores: np.ndarray, views: np.ndarray) -> dict[tuple[int, int], Part]:
    """The pairs of each two views [N, 2] of source and target, indices of
    `pose.VIEWS`; pairs with an unknown view do not count."""
    known = (views >= 0).all(axis=1)
    return by_name(scores[known], [tuple(pair) for pair in views[known].tolist()])
