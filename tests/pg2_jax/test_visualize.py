"""Pictures: sizes, places and colours of what is drawn."""

import numpy as np
import pytest

from pg2_jax import visualize


def one_arm(side):
    """Shoulder at (8, 10) and elbow at (8, 30) of the right (0) or left (3) arm."""
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[2 + side], keypoints[3 + side] = (8, 10, 1), (8, 30, 1)
    return keypoints


@pytest.mark.parametrize(("side", "channel"), [(0, 0), (3, 2)], ids=["right", "left"])
def test_right_limbs_are_warm_and_left_limbs_cool(side, channel):
    picture = visualize.draw_skeleton(np.zeros((64, 32, 3), np.uint8), one_arm(side))
    assert picture.shape == (64, 32, 3)
    assert picture[20, 8].argmax() == channel and picture[20, 8, channel] > 200
    assert not picture[:, 20:].any() and not picture[40:].any()


def test_scale_enlarges_photo_and_pose_alike():
    photo = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
    photo[:] = photo[:1, :1]
    small = visualize.draw_skeleton(photo, one_arm(0))
    large = visualize.draw_skeleton(photo, one_arm(0), scale=4)
    assert large.shape == (256, 128, 3)
    mean = large.reshape(64, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(mean - small).mean() < 3


def test_the_mask_tints_and_missing_points_leave_no_trace():
    photo = np.full((16, 16, 3), 100, np.uint8)
    mask = np.zeros((16, 16, 1), np.uint8)
    mask[:, 8:] = 1
    picture = visualize.draw_skeleton(photo, np.zeros((18, 3)), mask)
    np.testing.assert_array_equal(picture[8, 2], [100, 100, 100])
    np.testing.assert_allclose(picture[8, 13], [84, 148, 96], atol=1)


def test_grid_places_every_picture():
    rows = [
        [np.full((4, 2, 3), 10 * i + j, np.uint8) for j in range(3)] for i in (1, 2)
    ]
    sheet = np.asarray(visualize.grid(rows, scale=2))
    assert sheet.shape == (2 * (8 + 4) + 4, 3 * (4 + 4) + 4, 3)
    for i in range(2):
        for j in range(3):
            tile = sheet[12 * i + 4 : 12 * i + 12, 8 * j + 4 : 8 * j + 8]
            assert np.unique(tile).tolist() == [10 * (i + 1) + j]
    assert (sheet[:4] == 255).all()


def test_titles_take_a_header():
    rows = [[np.zeros((8, 60, 3), np.uint8)] * 2]
    plain, titled = visualize.grid(rows), visualize.grid(rows, ["source", "target"])
    assert titled.width == plain.width
    header = np.asarray(titled)[: titled.height - plain.height]
    assert (header[:, :64] < 128).any() and (header[:, 64:] < 128).any()


def test_screen_scale_keeps_large_pictures():
    assert [visualize.screen_scale(h) for h in (32, 64, 128, 256, 512)] == [
        8,
        4,
        2,
        1,
        1,
    ]


@pytest.mark.parametrize("width", [64, 3])
def test_a_long_title_stays_over_its_column(width):
    picture = np.zeros((4, width, 3), np.uint8)
    names = ["x", "0301_c1s1_000013_00.jpg_of_a_long_name", "y"]
    header = np.asarray(visualize.grid([[picture] * 3], names).convert("L"))[:18]
    dark = np.flatnonzero((header < 128).any(axis=0))
    columns = np.split(np.arange(4, 4 + 3 * (width + 4)), 3)
    assert [bool(np.isin(dark, c[:width]).any()) for c in columns] == [True] * 3
    if width > 3:
        assert not np.isin(dark, [c[width:] for c in columns]).any()


@pytest.mark.parametrize(
    ("count", "tile", "want"),
    [
        (1, (64, 128), 1),
        (7, (64, 128), 7),  # eight pictures with the source
        (8, (64, 128), 4),
        (12, (64, 128), 6),  # the catalogue: 7 of them in two rows
        (12, (64, 4 * 128), 12),  # four people: 832 wide, 512 high
        (13, (64, 128), 7),
        (24, (64, 128), 8),  # 9 * 64 <= 16 / 9 * 3 * 128
        (100, (64, 128), 17),  # 18 * 64 <= 16 / 9 * 6 * 128, and 21 * 64 is more
        (12, (64, 64), 6),
    ],
)
def test_a_sheet_of_many_tiles_has_the_shape_of_a_screen(count, tile, want):
    assert visualize.columns(count, tile) == want


def test_pictures_are_stacked_on_white():
    wide, narrow = np.full((2, 5, 3), 7, np.uint8), np.full((1, 3, 3), 9, np.uint8)
    stacked = visualize.stacked([wide, narrow])
    assert stacked[..., 0].tolist() == [[7] * 5, [7] * 5, [9, 9, 9, 255, 255]]
