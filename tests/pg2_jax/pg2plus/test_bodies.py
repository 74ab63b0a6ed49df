"""The parts of people, and where joints are that nobody has seen."""

import numpy as np
import pytest

from pg2_jax import pose
from pg2_jax.pg2plus import bodies, part_frames
from tests.pg2_jax.pg2plus.people import person


def completed(**changes):
    """The joints by name of a person of whom some are moved, or missing: None."""
    keypoints = person(**changes)
    found = np.asarray(bodies.of(keypoints[None]).completed)[0]
    seen = keypoints[:, 2] > 0
    np.testing.assert_array_equal(found[seen], keypoints[seen])
    return dict(zip(pose.JOINTS, found, strict=True))


def test_seen_joints_stay():
    """Of a person of whom every joint is seen nothing is guessed."""
    joints = completed()
    np.testing.assert_array_equal(list(joints.values()), person())


def test_a_limb_goes_on_as_that_of_the_other_side():
    x, y = person()[pose.JOINTS.index("right_hip")][:2]
    joints = completed(
        left_hip=(x + 6, y), left_knee=(x + 9, y + 7), right_knee=None, right_ankle=None
    )
    np.testing.assert_allclose(joints["right_knee"], [x + 3, y + 7, 1])
    left = joints["left_ankle"] - joints["left_knee"]
    right = joints["right_ankle"] - joints["right_knee"]
    np.testing.assert_allclose(left[:2], right[:2])


def test_limbs_of_which_nothing_is_seen_hang():
    """With the usual lengths, of the torso's, the mean of its sides."""
    arms = [f"{s}_{j}" for s in ("right", "left") for j in ("elbow", "wrist")]
    joints = completed(**dict.fromkeys(arms))
    points = {name: point[:2] for name, point in joints.items()}
    ends = [
        (points["right_" + j] + points["left_" + j]) / 2 for j in ("shoulder", "hip")
    ]
    torso = np.linalg.norm(ends[1] - ends[0])
    for side in ("right", "left"):
        shoulder, elbow, wrist = (
            points[f"{side}_{j}"] for j in ("shoulder", "elbow", "wrist")
        )
        np.testing.assert_allclose(elbow - shoulder, [0, 0.6 * torso], rtol=1e-5)
        np.testing.assert_allclose(wrist - elbow, [0, 0.5 * torso], rtol=1e-5)


def test_a_torso_is_completed_from_its_side():
    side = person()[pose.JOINTS.index("right_shoulder")]
    joints = completed(left_shoulder=None, left_hip=None, neck=None)
    np.testing.assert_array_equal(joints["left_shoulder"], side)
    np.testing.assert_array_equal(joints["left_hip"], joints["right_hip"])


def test_a_head_without_face_is_above_the_shoulders():
    face = [*("nose", "right_eye", "left_eye", "right_ear", "left_ear")]
    joints = completed(**dict.fromkeys(face))
    # Shoulders at (12, 12) and (20, 12), hips in row 25.
    np.testing.assert_allclose(joints["nose"], [16, 12 - 0.5 * 13, 1], atol=1e-4)
    faceless = person(**dict.fromkeys(face))
    parts, seen = bodies.of(faceless).headed, part_frames.frames(faceless)
    head = part_frames.HEAD
    np.testing.assert_allclose(parts.origin[head], joints["nose"][:2], atol=1e-4)
    np.testing.assert_allclose(parts.along[head], [0, 1], atol=1e-5)
    assert parts.known.all() and not seen.known[head]
    others = np.arange(10) != head
    np.testing.assert_array_equal(parts.origin[others], seen.origin[others])


@pytest.mark.parametrize("seen", ["right_ear", "left_ear", "left_eye"])
def test_a_head_is_where_its_face_says(seen):
    """No nose is made up beside an ear: the head would be elsewhere than it moves."""
    face = [*("nose", "right_eye", "left_eye", "right_ear", "left_ear")]
    keypoints = person(**dict.fromkeys(set(face) - {seen}))
    joints = bodies.of(keypoints[None]).completed
    assert joints[0, pose.JOINTS.index("nose"), 2] == 0
    found = part_frames.frames(joints)
    heads = found.origin[0, part_frames.HEAD]
    want = part_frames.frames(keypoints).origin[part_frames.HEAD]
    np.testing.assert_allclose(heads, want, atol=1e-4)


@pytest.mark.parametrize("missing", [0.0, np.nan])
def test_nobody_stays_nobody(missing):
    nobody = np.full((2, 18, 3), missing, np.float32)
    np.testing.assert_array_equal(bodies.of(nobody).completed, 0)
