"""Parts moved from pose to pose: against a loop in numpy, and what must always hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import pose
from pg2_jax.pg2plus import part_warp
from pg2_jax.pg2plus.part_frames import HEAD, TORSO
from tests.pg2_jax.pg2plus.people import (
    HEIGHT,
    TO_THE_LEFT,
    WALKING,
    WIDTH,
    found,
    person,
)

ARMS = dict.fromkeys(f"{s}_{j}" for s in ("right", "left") for j in ("elbow", "wrist"))


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
    [(2, "right_knee", "right_ankle"), (9, "left_elbow", "left_wrist")],
)
def test_a_limb_is_what_a_loop_over_its_pixels_finds(photo, part, start, end):
    # Its right arm would hide some of the thigh.
    source, target = person(right_elbow=None, right_wrist=None), WALKING
    warped = warp(photo, source, target)
    got, inside = warped.parts[:, :, part], warped.masks[:, :, part] > 0
    a_s, b_s, a_t, b_t = (
        k[pose.JOINTS.index(name), :2]
        for k in (source, target)
        for name in (start, end)
    )
    unit_s, unit_t = (np.linalg.norm([0, 25 - 12]),) * 2  # the torsos are equal
    length_s, length_t = np.linalg.norm(b_s - a_s), np.linalg.norm(b_t - a_t)
    e_s, e_t = (b_s - a_s) / length_s, (b_t - a_t) / length_t
    n_s, n_t = (np.array([e[1], -e[0]]) for e in (e_s, e_t))
    assert inside.sum() > 20
    for row, column in np.argwhere(inside):
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


BACK_OF_HEAD = person(nose=None, right_eye=None, left_eye=None)


def test_a_head_that_turns_away_has_hair_all_over_and_the_neck_below():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    places, hair = np.stack([columns, rows, rows], axis=-1), np.full((1, 3), -7.0)

    def head(source, target):
        hairy = np.broadcast_to(hair, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
        poses = source[None], target[None]
        moved = _with_hair(places[None], *poses, hairy)
        return np.asarray(moved.parts)[0, ..., HEAD, :]

    turned = head(person(), BACK_OF_HEAD)
    # The ears are in row 6. Of a torso of 13 pixels hair goes to 0.12 below them, and
    # the neck begins 0.27 below.
    np.testing.assert_array_equal(turned[2:8, 14:19], np.broadcast_to(hair, (6, 5, 3)))
    np.testing.assert_allclose(turned[8, 16, 1], 6 + 13 * 0.27, atol=4e-3)
    # Beside the round of the head, too, 0.22 wide at the ears.
    np.testing.assert_array_equal(turned[5, 20], hair[0])
    np.testing.assert_allclose(turned[7, 19, 1], 6 + 13 * 0.27, atol=4e-3)
    np.testing.assert_allclose(turned[10, 18], [18, 10, 10], atol=4e-3)
    # A face that turns to the camera is not known: the head is as it was.
    for source, target in ((BACK_OF_HEAD, person()), (BACK_OF_HEAD, BACK_OF_HEAD)):
        np.testing.assert_allclose(head(source, target)[6, 18], [18, 6, 6], atol=4e-3)


@jax.jit
def _with_hair(places, source, target, hairy):
    return part_warp.warp(places, source, target, HEIGHT, WIDTH, hairy=hairy)


def test_a_head_that_turns_away_and_has_no_size_is_not_covered(photo):
    ears = person()[[16, 17]]
    only_ears = np.zeros((18, 3), np.float32)
    only_ears[[16, 17]] = ears
    warped = warp(photo, person(), only_ears)
    assert np.all(warped.composite == 0) and np.all(warped.coverage == 0)


def test_no_face_stays_on_a_head_that_turns():
    faceless = person(**dict.fromkeys(("nose", "right_eye", "left_eye")))
    faceless[[16, 17]] = 0
    side = TO_THE_LEFT.copy()
    side[[0, 14, 15, 16, 17]] = 0  # a nose that is made up is no face
    for source, target, stays in (
        (person(), BACK_OF_HEAD, 0),
        (BACK_OF_HEAD, person(), 0),
        (BACK_OF_HEAD, BACK_OF_HEAD, 1),
        (person(), faceless, 0),
        (TO_THE_LEFT, side, 0),
    ):
        still = part_warp.still(source[None], target[None], HEIGHT, WIDTH)
        assert still[0, 6, 16, 0] == stays and still[0, 37, 19, 0] == 1


def test_a_torso_seen_from_behind_is_mirrored(photo):
    bare = person(**ARMS)
    behind = bare[pose.MIRRORED]
    front, back = (warp(photo, bare, k).parts[..., TORSO, :] for k in (bare, behind))
    # The torso's middle is at x = 16: column 16 + i of one is 16 - i of the other.
    np.testing.assert_allclose(
        back[:, 16 - 5 : 16 + 6][:, ::-1], front[:, 11:22], atol=1e-4
    )


def test_who_faces_the_other_side_in_profile_is_mirrored(photo):
    to_the_right = np.copy(TO_THE_LEFT)
    to_the_right[:, 0] = (WIDTH - 1 - to_the_right[:, 0]) * to_the_right[:, 2]
    ears = [pose.JOINTS.index(f"{side}_ear") for side in ("right", "left")]
    to_the_right[ears] = to_the_right[ears[::-1]]
    turned = warp(photo, TO_THE_LEFT, to_the_right)
    assert turned.coverage.sum() > 200
    inside = turned.coverage[..., 0] == 1
    np.testing.assert_allclose(
        turned.composite[inside], photo[:, ::-1][inside], atol=2e-3
    )
    # From the front nobody knows to which side.
    frontal = warp(photo, person(), to_the_right).parts
    straight = warp(photo, person(), TO_THE_LEFT).parts
    middle = 6, slice(None), HEAD
    assert np.abs(frontal[middle] - straight[middle][::-1]).max() > 0.1


CROSSED = person(left_elbow=(21, 18), left_wrist=(14, 19))  # before the torso


def bright_forearm():
    """A grey photo with a white forearm from the left elbow of `CROSSED` to the hand,
    as wide as the part, [H, W, 3]."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    way = np.array([-7.0, 1.0]) / np.hypot(7, 1)
    along = np.clip((columns - 21) * way[0] + (rows - 18) * way[1], 0, 13)
    distance = np.hypot(columns - 21 - along * way[0], rows - 18 - along * way[1])
    grey = np.full((HEIGHT, WIDTH, 3), 0.25, np.float32)
    grey[distance < 0.13 * 13] = 1.0
    return grey


