"""Charts: their numbers become the right pixels, and their texts no markup."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from experiments.report import report, svg_charts


def drawn(chart):
    return report._ENVIRONMENT.get_template("chart.svg").render(chart=chart)


def all_of(svg, tag, style):
    found = ET.fromstring(svg).iter(tag)
    return [e for e in found if style in e.get("class", "").split()]


def points(element):
    return [tuple(map(float, p.split(","))) for p in element.get("points").split()]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.13, 0.41, [0.2, 0.3, 0.4]),
        (-5, 5, [-4, -2, 0, 2, 4]),
        (0, 36_000, [0, 10_000, 20_000, 30_000]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round(first, last, expected):
    assert svg_charts.ticks(first, last) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "text"), [(0.2, "0.2"), (9000, "9000"), (22_000, "22k"), (2e6, "2M")]
)
def test_large_ticks_are_short(value, text):
    assert svg_charts.short(value) == text


def test_a_line_goes_from_corner_to_corner():
    series = svg_charts.Series("a", "run-0", [(0, 1), (5, 2), (10, 3)])
    (line,) = all_of(drawn(svg_charts.lines("loss", [series])), "polyline", "line")
    (left, bottom), (middle, half), (right, top) = points(line)
    assert middle == pytest.approx((left + right) / 2)
    assert half == pytest.approx((top + bottom) / 2)
    assert left < right and top < bottom


def test_values_over_a_decade_are_drawn_by_their_logarithm():
    series = svg_charts.Series("a", "run-0", [(0, 1), (1, 10), (2, 100)])
    svg = drawn(svg_charts.lines("loss", [series]))
    (line,) = all_of(svg, "polyline", "line")
    first, second, third = (y for _, y in points(line))
    assert first - second == pytest.approx(second - third, abs=0.2)
    assert "loss (logarithmic)" in svg


def test_a_value_that_is_missing_leaves_the_others():
    series = svg_charts.Series("a", "run-0", [(0, 1), (1, float("nan")), (2, 3)])
    (line,) = all_of(drawn(svg_charts.lines("loss", [series])), "polyline", "line")
    assert len(points(line)) == 2


def test_a_histogram_holds_every_finite_value():
    values = np.r_[np.zeros(25), np.ones(75), np.nan]
    series = svg_charts.Series("refined", "run-0", values)
    svg = drawn(svg_charts.histogram("ssim_pg2", [series]))
    (outline,) = all_of(svg, "polyline", "line")
    heights = {y for _, y in points(outline)}
    base, low, high = sorted(heights, reverse=True)
    assert (base - high) / (base - low) == pytest.approx(3, rel=0.02)
    assert "refined: median 1, 100 pairs" in svg


def test_equal_values_have_a_histogram():
    series = svg_charts.Series("refined", "run-0", np.ones(5))
    svg = drawn(svg_charts.histogram("ssim_pg2", [series]))
    assert "refined: median 1, 5 pairs" in svg


def test_means_of_few_pairs_are_hollow_and_counted():
    nan = float("nan")
    means = [
        svg_charts.Dot(0.1, 0.5, 0.4, 0.6, pairs=1200),
        svg_charts.Dot(0.3, 0.6, nan, nan, pairs=1),
    ]
    series = svg_charts.Series("a", "run-0", means)
    svg = drawn(svg_charts.dots("ssim_pg2", [series]))
    assert [len(all_of(svg, "circle", s)) for s in ("spot", "few")] == [2, 1]
    assert len(all_of(svg, "line", "whisker")) == 1
    assert [e.text for e in all_of(svg, "text", "count")] == ["1,200", "1"]


def test_names_cannot_become_markup():
    evil = "</svg><script>alert('1')</script>"
    series = svg_charts.Series(evil, "run-0", [(0, 1), (1, 2)])
    svg = drawn(svg_charts.lines(evil, [series]))
    assert "<script" not in svg
    assert {e.tag for e in ET.fromstring(svg).iter()} == {
        *("svg", "g", "title", "text", "line", "circle", "polyline")
    }
