"""The tables of a report: scores, differences, and what was run."""

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.config import Config
from experiments.evaluate import evaluate, statistics
from experiments.report import comparison
from experiments.report.evaluated_run import Run, not_comparable

UNKNOWN = "not recorded"


class Column(NamedTuple):
    """A kind of image of a run; `run` is its number, which decides the colour."""

    run: int
    kind: str


class Cell(NamedTuple):
    """A number with what stands below it.

    Attributes:
        text: the number.
        small: lines below it, such as its interval.
        hover: more to know.
        mark: a class of the page: best, better, worse, or none.
    """

    text: str
    small: tuple[str, ...] = ()
    hover: str = ""
    mark: str = ""


class Row(NamedTuple):
    """A metric with its cells, None where a column does not have it."""

    metric: str
    arrow: str
    definition: str
    cells: list[Cell | None]


class Against(NamedTuple):
    """The heading of a column of differences."""

    first: Column
    second: Column


def columns(runs: Sequence[Run]) -> list[Column]:
    """The columns of the table of scores: a copy of the source only once for runs that
    were scored on the same pairs."""
    found = []
    for number, run in enumerate(runs):
        before = runs[:number]
        copied = any(
            evaluate.COPY in other.content["metrics"] and not not_comparable(run, other)
            for other in before
        )
        for kind in run.content["metrics"]:
            if kind != evaluate.COPY or not copied:
                found.append(Column(number, kind))
    return found


def scores(runs: Sequence[Run]) -> list[Row]:
    """Mean and interval of every metric for every column."""
    shown = columns(runs)
    every = [runs[c.run].content["metrics"][c.kind] for c in shown]
    rows = []
    for metric in dict.fromkeys(name for records in every for name in records):
        records = [found.get(metric) for found in every]
        owner = next(runs[c.run] for c, r in zip(shown, records, strict=True) if r)
        higher = comparison.higher_is_better(owner, metric)
        means = [
            r["mean"] if r and c.kind != evaluate.COPY else None
            for c, r in zip(shown, records, strict=True)
        ]
        known = [mean for mean in means if mean is not None]
        best = (max if higher else min)(known) if len(known) > 1 else None
        cells = [
            record and _cell(metric, record, "best" if mean == best else "")
            for record, mean in zip(records, means, strict=True)
        ]
        rows.append(_row(owner, metric, cells))
    return rows


def _row(run: Run, metric: str, cells: list[Cell | None]) -> Row:
    definition = run.content["definitions"][metric]
    arrow = "↑" if comparison.higher_is_better(run, metric) else "↓"
    return Row(metric, arrow, definition, cells)


def _cell(metric: str, record: dict[str, Any], mark: str) -> Cell:
    if record["mean"] is None:
        return Cell("undefined", hover=record.get("left_out_because", ""))
    small: tuple[str, ...] = ()
    if interval := record.get("interval_95"):
        small = (" to ".join(statistics.number(metric, end) for end in interval),)
    hover = f"{record['pairs']:,} pairs" if "pairs" in record else ""
    if record.get("std") is not None:
        hover += f", standard deviation {statistics.number(metric, record['std'])}"
    if "pairs_left_out" in record:
        small += (f"{record['pairs_left_out']:,} pairs left out",)
    return Cell(statistics.number(metric, record["mean"]), small, hover, mark)


def definitions(runs: Sequence[Run]) -> list[dict[str, str]]:
    """How each number came about; each way once."""
    keys = ("variant", "definition", "reference", "library", "resize", "mask")
    found = [
        {key: str(record.get(key, "")) for key in keys}
        for run in runs
        for records in run.content["metrics"].values()
        for record in records.values()
    ]
    return [dict(item) for item in dict.fromkeys(tuple(d.items()) for d in found)]


def missing(runs: Sequence[Run]) -> dict[str, list[str]]:
    """The metrics that no run has, by the reason."""
    has = {
        m for run in runs for kinds in run.content["metrics"].values() for m in kinds
    }
    found: dict[str, list[str]] = {}
    for run in runs:
        for metric, reason in run.content.get("not_computed", {}).items():
            names = found.setdefault(reason, [])
            if metric not in has and metric not in names:
                names.append(metric)
    return {reason: names for reason, names in found.items() if names}


