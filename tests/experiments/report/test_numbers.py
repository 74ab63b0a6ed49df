"""What a report computes: pose differences, choices, differences of runs, parts."""

import pathlib

import numpy as np
import pytest

from experiments.evaluate import pairs_csv, statistics
from experiments.report import breakdown, comparison, selection
from experiments.report.evaluated_run import Run
from experiments.report.pose_difference import pose_difference
from pg2_jax import pose


def a_pose(**joints):
    """[1, 18, 3] with shoulders and hips, ten pixels apart, and more joints."""
    torso = {
        "right_shoulder": (4, 10),
        "left_shoulder": (8, 10),
        "right_hip": (4, 20),
        "left_hip": (8, 20),
    }
    keypoints = np.zeros((1, 18, 3), np.float32)
    for name, point in {**torso, **joints}.items():
        if point:
            keypoints[0, pose.JOINTS.index(name)] = (*point, 1)
    return keypoints


def test_a_pose_difference_by_hand():
    source = a_pose(right_wrist=(2, 18), nose=(6, 5))
    # The wrist is 3 to the right and 4 below, half a torso; the ankle is not in both.
    target = a_pose(right_wrist=(5, 22), nose=(6, 5), left_ankle=(8, 40))
    np.testing.assert_allclose(pose_difference(source, target), [0.5 / 6])


def test_place_and_size_of_a_person_do_not_count():
    source = a_pose(right_wrist=(2, 18), nose=(6, 5))
    moved = source.copy()
    moved[..., :2] = 2 * moved[..., :2] + (30, 7)
    np.testing.assert_allclose(pose_difference(source, moved), [0], atol=1e-6)


@pytest.mark.parametrize("joint", ["left_hip", "right_shoulder"])
def test_without_a_torso_there_is_no_pose_difference(joint):
    assert np.isnan(pose_difference(a_pose(), a_pose(**{joint: None})))[0]


def test_a_torso_without_length_has_no_pose_difference():
    flat = a_pose(right_hip=(4, 10), left_hip=(8, 10))
    assert np.isnan(pose_difference(a_pose(), flat))[0]


def test_best_median_and_worst_do_not_overlap():
    values = np.array([0.5, np.nan, 0.9, 0.1, 0.7, 0.3, np.inf, 0.2])
    expected = {"best": [2, 4], "median": [0, 5], "worst": [3, 7]}
    assert selection.groups(values, higher_is_better=True) == expected
    lower = selection.groups(values, higher_is_better=False)
    assert lower == {"best": [3, 7], "median": [5, 0], "worst": [2, 4]}


def test_at_most_twenty_pairs_are_the_best():
    groups = selection.groups(np.arange(1000.0), higher_is_better=True)
    assert groups["best"] == list(range(999, 979, -1))
    assert groups["median"] == list(range(509, 489, -1))
    assert groups["worst"] == list(range(20))


def test_a_spread_has_both_ends():
    assert selection.spread(10, 4) == [0, 3, 6, 9]
    assert selection.spread(3, 9) == [0, 1, 2]
    assert selection.spread(9, 0) == []


def a_run(names, **scores):
    definitions = {
        "ssim_pg2": "of pairs; higher is better",
        "l1": "of pairs; lower is better",
    }
    arrays = {name: np.array(values, float) for name, values in scores.items()}
    return Run(
        name="a run",
        folder=pathlib.Path("runs/a"),
        content={"metrics": {"refined": {}}, "definitions": definitions},
        stored={},
        scores=pairs_csv.PairScores(names, {"refined": arrays}),
        history=[],
    )


def test_differences_are_those_of_the_same_pairs():
    names = [("a.jpg", "b.jpg"), ("b.jpg", "a.jpg"), ("c.jpg", "d.jpg")]
    mine = a_run(names, ssim_pg2=[0.5, 0.6, 0.9], l1=[3.0, np.nan, 5.0])
    its = a_run(names[::-1], ssim_pg2=[0.5, 0.5, 0.5], l1=[7.0, 1.0, 4.0])
    found = comparison.differences(
        comparison.Side(mine, "refined"), comparison.Side(its, "refined")
    )
    # Minus 0.5, 0.5, 0.5: 0, 0.1, 0.4; a tie is not better.
    ssim = found["ssim_pg2"]
    np.testing.assert_allclose(ssim.mean, 0.5 / 3)
    assert (ssim.better, ssim.pairs) == (2 / 3, 3)
    (interval,) = statistics.intervals([np.array([0.0, 0.1, 0.4])])
    np.testing.assert_allclose(ssim.interval, interval)
    # 3 - 4 and 5 - 7; lower is better.
    l1 = found["l1"]
    assert (l1.mean, l1.better, l1.pairs, l1.verdict) == (-1.5, 1.0, 2, "better")


@pytest.mark.parametrize(
    ("shift", "verdict"), [(0.1, "better"), (-0.1, "worse"), (0.0, "")]
)
def test_a_verdict_takes_an_interval_without_zero(shift, verdict):
    names = [(f"{i}.jpg", "t.jpg") for i in range(40)]
    noise = np.tile([-0.05, 0.05], 20)
    mine = a_run(names, ssim_pg2=0.5 + shift + noise)
    its = a_run(names, ssim_pg2=np.full(40, 0.5))
    sides = (comparison.Side(run, "refined") for run in (mine, its))
    assert comparison.differences(*sides)["ssim_pg2"].verdict == verdict


def test_bins_of_the_pose_difference():
    differences = np.array([0.0, 0.05, 0.5, 1.0, np.nan, 0.95])
    scores = np.array([1.0, 3.0, 5.0, 7.0, 100.0, 9.0])
    bins = breakdown.by_pose_difference(scores, differences)
    assert [(b.pairs, b.mean) for b in bins] == [(2, 2.0), (1, 5.0), (2, 8.0)]
    np.testing.assert_allclose([b.low for b in bins], [0.0, 0.5, 0.9])
    assert bins[1].interval is None and bins[0].interval == [1.0, 3.0]


def test_people_from_the_worst_to_the_best():
    scores = np.array([0.9, 0.1, 0.3, np.nan, 0.5])
    found = breakdown.by_identity(scores, ["x", "y", "x", "z", "y"])
    assert [(p.name, p.pairs) for p in found] == [("y", 2), ("x", 2)]
    np.testing.assert_allclose([p.mean for p in found], [0.3, 0.6])


def test_views_of_source_and_target():
    views = np.array([[0, 0], [0, 2], [0, 2], [-1, 2]])
    found = breakdown.by_view(np.array([1.0, 2.0, 4.0, 9.0]), views)
    assert {k: (p.pairs, p.mean) for k, p in found.items()} == {
        (0, 0): (1, 1.0),
        (0, 2): (2, 3.0),
    }
