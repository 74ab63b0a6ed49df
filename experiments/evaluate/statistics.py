"""From the scores of pairs to numbers that can be quoted: mean, spread, interval, and
how each came about."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import rich.console
import rich.table
import rich.text

import pg2_jax
from experiments.evaluate import extracted_scores, inception_scores
from pg2_jax.metrics import suite

METRICS = suite.METRICS
# Those of pairs.
_OF_PAIRS: dict[str, suite.Metric | extracted_scores.ExtractedMetric] = {
    **METRICS,
    **extracted_scores.METRICS,
}
# And those of sets.
_ALL: dict[str, Any] = {**_OF_PAIRS, **inception_scores.METRICS}
DEFINITIONS = {name: metric.describe() for name, metric in _ALL.items()}
# What needs more than images and keypoints.
NOT_COMPUTED = {**extracted_scores.NEEDS, **inception_scores.NEEDS}
_RESAMPLES, _SEED = 1000, 0
_AT_ONCE = 50  # resamples in memory at a time
INTERVAL = (
    f"95 % of the means of {_RESAMPLES} bootstrap resamples of the pairs, seed {_SEED}"
)

# By kind of image and by metric: [N], or the record of a number.
Scores = dict[str, dict[str, np.ndarray]]
Records = dict[str, dict[str, dict[str, Any]]]


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The scores [N] of batches after one another, the metrics in their order: what
    comes out of jit is sorted by name."""
    return {
        name: np.concatenate([part[name] for part in parts])
        for name in METRICS
        if name in parts[0]
    }


def records(
    scores: Scores,
    weights: Scores | None = None,
    origins: Mapping[str, Mapping[str, str]] | None = None,
    **facts: Any,
) -> Records:
    """The record of each number, as metrics.json has it.

    Args:
        scores: [N] float by kind and metric, NaN or infinite where a pair has no value.
        weights: [N] by kind and metric, what each pair counts by in the mean, where
            that is not 1.
        origins: by metric, what its record says of an extractor.
        **facts: image_size, resize and masks (a text by mask rule).

    Returns:
        By kind and metric: variant, definition, reference, library, extractor, weights,
        weights_sha256, image_size, resize, mask, pairs, mean, std and interval_95; a
        mean over no pair and the spread of a single one are None. Where pairs have no
        finite value: how many, and why.
    """
    found: Records = {}
    for kind, by_name in scores.items():
        given = (weights or {}).get(kind, {})
        counts = [given.get(name, np.ones(len(x))) for name, x in by_name.items()]
        limits = intervals(list(by_name.values()), counts)
        found[kind] = {
            name: {
                **_origin(name, **facts),
                **(origins or {}).get(name, {}),
                **_summary(name, values, count, interval),
            }
            for (name, values), count, interval in zip(
                by_name.items(), counts, limits, strict=True
            )
        }
    return found


def merged(scores: Scores, others: Scores) -> Scores:
    """Both, by kind and metric; all kinds are in the first."""
    return {
        kind: {**by_name, **others.get(kind, {})} for kind, by_name in scores.items()
    }


def joined_records(of_pairs: Records, of_sets: Records) -> Records:
    """The records of pairs, and of sets if there are any, by kind and metric."""
    return {
        kind: {**by_name, **of_sets.get(kind, {})} for kind, by_name in of_pairs.items()
    }


def not_computed(
    size: tuple[int, int],
    masks: frozenset[str],
    others: Mapping[str, str] = NOT_COMPUTED,
) -> dict[str, str]:
    """Why each metric that is not in the table is not.

    Args:
        size: (height, width) of the images.
        masks: whose body masks there are.
        others: of the collectors' `not_computed`.
    """
    lacks = {name: suite.needs(metric, size, masks) for name, metric in METRICS.items()}
    return {**{k: f"needs {lack}" for k, lack in lacks.items() if lack}, **others}


def _origin(
    name: str, *, image_size: str, resize: str, masks: dict[str, str]
) -> dict[str, Any]:
    metric = _OF_PAIRS[name]
    jax_version = importlib.metadata.version("jax")
    return {
        "variant": name,
        "definition": metric.describe(),
        "reference": metric.reference,
        "library": f"pg2_jax {pg2_jax.__version__} with jax {jax_version}",
        "extractor": "none",
        "weights": "none",
        "weights_sha256": "none",
        "image_size": image_size,
        "resize": resize,
        "mask": masks[metric.mask] if metric.mask else "none",
    }


def _summary(
    name: str, values: np.ndarray, counts: np.ndarray, interval: list[float] | None
) -> dict[str, Any]:
    has = np.isfinite(values)
    finite, counts = values[has].astype(np.float64), counts[has]
    metric = _OF_PAIRS[name]
    mean = float(np.average(finite, weights=counts)) if len(finite) else None
    std = None
    if len(finite) > 1:
        std = float(np.sqrt(np.average((finite - mean) ** 2, weights=counts)))
    summary: dict[str, Any] = {
        "pairs": len(finite),
        "mean": mean,
        "std": std,
        "interval_95": interval,
    }
    if isinstance(metric, extracted_scores.ExtractedMetric) and metric.weight:
        summary["weighted_by"] = f"{metric.weight}, {counts.sum():,.0f} in all"
    if len(finite) < len(values):
        summary["pairs_left_out"] = len(values) - len(finite)
        summary["left_out_because"] = metric.undefined or "not a finite number"
    return summary


