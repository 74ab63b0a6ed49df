"""Parts moved from pose to pose: against a loop in numpy, and what must always hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import pose
from pg2_jax.pg2plus import part_warp

HEIGHT, WIDTH = 48, 32
# A person seen from the front, in an image of 48x32: (x, y) of each joint.
STANDING = np.array(
    [
        *[(16, 6), (16, 11), (12, 12), (10, 18), (9, 24), (20, 12), (22, 18), (23, 24)],
        *[(13, 25), (13, 33), (13, 41), (19, 25), (19, 33), (19, 41)],
        *[(15, 5), (17, 5), (14, 6), (18, 6)],
    ],
    np.float32,
)


def person(points=STANDING, **moved):
    """[18, 3] with every joint visible; `moved` gives joints other places, or None."""
    keypoints = np.column_stack([points, np.ones(18)]).astype(np.float32)
    for name, place in moved.items():
        keypoints[pose.JOINTS.index(name)] = (0, 0, 0) if place is None else (*place, 1)
    return keypoints


WALKING = person(
    right_knee=(9, 32),
    right_ankle=(5, 39),
    left_knee=(22, 32),
    left_ankle=(21, 41),
    right_elbow=(7, 16),
    right_wrist=(4, 20),
    left_wrist=(27, 15),
)


@pytest.fixture(scope="module")
def photo():
    """A photo whose neighbouring pixels are alike, as in a photo: [H, W, 3] in 0..1."""
    rng = np.random.default_rng(0)
    rough = rng.uniform(size=(1, 7, 5, 3)).astype(np.float32)
    return np.array(jax.image.resize(rough, (1, HEIGHT, WIDTH, 3), "cubic")[0])


@jax.jit
def _warp(photos, source, target):
    return part_warp.warp(photos, source, target, HEIGHT, WIDTH)


def warp(photo, source, target):
    warped = _warp(photo[None], source[None], target[None])
    return part_warp.Warped(*(np.asarray(x[0]) for x in warped))


def read(photo, x, y):
    """Bilinear interpolation of one place, by its definition."""
    height, width, _ = photo.shape
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    left, top = int(x), int(y)
    value = 0.0
    for column, wx in ((left, 1 - (x - left)), (left + 1, x - left)):
        for row, wy in ((top, 1 - (y - top)), (top + 1, y - top)):
            value = (
                value + wx * wy * photo[min(row, height - 1), min(column, width - 1)]
            )
    return value


@pytest.mark.parametrize(
    ("part", "start", "end"),
    [(0, "right_hip", "right_knee"), (9, "left_elbow", "left_wrist")],
)
def test_a_limb_is_what_a_loop_over_its_pixels_finds(photo, part, start, end):
    source, target = person(), WALKING
    got = warp(photo, source, target).parts[:, :, part]
    a_s, b_s, a_t, b_t = (
        k[pose.JOINTS.index(name), :2]
        for k in (source, target)
        for name in (start, end)
    )
    unit_s, unit_t = (np.linalg.norm([0, 25 - 12]),) * 2  # the torsos are equal
    length_s, length_t = np.linalg.norm(b_s - a_s), np.linalg.norm(b_t - a_t)
    e_s, e_t = (b_s - a_s) / length_s, (b_t - a_t) / length_t
    n_s, n_t = (np.array([e[1], -e[0]]) for e in (e_s, e_t))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            offset = np.array([column, row]) - a_t
            along, across = offset @ e_t, offset @ n_t
            within = min(max(along, 0), length_t)
            along = within * length_s / length_t + (along - within) * unit_s / unit_t
            x, y = a_s + along * e_s + across * unit_s / unit_t * n_s
            want = read(photo, x, y)
            np.testing.assert_allclose(got[row, column], want, atol=1e-4)


def test_equal_poses_give_the_source_back(photo):
    warped = warp(photo, WALKING, WALKING)
    inside = warped.coverage[..., 0] == 1
    assert inside.mean() > 0.2
    np.testing.assert_allclose(warped.composite[inside], photo[inside], atol=1e-4)


def test_a_shift_of_the_target_moves_the_picture(photo):
    shift = np.array([3, 2, 0], np.float32)
    still, moved = (
        warp(photo, person(), WALKING),
        warp(photo, person(), WALKING + shift),
    )
    np.testing.assert_allclose(
        moved.composite[2:, 3:], still.composite[:-2, :-3], atol=1e-4
    )
    np.testing.assert_allclose(moved.masks[2:, 3:], still.masks[:-2, :-3], atol=1e-4)


def test_mirrored_inputs_give_the_mirrored_picture(photo):
    plain = warp(photo, person(), WALKING)
    mirrored = warp(
        np.ascontiguousarray(photo[:, ::-1]),
        np.asarray(pose.flip_keypoints(jnp.asarray(person()), WIDTH)),
        np.asarray(pose.flip_keypoints(jnp.asarray(WALKING), WIDTH)),
    )
    np.testing.assert_allclose(mirrored.composite[:, ::-1], plain.composite, atol=1e-4)
    np.testing.assert_allclose(mirrored.coverage[:, ::-1], plain.coverage, atol=1e-4)


def test_a_torso_seen_from_behind_is_mirrored(photo):
    swapped = person()
    behind = swapped[pose.MIRRORED]
    torso = 4
    front, back = (
        warp(photo, person(), k).parts[..., torso, :] for k in (swapped, behind)
    )
    # The torso's middle is at x = 16: column 16 + i of one is 16 - i of the other.
    np.testing.assert_allclose(
        back[:, 16 - 5 : 16 + 6][:, ::-1], front[:, 11:22], atol=1e-4
    )


def test_a_limb_that_is_not_seen_is_taken_from_the_other_side(photo):
    source = person(right_wrist=None)
    forearms = slice(8, 10)
    warped = warp(photo, source, WALKING)
    assert (warped.masks[..., forearms].max(axis=(0, 1)) == 1).all()
    neither = warp(photo, person(right_wrist=None, left_wrist=None), WALKING)
    assert (neither.masks[..., forearms] == 0).all()


def test_a_torso_without_all_its_joints_is_left_out(photo):
    torso = 4
    for pair in ((person(left_hip=None), WALKING), (person(), person(left_hip=None))):
        warped = warp(photo, *pair)
        assert (warped.masks[..., torso] == 0).all()
        assert warped.masks[..., 6:].max() == 1  # the arms are still there


NOT_A_NUMBER = person(left_knee=(np.nan, 3), nose=(np.inf, 1))
ONE_POINT = person(np.full((18, 2), 7.0, np.float32))


@pytest.mark.parametrize(
    "keypoints",
    [
        np.zeros((18, 3), np.float32),
        NOT_A_NUMBER,
        ONE_POINT,
        person() + np.array([900, 0, 0]),
    ],
    ids=["nothing seen", "not finite", "all in one point", "outside"],
)
def test_odd_keypoints_never_give_nan(photo, keypoints):
    keypoints = keypoints.astype(np.float32)
    for pair in ((keypoints, WALKING), (WALKING, keypoints), (keypoints, keypoints)):
        warped = warp(photo, *pair)
        for array in warped:
            assert np.isfinite(array).all()
        assert warped.coverage.min() >= 0 and warped.coverage.max() <= 1


def test_what_lies_outside_the_source_is_not_covered(photo):
    outside = person() + np.array([900, 0, 0], np.float32)
    assert warp(photo, outside, WALKING).coverage.max() == 0


def test_a_photo_of_twice_the_size_gives_the_same_picture(photo):
    ramp = np.broadcast_to(np.linspace(0, 1, WIDTH)[None, :, None], (HEIGHT, WIDTH, 3))
    fine = np.broadcast_to(
        np.linspace(0, 1, 2 * WIDTH - 1)[None, :, None],
        (2 * HEIGHT - 1, 2 * WIDTH - 1, 3),
    )
    coarse = warp(ramp.astype(np.float32), person(), WALKING)
    doubled = person() * np.array([2, 2, 1], np.float32)
    from_fine = warp(fine.astype(np.float32), doubled, WALKING)
    inside = (coarse.coverage[..., 0] == 1) & (from_fine.coverage[..., 0] == 1)
    np.testing.assert_allclose(
        from_fine.composite[inside], coarse.composite[inside], atol=1e-4
    )


def test_the_gradient_reaches_the_photo(photo):
    def brightness(image):
        return _warp(image[None], person()[None], WALKING[None]).composite.sum()

    gradient = np.asarray(jax.grad(brightness)(jnp.asarray(photo)))
    assert np.isfinite(gradient).all() and gradient[18, 16].min() > 0
    assert (gradient[:, 0] == 0).all()  # no part of the person is there
