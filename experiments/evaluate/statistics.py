"""From the scores of pairs to numbers that can be quoted: mean, spread, interval, and
how each came about."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.evaluate import extracted_scores, inception_scores, protocol
from pg2_jax.metrics import suite

METRICS: Mapping[str, protocol.Metric | suite.Metric] = {
    **suite.METRICS,
    **extracted_scores.METRICS,
    **inception_scores.METRICS,
}
DEFINITIONS = {name: metric.describe() for name, metric in METRICS.items()}
# What pairs count by in a mean, where they do not count alike.
_WEIGHTED_BY = {"pckh": "visible joints of the target"}
_RESAMPLES, _SEED = 1000, 0
_AT_ONCE = 50  # resamples in memory at a time
INTERVAL = (
    f"95 % of the means of {_RESAMPLES} bootstrap resamples of the pairs, seed {_SEED}"
)


def records(
    scores: protocol.Scores,
    facts: protocol.Facts,
    weights: protocol.Scores | None = None,
    origins: Mapping[str, Mapping[str, str]] | None = None,
) -> protocol.Records:
    """The record of each number of pairs, as metrics.json has it; without weights [N]
    all pairs count alike. `origins` is what extractors say of themselves, by metric.

    A mean over no pair and the spread of a single one are None. Where pairs have no
    finite value, the record says how many, and why.
    """
    weights, origins = weights or {}, origins or {}
    of_kinds: protocol.Records = {}
    for kind, by_name in scores.items():
        counts = weights.get(kind) or {n: np.ones(len(x)) for n, x in by_name.items()}
        limits = intervals(list(by_name.values()), [counts[name] for name in by_name])
        of_kinds[kind] = {
            name: {
                **protocol.origin(name, METRICS[name], facts, **origins.get(name, {})),
                **_summary(name, by_name[name], counts[name]),
                "interval_95": interval,
            }
            for name, interval in zip(by_name, limits, strict=True)
        }
    return of_kinds


def _summary(name: str, values: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    has = np.isfinite(values)
    finite, counts = values[has].astype(np.float64), counts[has]
    mean = float(np.average(finite, weights=counts)) if len(finite) else None
    std = None
    if len(finite) > 1:
        std = float(np.sqrt(np.average((finite - mean) ** 2, weights=counts)))
    summary: dict[str, Any] = {"pairs": len(finite), "mean": mean, "std": std}
    if weight := _WEIGHTED_BY.get(name):
        summary["weighted_by"] = f"{weight}, {counts.sum():,.0f} in all"
    if len(finite) < len(values):
        why = METRICS[name].undefined or "not a finite number"
        summary["pairs_left_out"] = len(values) - len(finite)
        summary["left_out_because"] = why
    return summary


def intervals(
    columns: list[np.ndarray], counts: list[np.ndarray] | None = None
) -> list[list[float] | None]:
    """95 % bootstrap interval of the mean of each column, all from the same resamples.

    Each resample is taken from all pairs; its mean is over those with a value, weighted
    by the counts, if there are any.
    """
    counts = counts or [np.ones(len(column)) for column in columns]
    values = np.stack(columns, axis=1).astype(np.float64)
    has = np.isfinite(values)
    weights = np.where(has, np.stack(counts, axis=1), 0.0)
    values = np.where(has, values, 0.0) * weights
    rng = np.random.default_rng(_SEED)
    means = np.concatenate(
        [_resampled_means(rng, values, weights) for _ in range(_RESAMPLES // _AT_ONCE)]
    )
    # A resample may miss the few pairs that have a value.
    return [
        np.nanpercentile(column, [2.5, 97.5]).tolist() if count > 1 else None
        for column, count in zip(means.T, has.sum(axis=0), strict=True)
    ]


def _resampled_means(
    rng: np.random.Generator, values: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Means [_AT_ONCE, M] over resamples of the rows of [N, M] values, which are
    already times their weights; the weights are 0 where there is no value."""
    rows = len(values)
    chosen = rng.integers(0, rows, (_AT_ONCE, rows))
    chosen += np.arange(_AT_ONCE)[:, None] * rows
    times = np.bincount(chosen.ravel(), minlength=_AT_ONCE * rows).astype(np.float64)
    times = times.reshape(_AT_ONCE, rows)
    with np.errstate(invalid="ignore"):
        return (times @ values) / (times @ weights)


def number(name: str, value: float) -> str:
    """A value of a metric with the digits that it deserves."""
    if name.endswith("l2"):
        return f"{value:#.3g}"
    near_1 = "ssim" in name or name == "body_gradient"
    fine = near_1 or name in extracted_scores.METRICS
    return f"{value:.3f}" if fine else f"{value:.2f}"
