"""Heat maps, body mask and flip against the authors' code and slow references."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import pose

SIZES = [(128, 64), (256, 256)]
# Eagerly each of their operations would be compiled for itself.
heat_maps = jax.jit(pose.heat_maps, static_argnums=(1, 2))
body_mask = jax.jit(pose.body_mask, static_argnums=(1, 2))
view = jax.jit(pose.view)


def golden_poses(golden, height, width):
    """Keypoints [N, 18, 3], heat maps and masks as the authors' code draws them."""
    data = np.load(golden / "pose_golden.npz")
    size = f"{height}x{width}"
    rows_columns = data[f"keypoints_{size}"]
    visible = ~np.isnan(rows_columns[..., :1])
    x_y = np.nan_to_num(rows_columns[..., ::-1])
    keypoints = np.concatenate([x_y, visible], axis=-1).astype(np.float32)
    maps = np.unpackbits(data[f"heatmaps_packed_{size}"], axis=1)
    maps = maps.reshape(len(keypoints), height, width, 18)
    return keypoints, maps, data[f"mask_{size}"]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_heat_maps_equal_the_authors(golden, height, width):
    keypoints, want, _ = golden_poses(golden, height, width)
    got = heat_maps(keypoints, height, width)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_body_masks_equal_the_authors(golden, height, width):
    keypoints, _, want = golden_poses(golden, height, width)
    got = body_mask(keypoints, height, width)
    np.testing.assert_array_equal(got[..., 0], want)


def slow_mask(keypoints, height, width):
    """The body mask, written with loops over pixels."""
    discs = np.zeros((height, width), bool)

    def disc(x, y):
        for row in range(height):
            for column in range(width):
                if (row - int(y)) ** 2 + (column - int(x)) ** 2 <= 16:
                    discs[row, column] = True

    for a, b in pose.LIMBS:
        (x0, y0, v0), (x1, y1, v1) = keypoints[a].tolist(), keypoints[b].tolist()
        if v0 and v1:
            disc(x0, y0)
            disc(x1, y1)
            n = int(math.hypot(x1 - x0, y1 - y0) / 4)
            for i in range(1, n):
                disc(x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n)

    def window(mask, row, column, reduce):
        rows, columns = slice(max(row - 2, 0), row + 3), slice(max(column - 2, 0), None)
        return reduce(mask[rows, columns][:, : column + 3 - max(column - 2, 0)])

    def morph(mask, reduce):
        result = np.zeros_like(mask)
        for row in range(height):
            for column in range(width):
                result[row, column] = window(mask, row, column, reduce)
        return result

    return morph(morph(discs, np.any), np.all)


def random_pose(seed, height, width):
    rng = np.random.default_rng(seed)
    keypoints = np.ones((18, 3), np.float32)
    keypoints[:, 0] = rng.integers(-2 * 64, (width + 2) * 64, 18) / 64
    keypoints[:, 1] = rng.integers(-2 * 64, (height + 2) * 64, 18) / 64
    keypoints[rng.random(18) < 0.3] = 0
    return keypoints


@pytest.mark.parametrize("seed", range(4))
def test_body_mask_equals_the_slow_one(seed):
    keypoints = random_pose(seed, 32, 24)
    got = body_mask(keypoints, 32, 24)
    np.testing.assert_array_equal(got[..., 0], slow_mask(keypoints, 32, 24))


def test_a_disc_inside_has_49_pixels_and_a_missing_point_none():
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[7] = (10.9, 20.2, 1)
    maps = np.asarray(heat_maps(keypoints, 40, 30))
    assert maps.sum() == maps[..., 7].sum() == 49
    assert maps[20, 14, 7] == maps[16, 10, 7] == 1
    assert maps[20, 15, 7] == 0


def test_a_lone_point_has_no_mask():
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[0] = (10, 10, 1)
    assert np.asarray(body_mask(keypoints, 32, 32)).sum() == 0


def test_a_point_far_outside_does_not_wrap_around():
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[1], keypoints[2] = (-40, 16, 1), (-40, 30, 1)
    assert np.asarray(body_mask(keypoints, 32, 32)).sum() == 0


def test_flip_swaps_sides_and_keeps_missing_points():
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[2] = (10, 5, 1)
    want = np.zeros((18, 3), np.float32)
    want[5] = (64 - 1 - 10, 5, 1)
    np.testing.assert_array_equal(pose.flip_keypoints(jnp.array(keypoints), 64), want)


