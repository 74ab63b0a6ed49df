"""Parts moved from pose to pose: against a loop in numpy, and what must always hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import pose
from pg2_jax.pg2plus import part_warp
from tests.pg2_jax.pg2plus.people import HEIGHT, WALKING, WIDTH, person


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
            # Places are read to 1/256 pixel.
            np.testing.assert_allclose(got[row, column], want, atol=1e-3)


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


def test_a_torso_without_shoulders_or_hips_is_left_out(photo):
    torso = 4
    legs = person(left_shoulder=None, right_shoulder=None)
    bust = person(left_hip=None, right_hip=None)
    for pair in ((bust, WALKING), (person(), bust), (legs, WALKING), (person(), legs)):
        warped = warp(photo, *pair)
        assert (warped.masks[..., torso] == 0).all()
    assert warp(photo, bust, WALKING).masks[..., 6:].max() == 1  # the arms are there


def test_a_corner_of_the_torso_that_is_not_seen_is_across_from_the_other(photo):
    """As far as the other two are apart: a hip 8 pixels, the shoulders' distance."""
    torso = 4
    hidden = warp(photo, person(left_hip=None), WALKING)
    there = warp(photo, person(left_hip=(13 + 8, 25)), WALKING)
    np.testing.assert_array_equal(
        hidden.parts[..., torso, :], there.parts[..., torso, :]
    )
    assert hidden.masks[..., torso].max() == 1


def test_a_torso_in_profile_of_which_one_side_is_seen_is_a_narrow_one(photo):
    side = dict.fromkeys(("left_shoulder", "left_hip", "left_elbow", "left_wrist"))
    torso = 4
    mask = warp(photo, person(), person(**side)).masks[..., torso]
    # Between the right shoulder (12, 12) and the right hip (13, 25).
    assert mask[18, 12] == 1 and mask[18, 20] == 0 and mask[18, 4] == 0


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


def test_the_background_is_what_no_part_covers():
    """By the distance to the segments of one thigh and one shin, by hand."""
    seen = {"right_hip", "right_knee", "right_ankle"}
    missing = {name: None for name in pose.JOINTS if name not in seen}
    leg = person(**missing)
    free = np.asarray(part_warp.background(leg[None], HEIGHT, WIDTH))[0, ..., 0]
    unit = 8 / 0.85  # a thigh of 8 pixels, of a torso that nobody sees
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    covered = np.zeros((HEIGHT, WIDTH))
    for top, bottom, radius, reach in ((25, 33, 0.20, 0.1), (33, 41, 0.17, 0.3)):
        nearest = np.clip(rows, top - 0.1 * unit, bottom + reach * unit)
        distance = np.hypot(rows - nearest, columns - 13)
        beyond = distance - (radius + 0.22) * unit
        covered = np.maximum(covered, np.clip(0.5 - beyond, 0, 1))  # edge: one pixel
    np.testing.assert_allclose(free, 1 - covered, atol=1e-4)
    assert free[0, 0] == 1 and free[30, 13] == 0


def test_pixels_stay_where_nobody_leaves():
    """A shift of less than 0.04 torso lengths, of 13 pixels, leaves all still, one of
    more nobody; without a person, or without one to become, all stays."""
    here = person()[None]
    still = jax.jit(part_warp.still, static_argnums=(2, 3))

    def shifted(pixels):
        return here + np.array([pixels, 0, 0], np.float32)

    for pixels, want in ((0.0, 1.0), (0.5, 1.0), (0.08 * 13, 0.5), (2.0, 0.0)):
        got = np.asarray(still(here, shifted(pixels), HEIGHT, WIDTH))[0, ..., 0]
        np.testing.assert_allclose(got[18, 16], want, atol=1e-3)  # the torso's middle
        assert got[2, 2] == 1 and got[44, 30] == 1  # the background
    nobody = np.zeros_like(here)
    for pair in ((nobody, here), (here, nobody), (nobody, nobody)):
        np.testing.assert_array_equal(still(*pair, HEIGHT, WIDTH), 1)


