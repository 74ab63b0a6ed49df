"""Joints of the source that are odd: a reason, or a picture by rule."""

import functools

import numpy as np
import pytest

from pg2_jax.inference import pose_transfer
from pg2_jax.pg2plus import part_warp
from tests.pg2_jax.inference.stand_in import NoFinder, make_photo
from tests.pg2_jax.pg2plus.people import HEIGHT, WALKING, WIDTH, generators, person

FAR = np.array([900, 0, 0], np.float32)
PHOTO = make_photo(HEIGHT, WIDTH)


@functools.cache
def model():
    return pose_transfer.PoseTransfer(generators(), finder=NoFinder())


def drawn(source, target=WALKING):
    """The picture by a call and by a batch, which are the same."""
    called = model()(PHOTO, target, source_pose=source, pose_fit="none").image
    poses = {"poses": target[None], "source_poses": np.asarray(source)[None]}
    batch = model().batch(PHOTO[None], **poses).image[0]
    np.testing.assert_array_equal(called, batch)
    return called.astype(int)


def with_number(value):
    points = person()
    points[3, 1] = value
    return points


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        (person()[:17], r"^source_pose: .* got \[17, 3\], COCO's 17 points"),
        (np.ones((25, 3)), r"^source_pose: .* got \[25, 3\], BODY_25's points"),
        (person()[:, :2], r"^source_pose: A pose is an array \[18, 3\].* \[18, 2\]"),
        (with_number(np.nan), "^source_pose: A pose holds a number that is not finite"),
        (with_number(np.inf), "^source_pose: A pose holds a number that is not finite"),
        (np.zeros((18, 3)), "^source_pose: no joint of the photo lies inside"),
        (person() + FAR, "^source_pose: no joint of the photo lies inside"),
        (person() - FAR, "^source_pose: no joint of the photo lies inside"),
        (person(nose=(16, 9000)), "the nose of the photo is at x = 16, y = 9000, far "),
    ],
)
def test_joints_that_cannot_be_used_are_named(joints, words):
    with pytest.raises(ValueError, match=words):
        model()(PHOTO, WALKING, source_pose=joints)


@pytest.mark.parametrize(
    ("poses", "words"),
    [
        (np.stack([person()]), r"^source_poses: expected \[2, 18, 3\].* \[1, 18, 3\]"),
        (np.zeros((2, 17, 3)), r"^source_poses: expected \[2, 18, 3\].* \[2, 17, 3\]"),
        (
            [person(), with_number(np.nan)],
            "^source_poses: pose 1 holds a number that is not finite; a missing",
        ),
        (
            [person(), person() + FAR],
            "^source_poses: pose 1 has no visible point inside 48x32 pixels; scale",
        ),
    ],
)
def test_joints_of_a_batch_that_cannot_be_used_are_named(poses, words):
    photos, targets = np.stack([PHOTO] * 2), np.stack([WALKING] * 2)
    with pytest.raises(ValueError, match=words):
        model().batch(photos, targets, source_poses=np.array(poses))


def test_poses_of_a_batch_that_are_no_numbers_are_named():
    with pytest.raises(ValueError, match=r"^poses: pose 0 holds a number that is not"):
        model().batch(PHOTO[None], with_number(np.nan)[None])


@pytest.mark.slow
def test_a_batch_may_hold_people_whom_nobody_saw():
    poses = np.stack([WALKING] * 2)
    photos = np.stack([PHOTO] * 2)
    sources = np.stack([person(), np.zeros((18, 3), np.float32)])
    got = model().batch(photos, poses, source_poses=sources).image
    without = model().batch(photos, poses).image
    assert (got[0] != without[0]).any()
    np.testing.assert_array_equal(got[1], without[1])


def test_a_limb_of_no_length_is_taken_from_the_other_side():
    """As one whose end is not seen; but for the heat map of its end, and for where the
    person is looked for."""
    pointed = person(right_wrist=person()[3, :2])
    hidden = person(right_wrist=None)
    both = drawn(pointed), drawn(hidden)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    near = np.hypot(rows - person()[3, 1], columns - person()[3, 0]) < 20
    assert np.abs(both[0] - both[1])[~near].max() <= 3


def test_joints_outside_the_photo_count_as_missing():
    """As in training: the leg whose foot the photo cuts off is the other one's."""
    outside, missing = person(right_ankle=(13, 60)), person(right_ankle=None)
    np.testing.assert_array_equal(drawn(outside), drawn(missing))


@pytest.mark.slow
@pytest.mark.parametrize("size", [0.5, 0.8])
def test_a_body_of_another_size_takes_the_size_of_the_target(size):
    """What is moved covers the same of the picture, whatever the source's size."""
    middle = np.array([16, 24, 0], np.float32)
    scale = np.array([size, size, 1], np.float32)
    source = (person() - middle) * scale + middle
    assert (drawn(source) != drawn(person())).any()
    photo = PHOTO[None].astype(np.float32)
    covered = [
        part_warp.warp(photo, points[None], WALKING[None], HEIGHT, WIDTH).coverage
        for points in (source, person())
    ]
    # Lower down the larger one's feet reach out of the photo.
    np.testing.assert_allclose(*(x[:, :44] for x in covered), atol=1e-4)
