"""--mode=report: evaluated runs side by side, as one page for a browser.

The page is one file that needs no network.
"""

import base64
import datetime
import hashlib
import pathlib
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_prep import command_line
from experiments.config import Config
from experiments.report import (
    data_pairs,
    evaluated_run,
    figures,
    samples,
    tables,
    templates,
)
from experiments.report.evaluated_run import Run
from pg2_jax import errors, files, pose

_FILE = "index.html"
# By this a report knows the pages that it may replace.
_GENERATOR = "pg2_jax --mode=report"
_MOST_FAILURES = 6


def report(config: Config) -> None:
    """Writes --output/index.html, which shows the runs of --workdirs."""
    output = pathlib.Path(config.output)
    _check_output(output)
    runs = evaluated_run.read_all(config.workdirs)
    gathered = samples.gather(config, runs)
    html = _page(runs, gathered, config.report_metric)
    output.mkdir(parents=True, exist_ok=True)
    files.write_text(output / _FILE, html)
    for note in gathered.notes:
        print(f"Note: {note}")
    size = len(html.encode()) / 2**20
    print(
        f"Wrote {output / _FILE}: {', '.join(run.name for run in runs)}; "
        f"{errors.counted(len(gathered.items), 'pair')} in the gallery, {size:.1f} MiB"
    )


def _check_output(output: pathlib.Path) -> None:
    """Checks, before the work, that the page replaces nothing but a report."""
    command_line.check_folder("--output", output, empty=False)
    old = output / _FILE
    if old.exists() and _GENERATOR not in old.read_text("utf-8", "replace")[:2000]:
        raise ValueError(
            f"--output={output}: {_FILE} was not written by --mode=report and would be "
            "overwritten; choose another folder."
        )


def _page(runs: Sequence[Run], gathered: samples.Samples, metric: str) -> str:
    """The page as HTML; pairs are ranked by the metric."""
    css, js = templates.read("report.css"), templates.read("report.js")
    headings, differences, not_compared = tables.differences(runs)
    settings = tables.settings(runs)
    lines = figures.legend(runs, tables.columns(runs))
    return templates.render(
        "report.html",
        generator=_GENERATOR,
        css=css,
        js=js,
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
        settings=[row for row, default in settings if not default],
        all_settings=[row for row, _ in settings],
        items=gathered.items,
        notes=gathered.notes,
        failures=_failures(runs, gathered.items),
        groups=samples.GROUPS,
        thirds=samples.thirds(gathered.items),
        training=figures.training(runs),
        distributions=figures.distributions(runs, lines),
        lines=lines.values(),
        **_parts(runs, gathered, metric),
    )


def _parts(
    runs: Sequence[Run], gathered: samples.Samples, metric: str
) -> dict[str, Any]:
    """Scores by pose difference, person and view, of the runs whose data is known."""
    apart, people, views = {}, {}, {}
    pairs: dict[str, int] = {}
    for number, data in gathered.data.items():
        run = runs[number]
        ours, theirs = data.rows_of(run.keys)
        if not len(ours):
            continue
        scores = run.scores_of(run.final)[metric][ours]
        apart[number] = np.full(len(run.keys), np.nan)
        apart[number][ours] = data.differences[theirs]
        names = [data.identities[row] for row in theirs]
        people[number] = by_name(scores, names)
        views[number] = by_view(scores, data.views[theirs])
        for name, part in people[number].items():
            pairs[name] = max(part.pairs, pairs.get(name, 0))
    return {
        "by_pose": figures.by_pose_difference(runs, apart),
        "pose_definition": data_pairs.POSE_DIFFERENCE,
        "people": people,
        "pairs_of_people": pairs,
        "views": views,
        "view_names": pose.VIEWS,
    }


class Part(NamedTuple):
    """The pairs that have something in common, with their mean score."""

    pairs: int
    mean: float


def by_name(scores: np.ndarray, names: Sequence[Hashable]) -> dict[Any, Part]:
    """The pairs of each name, from the lowest mean to the highest; pairs without a
    finite score do not count."""
    scores_of: dict[Hashable, list[float]] = {}
    for score, name in zip(scores, names, strict=True):
        if np.isfinite(score):
            scores_of.setdefault(name, []).append(float(score))
    parts = {n: Part(len(x), float(np.mean(x))) for n, x in scores_of.items()}
    return dict(sorted(parts.items(), key=lambda item: item[1].mean))


def by_view(scores: np.ndarray, views: np.ndarray) -> dict[tuple[int, int], Part]:
    """The pairs of each two views [N, 2] of source and target, indices of
    `pose.VIEWS`; pairs with an unknown view do not count."""
    known = (views >= 0).all(axis=1)
    return by_name(scores[known], [tuple(pair) for pair in views[known].tolist()])


def _failures(
    runs: Sequence[Run], items: Sequence[samples.Item]
) -> list[tuple[int, list[samples.Item]]]:
    """For each run its worst pairs, the worst first."""
    failures = []
    for number in range(len(runs)):
        ranks = {
            score.rank: item
            for item in items
            for score in item.scores
            if score.run == number and f"{number}-worst" in item.groups
        }
        if ranks:
            worst = sorted(ranks, reverse=True)[:_MOST_FAILURES]
            failures.append((number, [ranks[rank] for rank in worst]))
    return failures


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
