"""Differences between images of two kinds, scored on the same pairs."""

from typing import NamedTuple

import numpy as np

from experiments.evaluate import statistics
from experiments.report.evaluated_run import Run


class Difference(NamedTuple):
    """The first minus the second, over pairs where both have a score."""

    mean: float
    interval: list[float] | None  # of the mean, 95 % by bootstrap; None for one pair
    better: float  # share of the pairs in which the first is better, not equal
    pairs: int
    verdict: str  # "better" or "worse" where the interval leaves 0 out, else ""


def differences(
    first: Run, first_kind: str, second: Run, second_kind: str
) -> dict[str, Difference]:
    """The differences by metric, of two runs that `evaluated_run.not_comparable` lets
    pass."""
    order: np.ndarray | slice = slice(None)
    if first.keys != second.keys:
        rows = {pair: row for row, pair in enumerate(second.keys)}
        order = np.array([rows[pair] for pair in first.keys])
    mine, theirs = first.scores_of(first_kind), second.scores_of(second_kind)
    names = [name for name in mine if name in theirs]
    with np.errstate(invalid="ignore"):
        columns = [mine[name] - theirs[name][order] for name in names]
    intervals = statistics.intervals(columns)
    compared = {}
    for name, column, interval in zip(names, columns, intervals, strict=True):
        finite, higher = column[np.isfinite(column)], first.higher_is_better(name)
        if not len(finite):
            continue
        share = float((finite > 0 if higher else finite < 0).mean())
        verdict = ""
        if interval and (interval[0] > 0 or interval[1] < 0):
            verdict = "better" if (interval[0] > 0) == higher else "worse"
        mean = float(finite.mean())
        compared[name] = Difference(mean, interval, share, len(finite), verdict)
    return compared
