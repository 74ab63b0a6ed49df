"""From the scores of pairs to numbers that can be quoted, and how each came about."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.evaluate import extracted_scores, inception_scores, protocol
from pg2_jax.metrics import suite

METRICS: Mapping[str, suite.Metric] = {
    **suite.METRICS,
    **extracted_scores.METRICS,
    **inception_scores.METRICS,
}
DEFINITIONS = {name: metric.describe() for name, metric in METRICS.items()}
# What pairs count by in a mean, where they do not count alike.
_WEIGHTED_BY = {"pckh": "visible joints of the target"}
RESAMPLES, SEED = 1000, 0
_AT_ONCE = 50  # resamples in memory at a time
INTERVAL = (
    f"95 % of the means of {RESAMPLES} bootstrap resamples of the pairs, seed {SEED}"
)


def records(
    scores: protocol.Scores,
    facts: protocol.Facts,
    weights: protocol.Scores | None = None,
    origins: Mapping[str, Mapping[str, str]] | None = None,
) -> protocol.Records:
    """The record of each number of pairs, as metrics.json has it; without weights [N]
    all pairs count alike. `origins` is what extractors say of themselves, by metric."""
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
    """A mean over no pair and the spread of a single one are None. Where pairs have no
    finite value, it says how many, and why."""
    has = np.isfinite(values)
    finite, counts = values[has].astype(np.float64), counts[has]
    summary: dict[str, Any] = {"pairs": len(finite), "mean": None, "std": None}
    if len(finite):
        summary["mean"] = mean = float(np.average(finite, weights=counts))
    if len(finite) > 1:
        variance = np.average((finite - mean) ** 2, weights=counts)
        summary["std"] = float(np.sqrt(variance))
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
    """95 % bootstrap interval of the mean of each column, all from the same resamples
    of all pairs; a mean is over those with a value, weighted by the counts if given."""
    counts = counts or [np.ones(len(column)) for column in columns]
    values = np.stack(columns, axis=1).astype(np.float64)
    has = np.isfinite(values)
    weights = np.where(has, np.stack(counts, axis=1), 0.0)
    values = np.where(has, values, 0.0) * weights
    rng, rows, parts = np.random.default_rng(SEED), len(values), []
    for _ in range(RESAMPLES // _AT_ONCE):
        chosen = rng.integers(0, rows, (_AT_ONCE, rows))
        chosen += np.arange(_AT_ONCE)[:, None] * rows
        # How often each resample has each row.
        times = np.bincount(chosen.ravel(), minlength=chosen.size).astype(np.float64)
        times = times.reshape(_AT_ONCE, rows)
        with np.errstate(invalid="ignore"):
            parts.append((times @ values) / (times @ weights))
    # A resample may miss the few pairs that have a value.
    return [
        np.nanpercentile(column, [2.5, 97.5]).tolist() if count > 1 else None
        for column, count in zip(np.concatenate(parts).T, has.sum(axis=0), strict=True)
    ]


def number(name: str, value: float) -> str:
    """A value of a metric with the digits that it deserves."""
    if name.endswith("l2"):
        return f"{value:#.3g}"
    fine = "ssim" in name or name in {"body_gradient", *extracted_scores.METRICS}
    return f"{value:.3f}" if fine else f"{value:.2f}"
