"""Distances between two sets of keypoints, by hand."""

import numpy as np

from data_prep.estimation import quality_report


def _keypoints(points):
    keypoints = np.zeros((18, 3), np.float32)
    for joint, place in points.items():
        keypoints[joint] = [*place, 1]
    return keypoints


def test_distances_are_of_the_points_that_both_have():
    estimated = {
        "a": _keypoints({0: (3, 4), 1: (10, 10), 5: (7, 7)}),
        "b": _keypoints({0: (1, 1)}),
        "only here": _keypoints({0: (100, 100)}),
    }
    reference = {
        "only there": _keypoints({0: (0, 0)}),
        "b": _keypoints({0: (1, 2), 17: (5, 5), 16: (5, 5)}),
        "a": _keypoints({0: (0, 0), 1: (10, 10)}),
    }
    lines = quality_report.distances(estimated, reference, "x.csv")
    assert "compared with x.csv: 2 photos and 3 points that both have" in lines[0]
    assert "1 points only here, 2 only there" in lines[0]
    assert "mean 2.00, median 1.00, 95 % below 4.60" in lines[1]  # Of 5, 0 and 1.
    assert lines[2].split() == ["nose", "3.00", "(2", "points)"]
    assert lines[3].split() == ["neck", "0.00", "(1", "points)"]
    assert len(lines) == 4


def test_nothing_in_common_is_no_distance():
    (line,) = quality_report.distances({"a": _keypoints({0: (1, 1)})}, {}, "x.csv")
    assert "0 photos and 0 points" in line and "distance" not in line
