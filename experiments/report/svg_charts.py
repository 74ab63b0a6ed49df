"""Charts as SVG: lines, histograms, and a curve with counts. Text is escaped, colours
are classes of the page, numbers appear where the mouse rests."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import NamedTuple

import markupsafe
import numpy as np

WIDTH, HEIGHT = 320, 208
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 14, 28, 36
_BINS = 40
# Points with a text of their own; more would make the page heavy.
_MOST_HOVERS = 60


class Series(NamedTuple):
    """What belongs together in a chart.

    Attributes:
        label: its name.
        style: classes of the page, such as "run-0 dashed".
        x: [N] places of the points; of a histogram the values.
        y: [N] heights; unused in a histogram.
        low: [N] lower ends of the intervals, if any.
        high: [N] upper ends.
        counts: [N] what each point is a mean of.
    """

    label: str
    style: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] = ()
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    counts: Sequence[int] = ()


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

    def ticks(self) -> list[float]:
        """Round values along the axis."""
        if not self.log:
            return ticks(self.first, self.last)
        decades = range(math.floor(math.log10(self.first)), 40)
        steps = (1, 2, 5) if self.last / self.first < 300 else (1,)
        marks = [m * 10.0**d for d in decades for m in steps if 10.0**d <= self.last]
        return [mark for mark in marks if self.first <= mark <= self.last]


def lines(name: str, series: Sequence[Series], x_label: str) -> str:
    """A chart of lines, by the logarithm where the values span more than a decade.

    Args:
        name: above the chart.
        series: with x and y.
        x_label: below the chart.

    Returns:
        The SVG, safe to put into a page.
    """
    every = [v for s in series for v in (*s.y, *s.low, *s.high) if math.isfinite(v)]
    log = min(every) > 0 and max(every) / min(every) > 10
    name += " (logarithmic)" if log else ""
    x, y = _axes([v for s in series for v in s.x], every, log=log)
    svg = _frame(name, series, x, y, x_label)
    for one in series:
        _draw_line(_group(svg, one), one, x, y)
    return _markup(svg)


def histogram(name: str, series: Sequence[Series], x_label: str) -> str:
    """Outlines of histograms over common bins, as shares of their series.

    The range leaves out the outer half percent at either end; what lies there counts
    in the outermost bins. A mark below shows each median.
    """
    finite = [np.asarray(s.x)[np.isfinite(s.x)] for s in series]
    low, high = np.percentile(np.concatenate(finite), [0.5, 99.5])
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    shares = [
        np.histogram(np.clip(v, low, high), edges)[0] / max(1, len(v)) for v in finite
    ]
    x, y = _axes([low, high], [0.0, float(max(s.max() for s in shares))])
    svg = _frame(name, series, x, y, x_label)
    for one, heights, values in zip(series, shares, finite, strict=True):
        if not len(values):
            continue
        group = _group(svg, one)
        # Each bin has two corners.
        corners = zip(np.repeat(edges, 2)[1:-1], np.repeat(heights, 2), strict=True)
        outline = [(edges[0], 0.0), *corners, (edges[-1], 0.0)]
        _path(group, outline, x, y, "area")
        _path(group, outline, x, y, "line")
        median = float(np.median(values))
        place = {"x1": x(median), "x2": x(median), "y1": y(0), "y2": y(0) + 7}
        mark = _add(group, "line", **place, **{"class": "median"})
        _title(mark, f"{one.label}: median {median:.4g}, {len(values):,} pairs")
    return _markup(svg)


def dots(name: str, series: Sequence[Series], x_label: str) -> str:
    """Means with their intervals; points of few pairs are hollow, and the counts of the
    first series stand above the axis."""
    every = [v for s in series for v in (*s.y, *s.low, *s.high) if math.isfinite(v)]
    xs = [v for s in series for v in s.x]
    gap = 0.04 * (max(xs) - min(xs))
    # Room for the counts.
    floor = min(every) - 0.12 * (max(every) - min(every))
    x, y = _axes([min(xs) - gap, max(xs) + gap], [floor, max(every)])
    svg = _frame(name, series, x, y, x_label)
    for place, count in zip(series[0].x, series[0].counts, strict=True):
        _text(svg, f"{count:,}", x(place), HEIGHT - _BOTTOM - 4, "middle", "count")
    for i, one in enumerate(series):
        group = _group(svg, one)
        # Side by side, so that intervals of several runs can be seen.
        shift = 3 * (i - (len(series) - 1) / 2)
        _path(group, list(zip(one.x, one.y, strict=True)), x, y, "line thin", shift)
        for px, py, low, high, count in zip(
            one.x, one.y, one.low, one.high, one.counts, strict=True
        ):
            at = round(x(px) + shift, 1)
            if math.isfinite(low):
                ends = {"x1": at, "x2": at, "y1": y(low), "y2": y(high)}
                _add(group, "line", **ends, **{"class": "whisker"})
            few = " few" if count < 10 else ""
            dot = _add(group, "circle", cx=at, cy=y(py), r=3, **{"class": "spot" + few})
            span = f" ({low:.4g} to {high:.4g})" if math.isfinite(low) else ""
            _title(dot, f"{one.label}: {py:.4g}{span}, {count:,} pairs")
    return _markup(svg)


def ticks(first: float, last: float, about: int = 5) -> list[float]:
    """Round numbers from `first` to `last`, some `about` of them."""
    if last <= first:
        return [first]
    rough = (last - first) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    begin = math.ceil(first / step - 1e-9)
    end = math.floor(last / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(begin, end + 1)]


def _axes(
    xs: Sequence[float], ys: Sequence[float], *, log: bool = False
) -> tuple[_Axis, _Axis]:
    low, high = min(ys), max(ys)
    gap = 0.0 if log else 0.04 * (high - low)
    bottom = low if low >= 0 and low - gap < 0 else low - gap
    x = _Axis(min(xs), max(xs), _LEFT, WIDTH - _RIGHT)
    return x, _Axis(bottom, high + gap, HEIGHT - _BOTTOM, _TOP, log)


def _frame(
    name: str, series: Sequence[Series], x: _Axis, y: _Axis, x_label: str
) -> ET.Element:
    """The chart without its series: axes, ticks and labels."""
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "class": "chart"}
    whose = ", ".join(one.label for one in series)
    svg = ET.Element("svg", {**box, "aria-label": f"{name} by {x_label}: {whose}"})
    for value in y.ticks():
        at = y(value)
        _add(
            svg, "line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=at, y2=at, **{"class": "grid"}
        )
        _text(svg, short(value), _LEFT - 6, at + 3.5, "end")
    for value in x.ticks():
        _text(svg, short(value), x(value), HEIGHT - _BOTTOM + 16, "middle")
    base = HEIGHT - _BOTTOM
    _add(
        svg, "line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=base, y2=base, **{"class": "axis"}
    )
    _text(svg, x_label, (WIDTH + _LEFT - _RIGHT) / 2, HEIGHT - 4, "middle", "label")
    _text(svg, name, 6, 14, "start", "heading")
    return svg


def short(value: float) -> str:
    """A number of an axis in few characters: 22000 is 22k."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"


