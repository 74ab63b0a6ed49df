"""The page: everything that a report shows, in one file that needs no network."""

import base64
import datetime
import hashlib
import importlib.resources
from collections.abc import Sequence
from typing import Any

import jinja2
import markupsafe
import numpy as np

from experiments.evaluate import evaluate, statistics
from experiments.report import (
    breakdown,
    figures,
    gallery,
    pose_difference,
    selection,
    tables,
)
from experiments.report.evaluated_run import Run
from experiments.report.samples import Material
from pg2_jax import pose

# By this a report knows the pages that it may replace.
GENERATOR = "pg2_jax --mode=report"
_MOST_FAILURES = 6


def render(runs: Sequence[Run], material: Material, metric: str) -> str:
    """The page as HTML.

    Args:
        runs: of the report, in their order.
        material: of `material.gather`.
        metric: that pairs are ranked by.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("experiments.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css, js = (_file(f"report.{suffix}") for suffix in ("css", "js"))
    headings, differences, not_compared = tables.differences(runs)
    return environment.get_template("report.html").render(
        generator=GENERATOR,
        css=markupsafe.Markup(css),
        js=markupsafe.Markup(js),
        policy=_policy(css, js),
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        runs=runs,
        subtitles=tables.subtitles(runs),
        metric=metric,
        columns=tables.columns(runs),
        scores=tables.scores(runs),
        definitions=tables.definitions(runs),
        missing=tables.missing(runs),
        headings=headings,
        differences=differences,
        not_compared=not_compared,
        facts=tables.facts(runs),
        data_facts=tables.data_facts(runs),
        settings=tables.settings(runs, all_of_them=False),
        all_settings=tables.settings(runs, all_of_them=True),
        items=material.items,
        notes=material.notes,
        failures=_failures(runs, material.items),
        groups=selection.GROUPS,
        thirds=gallery.spread_of_differences(material.items),
        **_figures(runs, material, metric),
    )


def _figures(runs: Sequence[Run], material: Material, metric: str) -> dict[str, Any]:
    """Charts and breakdowns of the page by name."""
    shown = [
        (column.run, column.kind)
        for column in tables.columns(runs)
        if len(runs) == 1 or column.kind in (evaluate.COPY, runs[column.run].final)
    ]
    apart, people, views = {}, [], []
    for number, data in material.data.items():
        run = runs[number]
        assert run.scores, "only these have data"
        ours, theirs = breakdown.rows_in_data(run, data)
        if not len(ours):
            continue
        scores = run.scores.scores[run.final][metric][ours]
        differences = np.full(len(run.keys), np.nan)
        differences[ours] = data.differences[theirs]
        apart[number] = differences
        names = [data.identities[row] for row in theirs]
        people.append((number, breakdown.by_identity(scores, names)))
        views.append((number, breakdown.by_view(scores, data.views[theirs])))
    metrics = figures.metrics_of_pairs(runs)
    return {
        "training": figures.training(runs),
        "distributions": figures.distributions(runs, shown),
        "lines": [
            (
                kind if len(runs) == 1 else f"{runs[number].name}, {kind}",
                figures.style(runs[number], number, kind),
            )
            for number, kind in shown
        ],
        "by_pose": figures.by_pose_difference(runs, apart, metrics),
        "pose_definition": pose_difference.DEFINITION,
        "people": _people(people),
        "views": views,
        "view_names": pose.VIEWS,
        "number_text": statistics.number,
    }


def _people(
    found: Sequence[tuple[int, Sequence[breakdown.Part]]],
) -> dict[str, Any]:
    """A row for each person: name, pairs, and the mean of each run that has it."""
    by_name = [(number, {part.name: part for part in parts}) for number, parts in found]
    names = dict.fromkeys(part.name for _, parts in found for part in parts)
    rows = [
        (
            name,
            max(parts[name].pairs for _, parts in by_name if name in parts),
            [parts[name].mean if name in parts else None for _, parts in by_name],
        )
        for name in names
    ]
    return {"runs": [number for number, _ in by_name], "rows": rows}


def _failures(
    runs: Sequence[Run], items: Sequence[gallery.Item]
) -> list[tuple[int, list[gallery.Item]]]:
    """For each run its worst pairs, the worst first."""
    found = []
    for number in range(len(runs)):
        mine = [item for item in items if f"{number}-worst" in item.groups]
        ranks = {
            item.order: score.rank
            for item in mine
            for score in item.scores
            if score.run == number
        }
        mine.sort(key=lambda item: -ranks[item.order])
        if mine:
            found.append((number, mine[:_MOST_FAILURES]))
    return found


def _file(name: str) -> str:
    place = importlib.resources.files("experiments.report") / "page" / name
    return place.read_text(encoding="utf-8")


def _policy(css: str, js: str) -> str:
    """What the page may do: its own style and script, its own pictures, no network."""
    style, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (css, js)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; "
        f"script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
