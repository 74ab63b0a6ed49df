"""The tables of a report: scores, differences, and what was run."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.config import Config
from experiments.evaluate import evaluate, statistics
from experiments.report.evaluated_run import Run, comparable, not_comparable
from pg2_jax import errors


class Column(NamedTuple):
    """A kind of image of a run; `run` is its number, which decides the colour."""

    run: int
    kind: str


# Of a column of differences: the first minus the second.
Heading = tuple[Column, Column]
# A name, and a text for each run.
Rows = list[tuple[str, list[str]]]
# A metric, its definition and direction, with a cell for each column.
Row = dict[str, Any]
UNKNOWN = "not recorded"


class Difference(NamedTuple):
    """The first minus the second, over pairs where both have a score."""

    mean: float
    interval: list[float] | None  # of the mean, 95 % by bootstrap; None for one pair
    better: float  # share of the pairs in which the first is better, not equal
    pairs: int
    # "better" or "worse" where the interval leaves 0 out, else "". Where nearer to 1 is
    # better, it is the interval of how much nearer the first is.
    verdict: str


def columns(runs: Sequence[Run]) -> list[Column]:
    """The columns of scores: the copy of the source once for runs on the same pairs."""
    shown = []
    for number, run in enumerate(runs):
        copied = any(
            evaluate.COPY in other.content["metrics"] and not not_comparable(run, other)
            for other in runs[:number]
        )
        kinds = [k for k in run.content["metrics"] if k != evaluate.COPY or not copied]
        shown += [Column(number, kind) for kind in kinds]
    return shown


def scores(runs: Sequence[Run]) -> list[Row]:
    """The records of every metric for every column, and whether the mean of each is the
    best of the row, the copy of the source included, among runs that are comparable."""
    shown, groups = columns(runs), comparable(runs)
    every = [(runs[c.run], runs[c.run].content["metrics"][c.kind]) for c in shown]
    rows = _rows(every)
    for row in rows:
        means = [record["mean"] if record else None for record in row["cells"]]
        row["best"] = [False] * len(shown)
        for group in set(groups):
            here = [i for i, c in enumerate(shown) if groups[c.run] == group]
            known = [mean for i in here if (mean := means[i]) is not None]
            best = max(known, key=row["better"].merit, default=None)
            for i in here:
                row["best"][i] = len(known) > 1 and means[i] == best
    return rows


def differences(runs: Sequence[Run]) -> tuple[list[Heading], list[Row], list[str]]:
    """Each run minus the first, and within each run its result minus the image before:
    headings, rows of differences, and why some runs are not compared."""
    compared: dict[Heading, dict[str, Difference]] = {}
    notes: list[str] = []
    for number, run in enumerate(runs):
        final, others = Column(number, run.final), []
        if number and (why := not_comparable(run, runs[0])):
            notes.append(f"{run.name} is not compared with {runs[0].name}: {why}.")
        elif number:
            others.append(Column(0, runs[0].final))
        elif not run.keys:
            notes.append(f"{run.name} has no pairs.csv; evaluate it again.")
        if run.keys and len(run.content["metrics"]) > 1:
            others.append(Column(number, list(run.content["metrics"])[-2]))
        for other in others:
            by_metric = compare(run, final.kind, runs[other.run], other.kind)
            compared[final, other] = by_metric
    rows = _rows([(runs[first.run], x) for (first, _), x in compared.items()])
    return list(compared), rows, notes


def _rows(columns: Sequence[tuple[Run, Mapping[str, Any]]]) -> list[Row]:
    """A row for each metric: its cell of each column, None where a column has none, and
    how the first run that has the metric defines it."""
    rows = []
    for metric in dict.fromkeys(name for _, cells in columns for name in cells):
        owner = next(run for run, cells in columns if metric in cells)
        rows.append(
            {
                "metric": metric,
                "better": owner.better(metric),
                "definition": owner.content["definitions"][metric],
                "cells": [cells.get(metric) for _, cells in columns],
            }
        )
    return rows


def definitions(runs: Sequence[Run]) -> list[dict[str, str]]:
    """How each number was computed; each way once."""
    keys = ("variant", "definition", "reference", "library", "resize", "mask")
    ways = [
        tuple((key, str(record.get(key, ""))) for key in keys)
        for run in runs
        for records in run.content["metrics"].values()
        for record in records.values()
    ]
    return [dict(way) for way in dict.fromkeys(ways)]


def missing(runs: Sequence[Run]) -> dict[str, list[str]]:
    """The metrics that no run has, by the reason."""
    has = {
        m for run in runs for kinds in run.content["metrics"].values() for m in kinds
    }
    by_reason: dict[str, list[str]] = {}
    for run in runs:
        for metric, reason in run.content.get("not_computed", {}).items():
            if metric not in {*has, *by_reason.get(reason, ())}:
                by_reason.setdefault(reason, []).append(metric)
    return by_reason


def compare(
    first: Run, first_kind: str, second: Run, second_kind: str
) -> dict[str, Difference]:
    """The differences by metric, of two runs that `not_comparable` lets pass."""
    order: np.ndarray | slice = slice(None)
    if first.keys != second.keys:
        rows = {pair: row for row, pair in enumerate(second.keys)}
        order = np.array([rows[pair] for pair in first.keys])
    mine, theirs = first.scores_of(first_kind), second.scores_of(second_kind)
    names = [name for name in mine if name in theirs]
    deltas, gains = [], []
    with np.errstate(invalid="ignore"):
        for name in names:
            values, others = mine[name], theirs[name][order]
            merit = first.better(name).merit
            deltas.append(values - others)
            gains.append(merit(values) - merit(others))
    limits = zip(statistics.intervals(deltas), statistics.intervals(gains), strict=True)
    compared = {}
    for name, delta, gain, (interval, of_gain) in zip(
        names, deltas, gains, limits, strict=True
    ):
        has = np.isfinite(delta)
        if not has.any():
            continue
        verdict = ""
        if of_gain and (of_gain[0] > 0 or of_gain[1] < 0):
            verdict = "better" if of_gain[0] > 0 else "worse"
        mean, share = float(delta[has].mean()), float((gain[has] > 0).mean())
        compared[name] = Difference(mean, interval, share, int(has.sum()), verdict)
    return compared


def subtitles(runs: Sequence[Run]) -> list[str]:
    """How many pairs of which size were scored, in one text if it is so for all."""
    texts = {}
    for run in runs:
        pairs = errors.counted(run.content["pairs"], "test pair")
        texts[run.name] = f"{pairs} of {run.content['image_size']} pixels"
    if len({*texts.values()}) == 1:
        return list(texts.values())[:1]
    return [f"{name}: {text}" for name, text in texts.items()]


def settings(runs: Sequence[Run]) -> tuple[Rows, Rows]:
    """Settings of the trainings: those that are not the default in all runs, and all;
    empty texts where images of a folder were scored."""
    changed, every = [], []
    for field in dataclasses.fields(Config):
        if field.metadata["may_change"] or not any(run.config for run in runs):
            continue
        values = [run.config.get(field.name, field.default) for run in runs]
        texts = [
            str(value) if run.config else ""
            for run, value in zip(runs, values, strict=True)
        ]
        every.append((f"--{field.name}", texts))
        if any(value != field.default for value in values):
            changed.append(every[-1])
    return changed, every


def side_by_side(of_runs: Sequence[dict[str, Any]], missing: str) -> Rows:
    """A row for each fact that is known of some run."""
    names = dict.fromkeys(name for values in of_runs for name in values)
    return [(name, [str(v.get(name, missing)) for v in of_runs]) for name in names]


def facts(run: Run) -> dict[str, str]:
    """What was run, for people."""
    content = run.content
    if "generated_dir" in content:
        origin = {
            "Images": content["generated_dir"],
            "Targets": content["target_dir"],
            "Keypoints": content.get("annotations") or "none",
        }
    else:
        available = content.get("pairs_available", content["pairs"])
        seconds = max((row.get("seconds", 0) for row in run.history), default=0)
        duration = f"{datetime.timedelta(seconds=round(seconds))} (h:mm:ss)"
        origin = {
            "Scored checkpoint": f"step {content['step']:,}",
            "Training": _plan(run.config),
            "Time of training": duration if seconds else UNKNOWN,
            "Trained on": _hardware(run),
            "Training code": str(run.stored.get("commit", UNKNOWN)),
            "Data set": content.get("data_dir", UNKNOWN),
            "Pairs in the data set": f"{available:,}",
        }
    versions = content.get("versions", {})
    return {
        "Folder": str(run.folder),
        **origin,
        "Pairs scored": f"{content['pairs']:,}",
        "Image size": f"{content['image_size']} (height x width)",
        "Scoring code": str(content.get("commit", UNKNOWN)),
        "Versions": ", ".join(f"{k} {v}" for k, v in versions.items()) or UNKNOWN,
        "Intervals": content.get("interval", UNKNOWN),
    }


def _plan(config: dict[str, Any]) -> str:
    coarse, refine = config.get("coarse_steps", 0), config.get("refine_steps", 0)
    stages = config.get("stages", "two_stage")
    steps = f"{coarse:,} + {refine:,}" if stages == "two_stage" else f"{coarse:,}"
    batch = config.get("batch_size", UNKNOWN)
    return f"{stages}, {steps} steps, batches of {batch}, seed {config.get('seed')}"


def _hardware(run: Run) -> str:
    sessions = run.stored.get("sessions", [])
    machines = [(one.get("devices", ""), one.get("hardware", {})) for one in sessions]
    said = dict.fromkeys(
        f"{devices}; {machine.get('processor', '')}, {machine.get('cores', '?')} cores,"
        f" {machine.get('memory_gib', '?')} GiB"
        for devices, machine in machines
    )
    return " / ".join(said) or UNKNOWN
