"""How scores fall with the pose difference, and how they differ by person and view."""

from typing import NamedTuple

import numpy as np

from experiments.evaluate import statistics
from experiments.report.data_pairs import DataPairs
from experiments.report.evaluated_run import Run
from pg2_jax import pose

_BINS = 10


class Bin(NamedTuple):
    """The pairs of a range of pose differences.

    Attributes:
        low: the smallest difference, in torso lengths.
        high: what every difference is below; the last bin has its largest in it.
        pairs: with a finite score.
        mean: of their scores.
        interval: 95 % bootstrap interval; None for fewer than two pairs.
    """

    low: float
    high: float
    pairs: int
    mean: float
    interval: list[float] | None


class Part(NamedTuple):
    """The pairs that have something in common, such as the person."""

    name: str
    pairs: int
    mean: float


def rows_in_data(run: Run, data: DataPairs) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the run, and in the data set, of the scored pairs that are in both."""
    found = [
        (row, data.rows[key]) for row, key in enumerate(run.keys) if key in data.rows
    ]
    ours, theirs = np.array(found, int).reshape(-1, 2).T
    return ours, theirs


def by_pose_difference(scores: np.ndarray, differences: np.ndarray) -> list[Bin]:
    """Mean scores over equally wide bins of the pose difference; empty bins are absent.

    Args:
        scores: [N]; pairs without a finite one do not count.
        differences: [N] pose differences; pairs without one do not count.
    """
    known = np.isfinite(scores) & np.isfinite(differences)
    scores, differences = scores[known], differences[known]
    if not len(scores):
        return []
    edges = np.linspace(differences.min(), differences.max(), _BINS + 1)
    place = np.clip(np.searchsorted(edges, differences, "right") - 1, 0, _BINS - 1)
    found = []
    for i in range(_BINS):
        here = scores[place == i]
        if len(here):
            (interval,) = statistics.intervals([here])
            ends = float(edges[i]), float(edges[i + 1])
            found.append(Bin(*ends, len(here), float(here.mean()), interval))
    return found


def by_identity(scores: np.ndarray, identities: list[str]) -> list[Part]:
    """Mean scores of each person, from the lowest mean to the highest."""
    return sorted(_parts(scores, identities), key=lambda part: part.mean)


def by_view(scores: np.ndarray, views: np.ndarray) -> dict[tuple[int, int], Part]:
    """Mean scores by the views of source and target, indices of `pose.VIEWS`.

    Args:
        scores: [N]; pairs without a finite one do not count.
        views: [N, 2]; pairs with an unknown view do not count.
    """
    found = {}
    for source, name in enumerate(pose.VIEWS):
        for target, other in enumerate(pose.VIEWS):
            here = (views == (source, target)).all(axis=1)
            for part in _parts(scores[here], [f"{name} to {other}"] * int(here.sum())):
                found[source, target] = part
    return found


def _parts(scores: np.ndarray, names: list[str]) -> list[Part]:
    known = np.isfinite(scores)
    places = {name: i for i, name in enumerate(dict.fromkeys(names))}
    index = np.array([places[name] for name in names], int)[known]
    pairs = np.bincount(index, minlength=len(places))
    sums = np.bincount(index, scores[known], minlength=len(places))
    return [
        Part(name, int(n), float(total / n))
        for name, n, total in zip(places, pairs, sums, strict=True)
        if n
    ]
