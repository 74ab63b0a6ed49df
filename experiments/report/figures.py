"""The charts of a report: training, distributions, and scores by pose difference."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.evaluate import evaluate, statistics
from experiments.report import svg_charts
from experiments.report.evaluated_run import Run

# What a reader wants to see first; the others follow, folded away.
FIRST_METRICS = ("ssim_pg2", "masked_ssim_pg2", "l1", "body_l1", "body_gradient")
_MOST_POINTS = 300
_BINS = 10


# The charts that a reader wants to see "first", and the "rest".
Figures = dict[str, list[svg_charts.Chart]]


def _split(charts: Mapping[str, svg_charts.Chart]) -> Figures:
    first = {n for n in charts if n in FIRST_METRICS or n.endswith("/loss")}
    rest = [charts[name] for name in charts if name not in first]
    return {"first": [charts[name] for name in charts if name in first], "rest": rest}


def legend(
    runs: Sequence[Run], columns: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], tuple[str, str]]:
    """Label and classes of the line of each kind of image of a run: its colour, dashed
    before its last image. Of several runs that image alone has a line, and the copy:
    grey, or dotted in the colours of the runs where there are several copies."""
    lines = {}
    copies = sum(kind == evaluate.COPY for _, kind in columns)
    copy = "copy" if copies == 1 else "run-{} dotted"
    for number, kind in columns:
        run = runs[number]
        if len(runs) == 1 or kind in (evaluate.COPY, run.final):
            label = kind if len(runs) == 1 else f"{run.name}, {kind}"
            style = f"run-{number}" + ("" if kind == run.final else " dashed")
            style = copy.format(number) if kind == evaluate.COPY else style
            lines[number, kind] = label, style
    return lines


def training(runs: Sequence[Run]) -> Figures:
    """A chart for each number that a training has recorded, losses first."""
    rows = [row for run in runs for row in run.history]
    charts = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        if name not in ("step", "seconds"):
            series = [
                svg_charts.Series(run.name, f"run-{number}", _thinned(run, name))
                for number, run in enumerate(runs)
                if any(name in row for row in run.history)
            ]
            charts[name] = svg_charts.lines(name, series)
    return _split(charts)


def _thinned(run: Run, name: str) -> list[tuple[float, float]]:
    """Steps and values, as means over neighbours where there are very many."""
    rows = [row for row in run.history if name in row]
    parts = np.array_split(np.arange(len(rows)), min(len(rows), _MOST_POINTS))
    return [
        (float(rows[part[-1]]["step"]), float(np.mean([rows[i][name] for i in part])))
        for part in parts
    ]


def distributions(
    runs: Sequence[Run], lines: Mapping[tuple[int, str], tuple[str, str]]
) -> Figures:
    """A histogram of the scores of pairs for each metric, by the lines of `legend`."""
    charts = {}
    for metric in _metrics_of_pairs(runs):
        series = [
            svg_charts.Series(label, style, values)
            for (number, kind), (label, style) in lines.items()
            if (values := runs[number].scores_of(kind).get(metric)) is not None
            and np.isfinite(values).any()
        ]
        if series:
            charts[metric] = svg_charts.histogram(metric, series)
    return _split(charts)


def _metrics_of_pairs(runs: Sequence[Run]) -> dict[str, None]:
    return dict.fromkeys(name for run in runs for name in run.scores_of(run.final))


def by_pose_difference(
    runs: Sequence[Run], differences: Mapping[int, np.ndarray]
) -> Figures:
    """How the scores fall with the pose difference, for each metric; the differences
    are [N] of each scored pair, by number of the run."""
    charts = {}
    for metric in _metrics_of_pairs(runs):
        series = []
        for number, apart in differences.items():
            run = runs[number]
            scores = run.scores_of(run.final).get(metric, np.full(len(apart), np.nan))
            if points := binned(scores, apart):
                series.append(svg_charts.Series(run.name, f"run-{number}", points))
        if series:
            charts[metric] = svg_charts.dots(metric, series)
    return _split(charts)


def binned(scores: np.ndarray, differences: np.ndarray) -> list[svg_charts.Dot]:
    """Mean scores over equally wide bins of the pose difference, both [N]; empty bins
    are absent, and pairs without a finite score and difference do not count."""
    known = np.isfinite(scores) & np.isfinite(differences)
    scores, differences = scores[known], differences[known]
    if not len(scores):
        return []
    edges = np.linspace(differences.min(), differences.max(), _BINS + 1)
    place = np.clip(np.searchsorted(edges, differences, "right") - 1, 0, _BINS - 1)
    dots = []
    for i in np.unique(place):
        here = scores[place == i]
        (interval,) = statistics.intervals([here])
        low, high = interval or (np.nan, np.nan)
        middle = edges[i : i + 2].mean()
        dots.append(svg_charts.Dot(middle, here.mean(), low, high, len(here)))
    return dots
