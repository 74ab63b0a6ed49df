"""Poses fitted to a body and to an image, in-between poses: by hand."""

import numpy as np
import pytest

from pg2_jax.inference import pose_library, retarget
from tests.pg2_jax.inference.stand_in import figure


def test_a_pose_gets_the_torso_and_the_hips_of_the_body():
    # Torsos of 10 and 5 pixels: everything doubles; hips from (12, 9) to (6, 14).
    fitted = retarget.fit_to_body(figure(10, left=10, top=4)[None], figure(20))[0]
    np.testing.assert_allclose(fitted[1], [6, 4, 1])
    np.testing.assert_allclose(fitted[8], [2, 14, 1])
    np.testing.assert_allclose(fitted[11], [10, 14, 1])
    np.testing.assert_allclose(fitted[10], [2, 24, 1])
    assert not fitted[[0, 2, 3, 4]].any()


def standing(floor: float, nose: float) -> np.ndarray:
    """A person whose neck is at y = 20 and whose hips are at 30."""
    joints = {0: (10, nose), 1: (10, 20), 8: (8, 30), 11: (12, 30), 10: (8, floor)}
    points = np.zeros((18, 3), np.float32)
    for joint, place in joints.items():
        points[joint] = *place, 1
    return points


def test_who_stands_does_so_on_the_floor_of_the_body():
    body = standing(floor=45, nose=15)
    # Its legs are 5 longer, and 8 of a walk's other step, which is not on the floor.
    poses = np.stack([standing(floor=50, nose=15), standing(floor=48, nose=15)])
    fitted = retarget.fit_to_body(poses, body)
    np.testing.assert_allclose(fitted[:, 10], [[8, 45, 1], [8, 43, 1]])
    np.testing.assert_allclose(fitted[:, 1], [[10, 15, 1]] * 2)
    # A body of which the feet are not seen has no floor, and who kneels needs none.
    body[10] = 0
    np.testing.assert_allclose(retarget.fit_to_body(poses, body), poses)
    knees = standing(floor=50, nose=15)
    knees[9] = 8, 52, 1
    lower = standing(floor=45, nose=15)
    np.testing.assert_allclose(retarget.fit_to_body(knees[None], lower)[0], knees)


def test_who_would_lose_the_head_is_smaller():
    body, taller = standing(floor=45, nose=15), standing(floor=60, nose=15)
    # Moved up by 15 the nose would be at 0 and the crown at -2.5, of 47.5 in all.
    fitted = retarget.fit_to_body(taller[None], body)[0]
    scale = 45 / 47.5
    np.testing.assert_allclose(fitted[10], [10 - 2 * scale, 45, 1], rtol=1e-6)
    np.testing.assert_allclose(fitted[0], [10, 45 - 45 * scale, 1], rtol=1e-6)
    # A body whose own head is cut shows as little of others.
    body[0, 1] = 0
    fitted = retarget.fit_to_body(taller[None], body)[0]
    np.testing.assert_allclose(fitted[0], [10, 0, 1], atol=1e-6)


def test_one_visible_hip_is_enough():
    seen = figure()
    seen[11] = 0
    # The hip is 2 left of the neck and 10 below: the torso has length sqrt(104).
    assert retarget.has_torso(seen[None])
    np.testing.assert_allclose(retarget.fit_to_body(seen[None], seen)[0], seen)


def test_a_sequence_is_moved_alike():
    step = np.where(figure()[:, 2:] > 0, [3, 0, 0], 0)
    poses = np.stack([figure(), figure() + step])
    fitted = retarget.fit_to_body(poses, figure(40))
    # Scaled by two, so that the step of 3 pixels is one of 6.
    np.testing.assert_allclose(fitted[1, 1] - fitted[0, 1], [6, 0, 0])
    assert fitted[:, 1, 0].mean() == pytest.approx(6)


@pytest.mark.parametrize("missing", [[1], [8, 11]])
def test_without_a_torso_there_is_no_size(missing):
    lame = figure()
    lame[missing] = 0
    with pytest.raises(ValueError, match="The source person shows no torso"):
        retarget.fit_to_body(figure()[None], lame)
    with pytest.raises(ValueError, match="The target pose shows no torso"):
        retarget.fit_to_body(lame[None], figure())