def test_an_arm_that_leaves_takes_its_picture_from_the_torso_along():
    photo = bright_forearm()
    arm_up = person(left_elbow=(25, 9), left_wrist=(29, 5))
    moved = warp(photo, CROSSED, arm_up)
    # Where the forearm was, the torso has the colour around.
    for picture in (moved.parts[..., TORSO, :], moved.composite):
        old = picture[14:24, 13:20]
        assert old.max() < 0.6 and old.mean() < 0.36  # white would be 1, grey is 0.25
    assert moved.parts[7, 27, 9, 0] > 0.9  # in the middle of the new forearm
    # An arm that moves with the torso stays on it.
    shift = np.array([4, -3, 0], np.float32)
    still = warp(photo, CROSSED, CROSSED + shift)
    np.testing.assert_allclose(still.parts[:-3, 4:, TORSO], photo[3:, :-4], atol=1e-5)


@pytest.mark.parametrize(("seen", "there"), [(0.3, 1), (0.15, 0.5), (0.0, 0)])
def test_where_no_arm_is_seen_beyond_a_wrist_is_no_hand(seen, there):
    poses = CROSSED[None], person(left_elbow=(25, 9), left_wrist=(29, 5))[None]
    everywhere = found(np.ones((1, HEIGHT, WIDTH, 1), np.float32), seen)
    photo = bright_forearm()[None]
    moved = part_warp.warp(photo, *poses, HEIGHT, WIDTH, everywhere)
    np.testing.assert_allclose(moved.masks[0, 3, 31, 9], there, atol=0.01)
    assert moved.masks[0, 7, 27, 9] == 1  # the forearm


def test_a_known_person_is_moved_without_what_is_around():
    """The left half of the photo is somebody, black; the right is white and is not."""
    photo = np.ones((1, HEIGHT, WIDTH, 3), np.float32)
    photo[:, :, :16] = 0.0
    somebody = 1.0 - photo[..., :1]
    poses = person(**ARMS)[None], person(**ARMS)[None]
    moved, whole = (
        part_warp.Warped(*(np.asarray(x[0]) for x in part_warp.warp(photo, *given)))
        for given in (
            (*poses, HEIGHT, WIDTH, found(somebody)),
            (*poses, HEIGHT, WIDTH),
        )
    )
    np.testing.assert_array_equal(moved.masks, whole.masks)
    assert whole.coverage[33, 19] == 1 and moved.coverage[33, 19] == 0  # a knee
    assert moved.coverage[33, 13] == 1
    limbs = (moved.coverage[..., 0] > 0.01) & (moved.masks[..., TORSO] == 0)
    np.testing.assert_allclose(moved.composite[limbs], 0)
    # In the middle of the torso it is the person in any case.
    assert moved.coverage[18, 19] == 1 and moved.composite[18, 19, 0] == 1
    # Their own colours up to the edge, where they cover a part of a pixel.
    soft = np.full((1, HEIGHT, WIDTH, 1), 0.25, np.float32)
    thin = part_warp.warp(photo + 1.0, *poses, HEIGHT, WIDTH, found(soft))
    np.testing.assert_allclose(thin.coverage[0, 29, 19], 0.25, atol=5e-3)
    np.testing.assert_allclose(thin.composite[0, 29, 19], 2.0, atol=1e-4)