def test_a_part_that_the_target_pose_lacks_leaves():
    """A target of whom only a foot is seen: the rest is outside the image."""
    outside = np.zeros_like(person())
    for joint in ("right_knee", "right_ankle"):
        outside[pose.JOINTS.index(joint)] = person()[pose.JOINTS.index(joint)]
    got = np.asarray(part_warp.still(person()[None], outside[None], HEIGHT, WIDTH))
    assert got[0, 18, 16, 0] == 0  # the torso's middle
    assert got[0, 41, 13, 0] == 1  # the right ankle, where it was
    assert got[0, 2, 2, 0] == 1  # the background


def test_only_the_limb_that_moves_leaves():
    moved = person(left_elbow=(25, 9), left_wrist=(29, 5))
    pair = person()[None], moved[None]
    got = np.asarray(part_warp.still(*pair, HEIGHT, WIDTH))[0, ..., 0]
    assert got[24, 23] == 0  # where the left wrist was
    assert got[5, 29] == 1  # where it goes, the photo shows the background
    assert got[24, 9] == 1 and got[41, 13] == 1  # the right wrist, the right ankle


def test_what_hangs_from_an_unseen_joint_is_not_background():
    """A photo whose annotation lacks the legs does not show them as background."""
    legs = [f"{s}_{j}" for s in ("right", "left") for j in ("knee", "ankle")]
    without_legs = person(**dict.fromkeys(legs))
    free = np.asarray(part_warp.background(without_legs[None], HEIGHT, WIDTH))[0]
    ankles = person()[[pose.JOINTS.index(f"{s}_ankle") for s in ("right", "left")]]
    for x, y, _ in ankles.astype(int):
        assert free[y - 2, x] == 0
    assert free[0, 0] == 1


def test_without_a_person_all_is_background():
    nobody = np.zeros((1, 18, 3), np.float32)
    np.testing.assert_array_equal(part_warp.background(nobody, 6, 5), 1)


def test_the_hole_of_the_person_is_filled_from_its_surroundings():
    """Halves of two colours: what is free stays, and a hole within one has its colour;
    one across both goes from one to the other; of one colour nothing else comes out."""
    image = np.full((1, 24, 17, 3), 0.5, np.float32)
    image[:, :, 9:] = -0.5
    free = np.ones((1, 24, 17, 1), np.float32)
    free[:, 6:20, 2:7] = 0.0
    fill = jax.jit(part_warp.without_person)
    person = np.where(free == 0, 9.0, image)  # who must not be seen
    np.testing.assert_allclose(fill(person, free), image, atol=1e-5)
    free[:, 6:20, 2:14] = 0.0
    hole = np.asarray(fill(np.where(free == 0, 9.0, image), free))[0, 10:16, 2:14, 0]
    assert (np.diff(hole, axis=1) < 0).all() and hole.max() < 0.5 and hole.min() > -0.5
    assert hole[:, 0].min() > 0.3 and hole[:, -1].max() < -0.3
    plain = np.full((1, 24, 17, 3), 0.25, np.float32)
    np.testing.assert_allclose(fill(plain, free), plain, atol=1e-3)
    # Nobody knows what is behind someone who fills the photo: no number is made up.
    assert np.isfinite(fill(image, np.zeros_like(free))).all()


def test_walls_and_floors_go_on_behind_the_person():
    """Where both sides show where the wall ends, the hole between them has it too, to
    two rows; at its edge it has the colour beside it, not that of afar."""
    image = np.full((1, 64, 32, 1), 0.8, np.float32)
    image[:, 32:] = -0.8
    free = np.ones((1, 64, 32, 1), np.float32)
    free[:, 8:, 8:24] = 0.0
    filled = np.asarray(jax.jit(part_warp.without_person)(image * free, free))
    hole = filled[0, 8:, 8:24, 0]
    np.testing.assert_allclose(hole[:16], 0.8, atol=0.1)
    np.testing.assert_allclose(hole[32:], -0.8, atol=0.1)
    assert (hole[:22] > 0.4).all() and (hole[26:] < -0.4).all()
    # A free corner of another colour leaves the other edges alone.
    image[:, :4, :4] = -0.8
    filled = np.asarray(jax.jit(part_warp.without_person)(image * free, free))
    np.testing.assert_allclose(filled[0, 8:24, 23, 0], 0.8, atol=0.1)
