"""What is stored of a photo, and where its keypoints go: computed by hand, and for
any photo."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from PIL import Image

from pg2_jax.photos import crop


def _keypoints(*points):
    keypoints = np.zeros((18, 3), np.float32)
    for index, point in enumerate(points):
        keypoints[index] = [*point, 1]
    return keypoints


def _moved(keypoints, original_size, part, size):
    moved, outside = crop.move_keypoints(keypoints, original_size, part, size)
    assert moved.dtype == np.float32
    return moved[keypoints[:, 2] > 0].tolist(), outside


def test_none_keeps_the_photo_and_its_points():
    part = crop.frame("none", (24, 16), (24, 16))
    assert part == ((0, 0, 16, 24), (0, 0, 16, 24))
    points = _keypoints((3.5, 7), (15, 23), (15.5, 23.5), (16, 3), (3, 24))
    moved, outside = _moved(points, (24, 16), part, (24, 16))
    assert outside == 2
    missing = [0, 0, 0]
    assert moved == [[3.5, 7, 1], [15, 23, 1], [15, 23, 1], missing, missing]
    assert crop.describe(part, (24, 16), (24, 16)) == ""


def test_none_refuses_another_size():
    with pytest.raises(ValueError, match=r"the photo is 9x8, expected image_size=24x"):
        crop.frame("none", (9, 8), (24, 16))


def test_stretch_scales_each_side_by_its_own_factor():
    part = crop.frame("stretch", (48, 64), (24, 16))
    points = _keypoints((10, 20), (63, 47), (64, 10), (10, 48), (0, 0))
    moved, outside = _moved(points, (48, 64), part, (24, 16))
    missing = [0, 0, 0]
    assert moved == [[2.5, 10, 1], [15, 23, 1], missing, missing, [0, 0, 1]]
    assert outside == 2
    words = crop.describe(part, (48, 64), (24, 16))
    assert words == "resized, stretched to another shape"


@pytest.mark.parametrize(
    ("original_size", "target", "point", "moved"),
    [
        # 64 wide and 32 high into 16 x 24: a quarter of the size, 8 rows in the middle.
        ((32, 64), (0, 8, 16, 16), (40, 20), [10, 13]),
        # 20 wide and 96 high: a quarter again, 5 columns from (16 - 5) // 2 = 5.
        ((96, 20), (5, 0, 10, 24), (16, 20), [9, 5]),
        # The same shape fills all.
        ((48, 32), (0, 0, 16, 24), (30, 20), [15, 10]),
        # Enlarged fourfold: 3 columns become 12.
        ((6, 3), (2, 0, 14, 24), (2, 2), [10, 8]),
    ],
)
def test_letterbox_keeps_the_shape(original_size, target, point, moved):
    part = crop.frame("letterbox", original_size, (24, 16))
    assert part == ((0, 0, original_size[1], original_size[0]), target)
    found, outside = _moved(_keypoints(point), original_size, part, (24, 16))
    assert (found, outside) == ([[*moved, 1]], 0)


def test_crop_is_the_box_of_the_points_with_its_margin_in_the_stored_shape():
    # The points span 20 x 60. The margin is 6 on every side: 32 x 72. The shape 1:2
    # asks for 36 x 72, about the centre (210, 330): 192 .. 228, 294 .. 366.
    points = _keypoints((200, 300), (220, 360), (205, 330))
    part = crop.frame("crop", (1000, 800), (128, 64), points, margin=0.1)
    np.testing.assert_allclose(part.source, (192, 294, 228, 366))
    assert part.target == (0, 0, 64, 128)
    moved, outside = _moved(points, (1000, 800), part, (128, 64))
    scale = 64 / 36
    expected = [[8 * scale, 6 * scale, 1], [28 * scale, 66 * scale, 1]]
    np.testing.assert_allclose(moved[:2], expected, rtol=1e-5)
    assert outside == 0
    assert crop.describe(part, (1000, 800), (128, 64)) == "cropped"


def test_a_wide_person_is_cropped_as_high_as_the_shape_asks():
    # 60 x 20 and a margin of 6: 72 x 32; the shape 1:2 asks for 72 x 144.
    points = _keypoints((300, 200), (360, 220))
    part = crop.frame("crop", (1000, 800), (128, 64), points, margin=0.1)
    np.testing.assert_allclose(part.source, (294, 138, 366, 282))


def test_a_crop_that_leaves_the_photo_is_moved_inside():
    # As above, 36 x 72, but in the corner: it starts at 0, 0.
    points = _keypoints((2, 1), (22, 61), (12, 31))
    part = crop.frame("crop", (1000, 800), (128, 64), points, margin=0.1)
    np.testing.assert_allclose(part.source, (0, 0, 36, 72))
    assert part.target == (0, 0, 64, 128)
    points = _keypoints((779, 939), (799, 999))
    part = crop.frame("crop", (1000, 800), (128, 64), points, margin=0.1)
    np.testing.assert_allclose(part.source, (764, 928, 800, 1000))


@pytest.mark.parametrize(
    ("height", "source"),
    [
        # 20 x 40 and a margin of 4 are 28 x 48; the shape asks for 28 x 56.
        (56, (4, 0, 32, 56)),
        (52, (5, 0, 31, 52)),
        # Half of the margin is 24 x 44, and in the shape 24 x 48.
        (48, (6, 0, 30, 48)),
    ],
)
def test_a_crop_gives_up_half_of_its_margin_to_stay_in_the_photo(height, source):
    points = _keypoints((8, 0), (28, 40))
    part = crop.frame("crop", (height, 36), (128, 64), points, margin=0.1)
    np.testing.assert_allclose(part.source, source)
    assert part.target == (0, 0, 64, 128)


@pytest.mark.parametrize("points", [[(20, 12), (44, 118)], [(1, 20), (63, 100)]])
def test_a_photo_of_the_stored_shape_is_at_most_taken_whole(points):
    part = crop.frame("crop", (128, 64), (128, 64), _keypoints(*points))
    assert part == ((0, 0, 64, 128), (0, 0, 64, 128))
    part = crop.frame("crop", (128, 64), (256, 128), _keypoints(*points))
    assert part == ((0, 0, 64, 128), (0, 0, 128, 256))


def test_a_crop_larger_than_the_photo_repeats_its_edge():
    # As above 28 x 56, about (18, 20): rows -8 to 48, of which the photo has 0 to 44,
    # too few for half of the margin. At 128 / 56 rows each it begins in row 18.29 and
    # ends in row 118.86.
    points = _keypoints((8, 0), (28, 40))
    part = crop.frame("crop", (44, 36), (128, 64), points, margin=0.1)
    np.testing.assert_allclose(part.source, (4, 0, 32, 44))
    assert part.target == (0, 18, 64, 119)
    moved, _ = _moved(points, (44, 36), part, (128, 64))
    expected = [[4 * 64 / 28, 18, 1], [24 * 64 / 28, 18 + 40 * 101 / 44, 1]]
    np.testing.assert_allclose(moved, expected, rtol=1e-6)


def test_a_frame_is_cut_to_what_there_is():
    # Two pixels of the image for each of the photo.
    part = crop.Frame(crop.Box(10, 20, 30, 60), crop.Box(4, 8, 44, 88))
    assert crop.cut(part, crop.Box(0, 0, 100, 100)) == part
    source, target = crop.cut(part, crop.Box(15, 0, 100, 50))
    assert (source, target) == ((15, 20, 30, 50), (14, 8, 44, 68))


def test_the_pixels_move_as_the_points_do():
    rng = np.random.default_rng(0)
    photo = np.zeros((300, 200, 3), np.uint8)
    places = [(60, 40), (140, 250), (100, 150)]
    for x, y in places:
        photo[y - 4 : y + 4, x - 4 : x + 4] = 255  # Its middle is the corner (x, y).
    for rule in ("stretch", "letterbox", "crop"):
        for _ in range(5):
            size = tuple(int(side) for side in rng.integers(48, 160, 2))
            points = _keypoints(*places)
            part = crop.frame(rule, (300, 200), size, points, margin=0.3)
            stored = crop.apply(Image.fromarray(photo), part, size)
            assert stored.size == (size[1], size[0])
            bright = np.asarray(stored)[..., 0] / 255.0
            moved, _ = _moved(points, (300, 200), part, size)
            for x, y, _ in moved:
                # The mean position of the light near a point is the point.
                rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
                near = (np.abs(rows - y) < 8) & (np.abs(columns - x) < 8)
                light = bright * near
                centre = [
                    (columns * light).sum() / light.sum(),
                    (rows * light).sum() / light.sum(),
                ]
                np.testing.assert_allclose(centre, [x, y], atol=0.25)


def test_the_rest_of_a_letterbox_repeats_the_edge():
    photo = np.zeros((20, 40, 3), np.uint8)
    photo[:10], photo[10:] = [10, 20, 30], [90, 80, 70]
    part = crop.frame("letterbox", (20, 40), (40, 20))
    stored = np.asarray(crop.apply(Image.fromarray(photo), part, (40, 20)))
    assert part.target == (0, 15, 20, 25)
    np.testing.assert_array_equal(stored[:16, 0], [[10, 20, 30]] * 16)
    np.testing.assert_array_equal(stored[24:, 0], [[90, 80, 70]] * 16)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ((), "the 0 keypoints in the photo span 0 x 0 pixels"),
        (((50, 60),), "the 1 keypoints in the photo span 0 x 0 pixels"),
        (((50, 60), (57, 60)), "the 2 keypoints in the photo span 7 x 0 pixels"),
        (((50, 60), (157, 60)), "the 1 keypoints in the photo span 0 x 0"),
    ],
)
def test_crop_needs_a_person(points, message):
    with pytest.raises(ValueError, match=f"{message}.* fit=crop needs 8"):
        crop.frame("crop", (100, 100), (128, 64), _keypoints(*points))


def test_a_photo_enlarged_much_is_counted():
    part = crop.frame("letterbox", (24, 16), (72, 48))
    words = crop.describe(part, (24, 16), (72, 48))
    assert words == "resized, enlarged more than twice"


_sides = strategies.integers(8, 5000)


@hypothesis.settings(derandomize=True, max_examples=200, deadline=None)
@hypothesis.given(
    rule=strategies.sampled_from(["stretch", "letterbox", "crop"]),
    original_size=strategies.tuples(_sides, _sides),
    size=strategies.tuples(strategies.integers(8, 512), strategies.integers(8, 512)),
    places=strategies.lists(
        strategies.tuples(strategies.floats(0, 1), strategies.floats(0, 1)),
        min_size=2,
        max_size=18,
    ),
    margin=strategies.floats(0, 2),
)
@hypothesis.example("crop", (48, 8), (137, 243), [(0, 0.3125), (0, 0.0078125)], 0.0)
@hypothesis.example("crop", (8, 10), (11, 13), [(0, 0), (1, 0)], 0.0)
def test_whatever_the_photo_every_point_stays_inside(
    rule, original_size, size, places, margin
):
    height, width = original_size
    points = _keypoints(
        *(
            (min(x * width, width - 0.5), min(y * height, height - 0.5))
            for x, y in places
        )
    )
    try:
        part = crop.frame(rule, original_size, size, points, margin)
    except ValueError as error:
        assert rule == "crop" and "fit=crop needs" in str(error)
        return
    source, target = part
    assert 0 <= source.left < source.right <= width
    assert 0 <= source.top < source.bottom <= height
    assert 0 <= target.left < target.right <= size[1]
    assert 0 <= target.top < target.bottom <= size[0]
    moved, outside = crop.move_keypoints(points, original_size, part, size)
    assert outside == 0
    np.testing.assert_array_equal(moved[:, 2], points[:, 2])
    assert (moved[:, 0] <= size[1] - 1).all() and (moved[:, 1] <= size[0] - 1).all()
    assert (moved >= 0).all()
    if rule != "stretch":
        # One scale in both directions, but for the rounding of each side, at both of
        # its ends, to whole pixels.
        across, down = target.width / source.width, target.height / source.height
        assert abs(across - down) <= 1 / source.width + 1 / source.height + 1e-9