def intervals(
    columns: list[np.ndarray], counts: list[np.ndarray] | None = None
) -> list[list[float] | None]:
    """95 % bootstrap interval of the mean of each column, all from the same resamples.

    Each resample is drawn from all pairs; its mean is over those with a value, weighted
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
    found: list[list[float] | None] = []
    for column, count in zip(means.T, has.sum(axis=0), strict=True):
        # A resample may miss the few pairs that have a value.
        limits = np.nanpercentile(column, [2.5, 97.5]) if count > 1 else None
        found.append(None if limits is None else [float(x) for x in limits])
    return found


def _resampled_means(
    rng: np.random.Generator, values: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Means [_AT_ONCE, M] over resamples of the rows of [N, M].

    Args:
        rng: draws them.
        values: already times their weights.
        weights: 0 where there is no value.
    """
    rows = len(values)
    drawn = rng.integers(0, rows, (_AT_ONCE, rows))
    drawn += np.arange(_AT_ONCE)[:, None] * rows
    times = np.bincount(drawn.ravel(), minlength=_AT_ONCE * rows).astype(np.float64)
    times = times.reshape(_AT_ONCE, rows)
    with np.errstate(invalid="ignore"):
        return (times @ values) / (times @ weights)


def show(
    title: str,
    metrics: Records,
    missing: dict[str, str],
    remarks: Sequence[str] = (),
) -> None:
    """Prints a table of means and deviations, and notes.

    Marked with - is what the names mean, with ! what a reader must know, with x what is
    missing.

    Args:
        title: above the table.
        metrics: of `records`; the kinds have the same metrics.
        missing: of `not_computed`.
        remarks: more that a reader must know.
    """
    console = rich.console.Console()
    console.print(title, markup=False, highlight=False)
    console.print(_table(metrics))
    notes = rich.table.Table.grid(padding=(0, 1))
    first = next(iter(metrics.values()))
    for line in _meanings(list(first)):
        notes.add_row(" -", line)
    for kind, by_name in metrics.items():
        remarks = [*remarks, *_remarks(kind, by_name)]
    for line in remarks:
        notes.add_row(" !", rich.text.Text(line))
    for reason in dict.fromkeys(missing.values()):
        names = ", ".join(name for name in missing if missing[name] == reason)
        # As text: rich would take the [pose] of a pip install for a colour.
        notes.add_row(" x", rich.text.Text(f"{names}: not computed: {reason}"))
    console.print(notes)


def _meanings(names: list[str]) -> list[str]:
    """One line for each name, and one for all that are masked in the same way."""
    plain = [name for name in names if name.removeprefix("masked_") == name]
    lines = [f"{name}: {_ALL[name].definition}" for name in plain]
    if len(plain) < len(names):
        lines.append("masked_...: the same, all but the target's body black")
    return lines


def _table(metrics: Records) -> rich.table.Table:
    table = rich.table.Table()
    table.add_column("metric", no_wrap=True)
    for kind in metrics:
        table.add_column(kind, justify="right", no_wrap=True)
    if len(metrics) == 1:
        table.add_column("95 % interval", justify="right", no_wrap=True)
    for name in next(iter(metrics.values())):
        found = [by_name[name] for by_name in metrics.values()]
        cells = [_cell(name, record) for record in found]
        if len(metrics) == 1:
            cells.append(_interval_cell(name, found[0]["interval_95"]))
        table.add_row(f"{name} {'↑' if _ALL[name].higher_is_better else '↓'}", *cells)
    return table


def number(name: str, value: float) -> str:
    if name.endswith("l2"):
        return f"{value:#.3g}"
    fine = "ssim" in name or name in extracted_scores.METRICS
    return f"{value:.3f}" if fine else f"{value:.2f}"


def _cell(name: str, record: dict[str, Any]) -> str:
    if record["mean"] is None:
        return "undefined"
    if record["std"] is None:
        return number(name, record["mean"])
    return f"{number(name, record['mean'])} ({number(name, record['std'])})"


def _interval_cell(name: str, interval: list[float] | None) -> str:
    return " to ".join(number(name, x) for x in interval) if interval else "-"


def _remarks(kind: str, by_name: dict[str, dict[str, Any]]) -> list[str]:
    """What a reader of the table must know: pairs without a value, a single pair."""
    lines = []
    for name, record in by_name.items():
        if "pairs_left_out" in record:
            total = record["pairs"] + record["pairs_left_out"]
            lines.append(
                f"{name} of {kind}: {record['pairs_left_out']:,} of {total:,} pairs "
                f"left out, {record['left_out_because']}"
            )
    lines += inception_scores.remarks({kind: by_name})
    if all(record["pairs"] <= 1 for record in by_name.values()):
        lines.append(f"{kind}: one pair has no deviation and no interval")
    return lines
