"""Charts as SVG: lines, histograms, and a curve with counts.

Not matplotlib's: here colours are classes of the page, which change with light and
dark, numbers appear where the mouse rests, and forty charts take a second.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pg2_jax.errors import counted

_WIDTH, _HEIGHT = 320, 208
_MARGINS = {"left": 40, "right": 14, "top": 28, "bottom": 36}
_BINS = 40
# Points with a text of their own; more would make the page heavy.
_MOST_HOVERS = 60
Chart = dict[str, Any]  # what chart.svg draws


class Dot(NamedTuple):
    """The mean of so many pairs, and the ends of its interval, NaN without one."""

    x: float
    y: float
    low: float
    high: float
    pairs: int


class Series(NamedTuple):
    """What belongs together in a chart, with the classes of its style, such as "run-0
    dashed": of `lines` points (x, y), of `dots` a `Dot` each, of a histogram values."""

    label: str
    style: str
    points: Sequence[Any] | np.ndarray


class _Axis(NamedTuple):
    """Maps values to pixels, straight or by their logarithm."""

    first: float
    last: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        first, last = self.first, self.last
        if self.log:
            first, last, value = math.log(first), math.log(last), math.log(value)
        share = (value - first) / (last - first) if last > first else 0.5
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and texts of round values."""
        values = ticks(self.first, self.last)
        if self.log:
            steps = (1, 2, 5) if self.last / self.first < 300 else (1,)
            decades = range(math.floor(math.log10(self.first)), 40)
            marks = [m * 10.0**d for d in decades for m in steps]
            values = [mark for mark in marks if self.first <= mark <= self.last]
        return [(self(value), short(value)) for value in values]


def lines(name: str, series: Sequence[Series]) -> Chart:
    """A chart of lines over the steps of a training, by the logarithm where the values
    span more than a decade; the name stands above it."""
    heights = [y for one in series for _, y in one.points if math.isfinite(y)]
    log = min(heights) > 0 and max(heights) / min(heights) > 10
    marks = []
    for one in series:
        points = [(x, y) for x, y in one.points if math.isfinite(y)]
        apart = max(1, math.ceil(len(points) / _MOST_HOVERS))
        spots = [
            ("hover", 5, x, y, f"{one.label}, {x:,.6g}: {y:.4g}")
            for x, y in points[::-1][::apart]
        ]
        marks.append({"of": one, "lines": ["line"], "points": points, "spots": spots})
    xs = [x for one in series for x, _ in one.points]
    name += " (logarithmic)" * log
    return _chart(name, "training step", xs, heights, marks, log=log)


def histogram(name: str, series: Sequence[Series]) -> Chart:
    """Outlines of histograms over common bins, as shares of their series; the outer
    half percent at either end counts in the outermost bins. Marks are medians."""
    finite = [np.asarray(one.points)[np.isfinite(one.points)] for one in series]
    low, high = np.percentile(np.concatenate(finite), [0.5, 99.5])
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    marks, highest = [], 0.0
    for one, values in zip(series, finite, strict=True):
        counts, _ = np.histogram(np.clip(values, low, high), edges)
        shares = counts / len(values)
        highest = max(highest, float(shares.max()))
        median = float(np.median(values))
        text = f"{one.label}: median {median:.4g}, {counted(len(values), 'pair')}"
        # Each bin has two corners.
        heights = [0.0, *np.repeat(shares, 2), 0.0]
        points = list(zip(np.repeat(edges, 2), heights, strict=True))
        mark = {"of": one, "lines": ["area", "line"], "points": points}
        marks.append(mark | {"medians": [(median, text)]})
    text = "share of pairs by score"
    return _chart(name, text, [low, high], [0.0, highest], marks)


def dots(name: str, series: Sequence[Series]) -> Chart:
    """Means by pose difference, with intervals; points of few pairs are hollow, and the
    counts of the first series stand above the axis."""
    every = [dot for one in series for dot in one.points]
    ys = [y for dot in every for y in (dot.y, dot.low, dot.high) if math.isfinite(y)]
    left, right = min(dot.x for dot in every), max(dot.x for dot in every)
    gap = 0.04 * (right - left)
    # Room for the counts.
    floor = min(ys) - 0.12 * (max(ys) - min(ys))
    marks = []
    for i, one in enumerate(series):
        whiskers, spots = [], []
        for x, mean, low, high, pairs in one.points:
            span = ""
            if math.isfinite(low):
                whiskers.append((x, low, high))
                span = f" ({low:.4g} to {high:.4g})"
            text = f"{one.label}: {mean:.4g}{span}, {counted(pairs, 'pair')}"
            spots.append(("spot few" if pairs < 10 else "spot", 3, x, mean, text))
        points = [(dot.x, dot.y) for dot in one.points]
        mark = {"of": one, "lines": ["line thin"], "points": points, "spots": spots}
        # Side by side, so that intervals of several runs can be seen.
        shift = 3 * (i - (len(series) - 1) / 2)
        marks.append(mark | {"whiskers": whiskers, "shift": shift})
    counts = [(dot.x, dot.pairs) for dot in series[0].points]
    ends = [left - gap, right + gap]
    text = "pose difference in torso lengths"
    return _chart(name, text, ends, [floor, max(ys)], marks, counts=counts)


def ticks(first: float, last: float) -> list[float]:
    """Some five round numbers from `first` to `last`."""
    if last <= first:
        return [first]
    rough = (last - first) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    begin = math.ceil(first / step - 1e-9)
    end = math.floor(last / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(begin, end + 1)]


def short(value: float) -> str:
    """A number of an axis in few characters: 22000 is 22k."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"


def _chart(
    name: str,
    x_label: str,
    xs: Sequence[float],
    ys: Sequence[float],
    marks: Sequence[dict[str, Any]],
    *,
    log: bool = False,
    counts: Sequence[tuple[float, int]] = (),
) -> Chart:
    """The chart, whose axes reach over `xs` and `ys`, of each series: a class for each
    line through its points; whiskers (x, low, high), spots (class, radius, x, y, text),
    medians (x, text), and by how many pixels all that is moved."""
    low, high = min(ys), max(ys)
    gap = 0.0 if log else 0.04 * (high - low)
    bottom = low if low >= 0 and low - gap < 0 else low - gap
    base = _HEIGHT - _MARGINS["bottom"]
    right = _WIDTH - _MARGINS["right"]
    return {
        "name": name,
        "x_label": x_label,
        "width": _WIDTH,
        "height": _HEIGHT,
        "x_axis": _Axis(min(xs), max(xs), _MARGINS["left"], right),
        "y_axis": _Axis(bottom, high + gap, base, _MARGINS["top"], log),
        "marks": marks,
        "counts": counts,
    }
