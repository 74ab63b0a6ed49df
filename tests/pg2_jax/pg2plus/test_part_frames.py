"""Where heads are, and to which side people are turned."""

import numpy as np
import pytest

from pg2_jax import pose
from pg2_jax.pg2plus import part_frames
from pg2_jax.pose import JOINTS, MIRRORED
from tests.pg2_jax.pg2plus.people import TO_THE_LEFT, person

# A head in torso lengths: to the person's left, down, and to the front.
FACE = {
    "nose": (0.0, 0.04, 0.22),
    "right_eye": (-0.06, -0.04, 0.16),
    "left_eye": (0.06, -0.04, 0.16),
    "right_ear": (-0.16, 0.0, 0.0),
    "left_ear": (0.16, 0.0, 0.0),
}


def turned_head(degrees, *hidden):
    """A person whose head is turned to the right in the image, not all of it seen."""
    angle, torso = np.radians(degrees), 13
    points = {
        name: (16 + torso * (x * np.cos(angle) + z * np.sin(angle)), 6 + torso * y)
        for name, (x, y, z) in FACE.items()
    }
    return person(**points | dict.fromkeys(hidden))


@pytest.mark.parametrize(
    ("degrees", "hidden", "turned"),
    [
        (0, (), 0),
        (30, (), 1),
        (45, ("left_ear",), 1),
        (90, ("left_ear", "left_eye"), 1),
        (-90, ("right_ear", "right_eye"), -1),
        (130, ("nose", "left_eye", "right_eye", "left_ear"), 0),
        (180, ("nose", "left_eye", "right_eye"), 0),
        (0, ("left_ear", "right_ear"), 0),
    ],
)
def test_a_head_turns_about_the_middle_between_its_ears(degrees, hidden, turned):
    keypoints = turned_head(degrees, *hidden)
    found = part_frames.frames(keypoints)
    assert (
        abs(found.origin[part_frames.HEAD, 0] - 16) < 0.035 * 13
    )  # the mean: up to 0.13
    assert abs(found.origin[part_frames.HEAD, 1] - 6) < 0.035 * 13
    assert found.turned[part_frames.HEAD] == turned
    np.testing.assert_array_equal(
        np.delete(found.turned, part_frames.HEAD), 0
    )  # of the front


def test_a_body_in_profile_is_turned_as_its_head_is():
    found = part_frames.frames(TO_THE_LEFT)
    np.testing.assert_array_equal(found.turned, -1)
    hidden = [JOINTS.index(name) for name in ("right_shoulder", "right_hip")]
    half = np.where(np.isin(np.arange(18), hidden)[:, None], 0.0, TO_THE_LEFT)
    np.testing.assert_array_equal(part_frames.frames(half).turned, -1)
    # A guess of one shoulder alone tells nothing.
    looking = person(nose=(20, 6), left_shoulder=None)
    turned = part_frames.frames(looking).turned
    assert turned[part_frames.HEAD] == 1 and turned[part_frames.TORSO] == 0
    noseless = np.where(np.arange(18)[:, None] == 0, 0.0, TO_THE_LEFT)
    np.testing.assert_array_equal(part_frames.frames(noseless).turned, 0)


@pytest.mark.parametrize(
    ("degrees", "width"),
    [
        (0, 0.55),
        (60, np.hypot(0.275, 0.3 * np.sin(np.pi / 3))),
        (90, 0.3),
        (180, -0.55),
    ],
)
def test_a_torso_that_turns_looks_as_wide_as_an_ellipse(degrees, width):
    """In torso lengths, of 13 pixels; 0.55 wide and 0.3 deep."""
    half = 0.275 * 13 * np.cos(np.radians(degrees))
    joints = {
        f"{side}_{joint}": (16 + sign * half, y)
        for side, sign in (("right", -1), ("left", 1))
        for joint, y in (("shoulder", 12), ("hip", 25))
    }
    found = part_frames.frames(person(**joints))
    np.testing.assert_allclose(found.width[part_frames.TORSO], 13 * width, rtol=1e-4)


@pytest.mark.parametrize(
    ("gone", "behind", "away"),
    [
        ([], False, False),
        (["nose", "right_eye", "left_eye"], False, True),
        (["nose", "right_eye", "left_eye", "right_ear", "left_ear"], False, False),
        (["nose", "right_eye", "left_eye", "right_ear", "left_ear"], True, True),
    ],
)
def test_a_head_turns_away_if_its_ears_or_its_torso_say_so(gone, behind, away):
    """A face that is not annotated is no back of a head."""
    target = person(**dict.fromkeys(gone))
    if behind:
        target = target[MIRRORED]
    parts = part_frames.frames(target)
    assert part_frames.turns_away(person(), target, parts) == away
    assert not part_frames.turns_away(np.zeros_like(target), target, parts)


def test_parts_are_scaled_with_the_photo():
    half = part_frames.frames(pose.scaled(person(), 0.5))
    got = part_frames.scaled(part_frames.frames(person()), 0.5)
    for field, want in zip(got, half, strict=True):
        np.testing.assert_allclose(field, want, atol=1e-4)