def test_mirrored_joints_have_mirrored_names():
    swapped = {"left": "right", "right": "left"}
    for joint, mirrored in zip(pose.JOINTS, pose.MIRRORED, strict=True):
        side, _, rest = joint.partition("_")
        assert pose.JOINTS[mirrored] == (f"{swapped[side]}_{rest}" if rest else joint)


@pytest.mark.parametrize("seed", range(3))
def test_flipping_commutes_with_drawing(seed):
    keypoints = np.trunc(random_pose(seed, 32, 24).clip(0, 23))
    flipped = pose.flip_keypoints(jnp.array(keypoints), 24)
    np.testing.assert_array_equal(
        heat_maps(flipped, 32, 24),
        heat_maps(keypoints, 32, 24)[:, ::-1][..., pose.MIRRORED],
    )
    np.testing.assert_array_equal(pose.flip_keypoints(flipped, 24), keypoints)


def test_coordinates_run_from_minus_one_to_one_and_tell_missing_joints():
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[0] = (0, 0, 1)
    keypoints[1] = (31, 63, 1)
    keypoints[2] = (15.5, 31.5, 1)
    want = np.zeros((18, 3))
    want[:3] = [(-1, -1, 1), (1, 1, 1), (0, 0, 1)]
    got = pose.coordinates(jnp.array(keypoints), 64, 32)
    np.testing.assert_allclose(got, want.ravel(), atol=1e-6)
    batch = pose.coordinates(jnp.array([keypoints, 0 * keypoints]), 64, 32)
    np.testing.assert_allclose(batch, [want.ravel(), np.zeros(54)], atol=1e-6)


def torso(right_shoulder, left_shoulder, hips=40.0):
    """A person whose shoulders have these x, at y = 10, and whose hips are below."""
    keypoints = np.zeros((18, 3), np.float32)
    for joint, x, y in (
        ("right_shoulder", right_shoulder, 10),
        ("left_shoulder", left_shoulder, 10),
        ("right_hip", 30, hips),
        ("left_hip", 30, hips),
    ):
        keypoints[pose.JOINTS.index(joint)] = (x, y, 1)
    return keypoints


@pytest.mark.parametrize(
    ("keypoints", "want"),
    [
        (torso(20, 40), "front"),
        (torso(22.5, 37.5), "front"),  # 15 pixels are half the torso's 30
        (torso(22.6, 37.4), "side"),
        (torso(30, 30), "side"),
        (torso(37.4, 22.6), "side"),
        (torso(37.6, 22.4), "back"),
        (torso(40, 20), "back"),
    ],
)
def test_views_by_hand(keypoints, want):
    assert pose.VIEWS[int(view(jnp.array(keypoints)))] == want
    mirrored = pose.flip_keypoints(jnp.array(keypoints), 64)
    assert pose.VIEWS[int(view(mirrored))] == want


def test_views_that_cannot_be_told():
    poses = [torso(20, 40), torso(30, 30, hips=10)]
    for joint in ("right_shoulder", "left_shoulder", "right_hip", "left_hip"):
        lacking = torso(20, 40)
        lacking[pose.JOINTS.index(joint)] = 0
        poses.append(lacking)
    assert view(jnp.array(poses)).tolist() == [0, -1, -1, -1, -1, -1]


def test_views_of_people_who_turn():
    """A standing person of the synthetic data, turned about the vertical axis."""
    from data_prep.synthetic import figure, person

    look = person.sample_look(np.random.default_rng(0))
    degrees = (0, 20, 70, 90, 110, 160, 180, 200, 250, 270, 290, 340)
    want = "front front side side side back back back side side side front"
    got = []
    for angle in degrees:
        standing = person.standing_pose(yaw=math.radians(angle))
        joints = figure.build_skeleton(look, standing).joints
        keypoints = np.ones((18, 3), np.float32)
        points = [joints[name] for name in figure.KEYPOINTS]
        keypoints[:, :2] = [(x, -y) for x, y, _ in points]
        got.append(pose.VIEWS[int(view(jnp.array(keypoints)))])
    assert " ".join(got) == want


def test_a_pose_of_twice_the_size_has_the_middle_of_twice_as_many_pixels():
    """The middle of pixel 0 is that of pixels 0 and 1 of twice the size."""
    keypoints = np.array([[[0.0, 0.0, 1.0], [3.0, 7.0, 0.0]]], np.float32)
    want = [[[0.5, 0.5, 1.0], [6.5, 14.5, 0.0]]]
    np.testing.assert_array_equal(pose.scaled(keypoints, 2), want)
    np.testing.assert_array_equal(pose.scaled(np.array(want), 0.5), keypoints)
