"""Pose differences, computed by hand."""

import numpy as np
import pytest

from experiments.report import data_pairs
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
    np.testing.assert_allclose(data_pairs.pose_difference(source, target), [0.5 / 6])


def test_place_and_size_of_a_person_do_not_count():
    source = a_pose(right_wrist=(2, 18), nose=(6, 5))
    moved = source.copy()
    moved[..., :2] = 2 * moved[..., :2] + (30, 7)
    np.testing.assert_allclose(
        data_pairs.pose_difference(source, moved), [0], atol=1e-6
    )


@pytest.mark.parametrize("joint", ["left_hip", "right_shoulder"])
def test_without_a_torso_there_is_no_pose_difference(joint):
    assert np.isnan(data_pairs.pose_difference(a_pose(), a_pose(**{joint: None})))[0]


def test_a_torso_without_length_has_no_pose_difference():
    flat = a_pose(right_hip=(4, 10), left_hip=(8, 10))
    assert np.isnan(data_pairs.pose_difference(a_pose(), flat))[0]