def _draw_line(group: ET.Element, one: Series, x: _Axis, y: _Axis) -> None:
    points = [p for p in zip(one.x, one.y, strict=True) if math.isfinite(p[1])]
    _path(group, points, x, y, "line")
    every = max(1, math.ceil(len(points) / _MOST_HOVERS))
    for px, py in points[::-1][::every]:
        spot = _add(group, "circle", cx=x(px), cy=y(py), r=5, **{"class": "hover"})
        _title(spot, f"{one.label}, {px:,.6g}: {py:.4g}")


def _path(
    group: ET.Element,
    points: Sequence[tuple[float, float]],
    x: _Axis,
    y: _Axis,
    style: str,
    shift: float = 0.0,
) -> None:
    if points:
        steps = " ".join(f"{x(a) + shift:g},{y(b):g}" for a, b in points)
        _add(group, "polyline", points=steps, **{"class": style})


def _group(svg: ET.Element, one: Series) -> ET.Element:
    group = _add(svg, "g", **{"class": f"series {one.style}"})
    _title(group, one.label)
    return group


def _add(parent: ET.Element, tag: str, **attributes: float | str) -> ET.Element:
    texts = {name: f"{value}" for name, value in attributes.items()}
    return ET.SubElement(parent, tag, texts)


def _title(element: ET.Element, text: str) -> None:
    ET.SubElement(element, "title").text = text


def _text(
    svg: ET.Element, text: str, x: float, y: float, anchor: str, style: str = "tick"
) -> None:
    place: dict[str, float | str] = {"x": x, "y": y, "text-anchor": anchor}
    _add(svg, "text", **place, **{"class": style}).text = text


def _markup(svg: ET.Element) -> str:
    # ElementTree escapes every text and attribute.
    return markupsafe.Markup(ET.tostring(svg, encoding="unicode"))
