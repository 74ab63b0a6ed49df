"""Differences between images of two kinds, scored on the same pairs."""

from typing import NamedTuple

import numpy as np

from experiments.evaluate import statistics
from experiments.report.evaluated_run import Run


class Difference(NamedTuple):
    """The mean of the first minus that of the second, over pairs where both have one.

    Attributes:
        mean: of the differences.
        interval: 95 % bootstrap interval of the mean over pairs; None for fewer than
            two.
        better: share of these pairs in which the first is better, ties not counted.
        pairs: their number.
        verdict: "better" or "worse" where the interval leaves 0 out, else "".
    """

    mean: float
    interval: list[float] | None
    better: float
    pairs: int
    verdict: str


def differences(
    first: Run, first_kind: str, second: Run, second_kind: str
) -> dict[str, Difference]:
    """The differences by metric, of the metrics of pairs that both have.

    Both must be scored on the same pairs, see `evaluated_run.not_comparable`.
    """
    assert first.scores and second.scores, "both have scores of pairs"
    order: np.ndarray | slice = slice(None)
    if first.keys != second.keys:
        rows = {pair: row for row, pair in enumerate(second.keys)}
        order = np.array([rows[pair] for pair in first.keys])
    mine = first.scores.scores[first_kind]
    theirs = second.scores.scores[second_kind]
    names = [name for name in mine if name in theirs]
    with np.errstate(invalid="ignore"):
        columns = [mine[name] - theirs[name][order] for name in names]
    return {
        name: _difference(column, interval, higher_is_better(first, name))
        for name, column, interval in zip(
            names, columns, statistics.intervals(columns), strict=True
        )
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