def test_a_pose_fills_the_image_up_to_the_margin():
    # A box of 4 x 20; 0.15 * 20 on every side make 10 x 26; 64 high: 64/26 larger.
    fitted = retarget.fit_to_image(figure()[None], 64, 32)[0]
    scale = 64 / 26
    np.testing.assert_allclose(fitted[1], [16, 3 * scale, 1], rtol=1e-6)
    np.testing.assert_allclose(fitted[10, 1], 23 * scale, rtol=1e-6)


def test_poses_alone_are_placed_one_by_one():
    poses = np.stack([figure(20), figure(10, left=50)])
    alone = retarget.fit_to_image(poses, 64, 32, alone=True)
    for i in range(2):
        one = retarget.fit_to_image(poses[i : i + 1], 64, 32)[0]
        np.testing.assert_array_equal(alone[i], one)
    assert not np.allclose(alone, retarget.fit_to_image(poses, 64, 32))


def test_a_pose_of_one_point_has_no_size():
    point = np.zeros((1, 18, 3))
    point[0, 4] = 5, 5, 1
    with pytest.raises(ValueError, match="1 visible joints in one place"):
        retarget.fit_to_image(point, 64, 32)


def test_in_between_poses_lie_on_straight_lines():
    start, end = figure(), figure()
    end[1], end[10] = (10, 8, 1), (0, 0, 0)
    frames = retarget.interpolate(np.stack([start, end]), between=3)
    assert len(frames) == 5
    np.testing.assert_array_equal(frames[0], start)
    np.testing.assert_array_equal(frames[4], end)
    np.testing.assert_allclose(frames[1:4, 1], [[7, 5, 1], [8, 6, 1], [9, 7, 1]])
    # The ankle is not in both.
    assert not frames[1:4, 10].any()


def test_interpolating_nothing_changes_nothing():
    keys = np.stack([figure(), figure(30)])
    np.testing.assert_array_equal(retarget.interpolate(keys, 0), keys)


def test_points_outside_are_taken_away_and_counted():
    pose = figure()
    pose[1], pose[8], pose[10] = (-1, 4, 1), (15.6, 5, 0.4), (3, 32, 1)
    kept, outside = retarget.drop_outside(pose, 32, 16)
    assert outside == 2
    assert not kept[[1, 10]].any()
    np.testing.assert_allclose(kept[8], [15, 5, 1])


@pytest.mark.parametrize("name", pose_library.NAMES)
def test_the_programs_own_poses_stand_on_the_floor(name):
    poses = pose_library.read(name)
    assert len(poses) >= 8
    for points in poses.values():
        assert points.shape == (18, 3) and points.dtype == np.float32
        assert set(points[:, 2]) <= {0, 1}
        # The lower ankle is a little above the floor at y = 1; nothing is cut off.
        assert 0.9 < points[[10, 13], 1].max() < 1
        assert points[:, 1].min() > -0.35
        assert retarget.has_torso(points[None])


def test_a_turn_shows_front_side_and_back():
    turn = list(pose_library.read("turn").values())
    shoulders = [points[5, 0] - points[2, 0] for points in turn]
    # The left shoulder is right of the right one in front, left of it from behind.
    assert shoulders[0] > 0.1 and shoulders[6] < -0.1 and abs(shoulders[3]) < 0.02
    assert turn[0][0, 2] == 1 and turn[6][0, 2] == 0


def test_a_walk_crosses_the_legs():
    walk = list(pose_library.read("walk").values())
    ahead = [points[10, 0] - points[13, 0] for points in walk]
    assert min(ahead) < -0.1 and max(ahead) > 0.1


def test_the_files_are_what_the_program_writes(tmp_path):
    from data_prep.synthetic import poses

    poses.write(tmp_path)
    for name in pose_library.NAMES:
        want = (tmp_path / f"{name}.json").read_text()
        assert (pose_library.FOLDER / f"{name}.json").read_text() == want


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match=r"no set of poses 'fly'; there are catalogue"):
        pose_library.read("fly")


def test_gaps_are_held_at_the_ends_and_filled_between():
    poses = np.zeros((7, 18, 3), np.float32)
    poses[1], poses[4] = figure(left=0), figure(left=6)
    filled = retarget.fill_gaps(poses)
    np.testing.assert_array_equal(filled[:, 1, 0], [2, 2, 4, 6, 8, 8, 8])
    # Without a joint in common there is nothing between; the last one is held.
    poses[4, :5] = 0
    poses[1, 5:] = 0
    filled = retarget.fill_gaps(poses)
    np.testing.assert_array_equal(filled[3], poses[1])
