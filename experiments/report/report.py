"""--mode=report: evaluated runs side by side, as one file for a browser that needs no
network."""

import base64
import datetime
import hashlib
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
import markupsafe
import numpy as np

from data_prep import command_line
from experiments.config import Config
from experiments.evaluate import statistics
from experiments.report import data_pairs, evaluated_run, figures, samples, tables
from experiments.report.evaluated_run import Run
from pg2_jax import errors, files, pose

_TEMPLATES = pathlib.Path(__file__).with_name("template")
_FILE = "index.html"
# By this a report knows the pages that it may replace.
_GENERATOR = "pg2_jax --mode=report"
_MOST_FAILURES = 6


def report(config: Config) -> None:
    """Writes --output/index.html, which shows the runs of --workdirs."""
    output = pathlib.Path(config.output)
    # Before the work.
    command_line.check_folder("--output", output, empty=False)
    old = output / _FILE
    if old.exists() and _GENERATOR not in old.read_text("utf-8", "replace")[:2000]:
        raise ValueError(
            f"--output={output}: {_FILE} was not written by --mode=report and would be "
            "overwritten; choose another folder."
        )
    runs = evaluated_run.read_all(config.workdirs)
    gathered = samples.Samples(config, runs)
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


def _page(runs: Sequence[Run], gathered: samples.Samples, metric: str) -> str:
    """The page as HTML; pairs are ranked by the metric."""
    css, js = _read("report.css"), _read("report.js")
    headings, differences, not_compared = tables.differences(runs)
    columns = tables.columns(runs)
    lines = figures.legend(runs, columns)
    settings, all_settings = tables.settings(runs)
    apart = [item["known"].difference for item in gathered.items]
    known = [difference for difference in apart if difference is not None]
    return _ENVIRONMENT.get_template("report.html").render(
        generator=_GENERATOR,
        css=css,
        js=js,
        policy=_policy(css, js),
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        runs=runs,
        subtitles=tables.subtitles(runs),
        metric=metric,
        columns=columns,
        scores=tables.scores(runs),
        definitions=tables.definitions(runs),
        missing=tables.missing(runs),
        headings=headings,
        differences=differences,
        not_compared=not_compared,
        facts=tables.side_by_side([tables.facts(r) for r in runs], tables.UNKNOWN),
        data_facts=tables.side_by_side([r.content.get("data", {}) for r in runs], ""),
        settings=settings,
        all_settings=all_settings,
        items=gathered.items,
        notes=gathered.notes,
        failures=_failures(len(runs), gathered.items),
        groups=samples.GROUPS,
        # The two pose differences that part the pairs in three.
        thirds=np.quantile(known, [1 / 3, 2 / 3]).tolist() if len(known) >= 3 else [],
        training=figures.training(runs),
        distributions=figures.distributions(runs, lines),
        lines=lines.values(),
        **parts(runs, gathered.pairs, metric),
    )


def parts(
    runs: Sequence[Run],
    pairs: Mapping[int, Mapping[str, data_pairs.Pair]],
    metric: str,
) -> dict[str, Any]:
    """Scores by pose difference, person and view, of the runs whose data is known."""
    apart, people, views = {}, {}, {}
    counts: dict[str, int] = {}
    for number, pair_of in pairs.items():
        run = runs[number]
        if not any(key in pair_of for key in run.keys):
            continue
        scores = run.scores_of(run.final)[metric]
        found = [pair_of.get(key, data_pairs.Pair()) for key in run.keys]
        apart[number] = np.array([pair.difference for pair in found], float)
        people[number] = by_name(scores, [pair.identity for pair in found])
        views[number] = by_name(scores, [pair.view for pair in found])
        for name, part in people[number].items():
            counts[name] = max(part.pairs, counts.get(name, 0))
    return {
        "by_pose": figures.by_pose_difference(runs, apart),
        "pose_definition": data_pairs.POSE_DIFFERENCE,
        "people": people,
        "pairs_of_people": counts,
        "views": views,
        "view_names": pose.VIEWS,
    }


class Part(NamedTuple):
    """The pairs that have something in common, with their mean score."""

    pairs: int
    mean: float


def by_name(scores: Iterable[float], names: Iterable[str]) -> dict[str, Part]:
    """The pairs of each name, from the lowest mean to the highest; pairs without a
    name or a finite score do not count."""
    scores_of: dict[str, list[float]] = {}
    for score, name in zip(scores, names, strict=True):
        if name and np.isfinite(score):
            scores_of.setdefault(name, []).append(float(score))
    parts = {name: Part(len(x), float(np.mean(x))) for name, x in scores_of.items()}
    return dict(sorted(parts.items(), key=lambda item: item[1].mean))


def _failures(
    runs: int, items: Sequence[samples.Item]
) -> list[tuple[int, list[samples.Item]]]:
    """For the number of each run its worst pairs, the worst first."""
    failures = []
    for number in range(runs):
        worst = [item for item in items if f"{number}-worst" in item["groups"]]
        by_rank = {item["scores"][number][1]: item for item in worst}
        if by_rank:
            last = sorted(by_rank, reverse=True)[:_MOST_FAILURES]
            failures.append((number, [by_rank[rank] for rank in last]))
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


def _read(name: str) -> str:
    """A file as it is, safe to put into a page."""
    return markupsafe.Markup((_TEMPLATES / name).read_text("utf-8"))


def _signed(metric: str, value: float) -> str:
    """A difference, with one digit more than a score has."""
    digits = len(statistics.number(metric, 0.0).partition(".")[2]) + 1
    text = f"{value:+.2g}" if metric.endswith("l2") else f"{value:+.{digits}f}"
    return text.replace("-", "\u2212")


def _breakable(name: str) -> markupsafe.Markup:
    """A name that a narrow screen breaks after its signs, not in the middle."""
    parts = re.split(r"(?<=[_/.\-])", name)
    return markupsafe.Markup("<wbr>").join(parts)


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals |= {"rounded": statistics.number, "signed": _signed}
_ENVIRONMENT.filters |= {
    "count": "{:,}".format,
    "counted": errors.counted,
    "breakable": _breakable,
}