def test_the_middle_of_limbs_and_head_is_certainly_the_person():
    got = np.asarray(part_warp.inside(person(left_ankle=None)[None], HEIGHT, WIDTH))
    got = got[0, ..., 0]
    assert got[29, 13] == 1 and got[29, 11] < 0.5  # a thigh, and its edge
    # A hand, which can be a fist.
    assert got[26, 9] > 0.5 and got[29, 8] == 0
    assert got[5, 16] == 1 and got[5, 20] == 0  # the head, of 5.5 pixels
    assert got[37, 19] == 0 and got[37, 13] == 1  # a shin that is not seen
    # The torso, where no gaps beside arms can be, and the neck.
    assert got[18, 16] == 1 and got[18, 20] == 0
    assert got[11, 16] == 1 and got[11, 18] == 0


def test_a_limb_that_is_not_seen_is_taken_from_the_other_side(photo):
    source = person(right_wrist=None)
    forearms = slice(8, 10)
    warped = warp(photo, source, WALKING)
    assert (warped.masks[..., forearms].max(axis=(0, 1)) == 1).all()
    neither = warp(photo, person(right_wrist=None, left_wrist=None), WALKING)
    assert (neither.masks[..., forearms] == 0).all()


def test_a_torso_without_shoulders_or_hips_is_left_out(photo):
    legs = person(left_shoulder=None, right_shoulder=None)
    bust = person(left_hip=None, right_hip=None)
    for pair in ((bust, WALKING), (person(), bust), (legs, WALKING), (person(), legs)):
        warped = warp(photo, *pair)
        assert (warped.masks[..., TORSO] == 0).all()
    assert warp(photo, bust, WALKING).masks[..., 6:].max() == 1  # the arms are there


def test_a_corner_of_the_torso_that_is_not_seen_is_across_from_the_other(photo):
    """As far as the other two are apart: a hip 8 pixels, the shoulders' distance."""
    hidden = warp(photo, person(left_hip=None, **ARMS), WALKING)
    there = warp(photo, person(left_hip=(13 + 8, 25), **ARMS), WALKING)
    np.testing.assert_array_equal(
        hidden.parts[..., TORSO, :], there.parts[..., TORSO, :]
    )
    assert hidden.masks[..., TORSO].max() == 1


def test_a_torso_in_profile_of_which_one_side_is_seen_is_a_narrow_one(photo):
    side = dict.fromkeys(("left_shoulder", "left_hip", "left_elbow", "left_wrist"))
    mask = warp(photo, person(), person(**side)).masks[..., TORSO]
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
    bare = person(**ARMS)  # what arms hide is made up, at each size a little otherwise
    coarse = warp(ramp.astype(np.float32), bare, WALKING)
    doubled = bare * np.array([2, 2, 1], np.float32)
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


def test_the_background_beside_a_head_begins_within_its_part():
    """A head of 13 pixels' torso is 0.42 - 0.12 of it about a line of 0.1 upwards from
    its middle, and the margin of 0.22 is about that; its edge has a pixel."""
    row = np.asarray(part_warp.background(person()[None], HEIGHT, WIDTH))[0, 1, :, 0]
    beyond = np.hypot(np.arange(WIDTH) - 16, 5 - 0.1 * 13) - (0.42 - 0.12 + 0.22) * 13
    np.testing.assert_allclose(row, np.clip(0.5 + beyond, 0, 1), atol=1e-4)
    assert row[16] == 0 and row[8] == 1


def test_pixels_stay_where_nobody_leaves():
    """A shift of 0.02 torso lengths, of 13 pixels, leaves all still, one of 0.08 or
    more nobody; without a person, or without one to become, all stays."""
    here = person()[None]
    still = jax.jit(part_warp.still, static_argnums=(2, 3))

    def shifted(pixels):
        return here + np.array([pixels, 0, 0], np.float32)

    for pixels, want in ((0.0, 1.0), (0.26, 1.0), (0.05 * 13, 0.5), (1.05, 0.0)):
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