def differences(
    runs: Sequence[Run],
) -> tuple[list[Against], list[Row], list[str]]:
    """Each run minus the first, and within each run its result minus the image before.

    Returns:
        Headings, rows with a cell each, and why some runs are not compared.
    """
    headings: list[Against] = []
    found: list[dict[str, comparison.Difference]] = []
    notes: list[str] = []
    for number, run in enumerate(runs):
        against = []
        if number and (why := not_comparable(run, runs[0])):
            notes.append(f"{run.name} is not compared with {runs[0].name}: {why}.")
        elif number:
            against.append(Column(0, runs[0].final))
        elif run.scores is None:
            notes.append(f"{run.name} has no pairs.csv; evaluate it again.")
        if run.scores and len(run.content["metrics"]) > 1:
            against.append(Column(number, list(run.content["metrics"])[-2]))
        for other in against:
            headings.append(Against(Column(number, run.final), other))
            second = comparison.Side(runs[other.run], other.kind)
            first = comparison.Side(run, run.final)
            found.append(comparison.differences(first, second))
    rows = []
    for metric in dict.fromkeys(name for by_name in found for name in by_name):
        owner = next(
            runs[h.first.run]
            for h, d in zip(headings, found, strict=True)
            if metric in d
        )
        cells = [_difference(metric, d[metric]) if metric in d else None for d in found]
        rows.append(_row(owner, metric, cells))
    return headings, rows, notes


def _difference(metric: str, found: comparison.Difference) -> Cell:
    interval = found.interval
    ends = [" to ".join(_signed(metric, end) for end in interval)] if interval else []
    return Cell(
        _signed(metric, found.mean),
        (*ends, f"better in {found.better:.0%}"),
        f"{found.pairs:,} pairs",
        found.verdict,
    )


def _signed(metric: str, value: float) -> str:
    """One digit more than a score has."""
    digits = len(statistics.number(metric, 0.0).partition(".")[2]) + 1
    text = f"{value:+.2g}" if metric.endswith("l2") else f"{value:+.{digits}f}"
    return text.replace("-", "\u2212")


def subtitles(runs: Sequence[Run]) -> list[str]:
    """How many pairs of which size were scored, in one text if it is so for all."""
    texts = [
        f"{run.content['pairs']:,} test pairs of {run.content['image_size']} pixels"
        for run in runs
    ]
    if len({*texts}) == 1:
        return texts[:1]
    return [f"{run.name}: {text}" for run, text in zip(runs, texts, strict=True)]


def facts(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """What was run: a name and a text for each run."""
    found = [_facts(run) for run in runs]
    names = dict.fromkeys(name for facts in found for name in facts)
    return [(name, [facts.get(name, UNKNOWN) for facts in found]) for name in names]


def _facts(run: Run) -> dict[str, str]:
    content, config = run.content, run.config
    first = {"Folder": str(run.folder)}
    if "generated_dir" in content:
        first |= {
            "Images": content["generated_dir"],
            "Targets": content["target_dir"],
            "Keypoints": content.get("annotations") or "none",
        }
    else:
        available = content.get("pairs_available", content["pairs"])
        first |= {
            "Scored checkpoint": f"step {content['step']:,}",
            "Training": _plan(config),
            "Time of training": _seconds(run),
            "Trained on": _hardware(run),
            "Training code": str(run.stored.get("commit", UNKNOWN)),
            "Data set": content.get("data_dir", UNKNOWN),
            "Pairs in the data set": f"{available:,}",
        }
    versions = content.get("versions", {})
    return first | {
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


def _seconds(run: Run) -> str:
    seconds = max((row.get("seconds", 0) for row in run.history), default=0)
    if not seconds:
        return UNKNOWN
    return str(datetime.timedelta(seconds=round(seconds))) + " (h:mm:ss)"


def _hardware(run: Run) -> str:
    found = []
    for session in run.stored.get("sessions", []):
        machine = session.get("hardware", {})
        found.append(
            f"{session.get('devices', '')}; {machine.get('processor', '')}, "
            f"{machine.get('cores', '?')} cores, {machine.get('memory_gib', '?')} GiB"
        )
    return " / ".join(dict.fromkeys(found)) or UNKNOWN


def data_facts(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """What the data sets say of themselves."""
    found = [run.content.get("data", {}) for run in runs]
    names = dict.fromkeys(name for data in found for name in data)
    return [(name, [str(data.get(name, "")) for data in found]) for name in names]


def settings(runs: Sequence[Run], *, all_of_them: bool) -> list[tuple[str, list[str]]]:
    """Settings of the trainings.

    Args:
        runs: of the report.
        all_of_them: or only those that are not the default, or differ.
    """
    rows = []
    for field in dataclasses.fields(Config):
        if field.metadata["may_change"] or not any(run.config for run in runs):
            continue
        values = [run.config.get(field.name, field.default) for run in runs]
        if all_of_them or any(value != field.default for value in values):
            texts = [
                str(value) if run.config else ""
                for run, value in zip(runs, values, strict=True)
            ]
            rows.append((f"--{field.name}", texts))
    return rows
