"""Differences between images of two kinds, scored on the same pairs."""

from typing import NamedTuple

import numpy as np

from experiments.evaluate import statistics
from experiments.report.evaluated_run import Run


class Side(NamedTuple):
    """One of the two: a kind of image of a run."""

    run: Run
    kind: str


class Difference(NamedTuple):
    """The mean of the first minus that of the second, over pairs where both have one.

    Attributes:
        mean: of the differences.
        interval: 95 % bootstrap interval of the mean, drawn over pairs; None for fewer
            than two.
        better: share of these pairs in which the first is better, ties not counted.
        pairs: their number.
        verdict: "better" or "worse" where the interval leaves 0 out, else "".
    """

    mean: float
    interval: list[float] | None
    better: float
    pairs: int
    verdict: str


def differences(first: Side, second: Side) -> dict[str, Difference]:
    """The differences by metric, of those that both have and that are of pairs.

    Args:
        first: scored on the pairs of the second; see `runs.not_comparable`.
        second: what it is compared with.
    """
    assert first.run.scores and second.run.scores, "both have scores of pairs"
    order = _order(first.run.keys, second.run.keys)
    mine = first.run.scores.scores[first.kind]
    theirs = second.run.scores.scores[second.kind]
    names = [name for name in mine if name in theirs]
    with np.errstate(invalid="ignore"):
        columns = [mine[name] - theirs[name][order] for name in names]
    found = zip(names, columns, statistics.intervals(columns), strict=True)
    return {
        name: _difference(column, interval, higher_is_better(first.run, name))
        for name, column, interval in found
        if np.isfinite(column).any()
    }


def higher_is_better(run: Run, metric: str) -> bool:
    """The direction of a metric, as metrics.json defines it."""
    return run.content["definitions"][metric].endswith("higher is better")


def _difference(
    column: np.ndarray, interval: list[float] | None, higher: bool
) -> Difference:
    finite = column[np.isfinite(column)]
    better = finite > 0 if higher else finite < 0
    verdict = ""
    if interval and (interval[0] > 0 or interval[1] < 0):
        verdict = "better" if (interval[0] > 0) == higher else "worse"
    return Difference(
        float(finite.mean()), interval, float(better.mean()), len(finite), verdict
    )


def _order(names: list[str], others: list[str]) -> np.ndarray | slice:
    """Rows of the others in the order of the names."""
    if names == others:
        return slice(None)
    rows = {pair: row for row, pair in enumerate(others)}
    return np.array([rows[pair] for pair in names])
