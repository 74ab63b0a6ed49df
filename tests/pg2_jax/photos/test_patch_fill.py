"""Holes of photos, filled with pieces of what is around."""

import numpy as np
import pytest

from pg2_jax.photos import patch_fill


def hole_of(shape, rows, columns):
    hole = np.zeros(shape, bool)
    hole[rows, columns] = True
    return hole


def planks(height, width, period=8):
    """Brown planks with dark gaps that go down, as a floor has, in [0, 255]."""
    columns = np.arange(width) % period
    colour = np.where(columns[:, None] < 2, (60.0, 40.0, 20.0), (180.0, 120.0, 60.0))
    return np.broadcast_to(colour, (height, width, 3)).astype(np.float32)


def filled(photo, hole):
    """The filled photo; what is in the hole before must not matter."""
    return patch_fill.fill(np.where(hole[..., None], 255.0, photo), hole)


def test_the_hole_gets_the_texture_around():
    """Averages would be without contrast; pieces of gravel are gravel."""
    grains = np.random.default_rng(1).uniform(0, 255, (32, 24, 1))
    photo = np.tile(grains.repeat(2, 0).repeat(2, 1), 3).astype(np.float32)
    hole = hole_of((64, 48), slice(20, 50), slice(18, 30))
    got = filled(photo, hole)
    np.testing.assert_array_equal(got[~hole], photo[~hole])
    assert got[hole].std() > 0.6 * photo[hole].std()


def test_a_wall_and_a_floor_meet_in_the_hole_where_they_do_beside_it():
    photo = np.full((64, 48, 3), 200.0, np.float32)
    photo[40:] = 50.0
    hole = hole_of((64, 48), slice(8, 60), slice(16, 32))
    got = filled(photo, hole)
    np.testing.assert_allclose(got[8:38, 16:32], 200.0, atol=1)
    np.testing.assert_allclose(got[42:60, 16:32], 50.0, atol=1)


def test_a_large_photo_gets_its_own_pixels():
    """Above the size that is searched pixels are copied: each is one of the photo."""
    photo = planks(640, 320, period=32)
    hole = hole_of((640, 320), slice(200, 500), slice(110, 200))
    got = filled(photo, hole)
    np.testing.assert_array_equal(got[~hole], photo[~hole])
    dark, light = (
        np.abs(got[hole] - x).max(axis=-1) < 1 for x in (photo[0, 0], photo[0, 9])
    )
    assert (dark | light).mean() > 0.9 and 0.03 < dark.mean() < 0.12  # 2 of 32 are dark


def test_the_same_hole_is_filled_alike_each_time():
    photo = np.random.default_rng(0).uniform(0, 255, (48, 40, 3)).astype(np.float32)
    hole = hole_of((48, 40), slice(10, 30), slice(10, 25))
    np.testing.assert_array_equal(filled(photo, hole), filled(photo, hole))


@pytest.mark.parametrize("shape", [(64, 48), (7, 5), (300, 9)])
def test_where_no_patch_is_known_there_are_averages(shape):
    """Single pixels of two colours are known: nothing but what lies between."""
    photo = np.full((*shape, 3), 100.0, np.float32)
    photo[:, -1] = 120.0
    hole = np.ones(shape, bool)
    hole[0, 0] = hole[-1, -1] = False
    got = filled(photo, hole)
    assert got.shape == photo.shape
    assert got[hole].min() >= 99.9 and got[hole].max() <= 120.1
    np.testing.assert_array_equal(got[~hole], photo[~hole])


def test_nothing_to_fill_and_nothing_to_fill_with_leave_the_photo():
    photo = planks(20, 16)
    for hole in (np.zeros((20, 16), bool), np.ones((20, 16), bool)):
        np.testing.assert_array_equal(patch_fill.fill(photo, hole), photo)


@pytest.mark.parametrize("shape", [(128, 64), (64, 48)])
def test_a_hole_of_a_few_pixels_is_filled(shape):
    """Smaller copies do not have it."""
    photo = np.broadcast_to(90.0, (*shape, 3)).astype(np.float32)
    for size in (1, 2):
        hole = hole_of(shape, slice(31, 31 + size), slice(21, 21 + size))
        np.testing.assert_allclose(filled(photo, hole), photo, atol=1)


def test_thin_parts_of_a_hole_are_filled_from_nearby():
    """The copies that are searched would not have them; the photo grows brighter."""
    rows = np.linspace(0, 255, 640, dtype=np.float32)
    photo = np.tile(rows[:, None, None], (1, 320, 3))
    hole = hole_of((640, 320), slice(200, 400), slice(100, 200))
    hole[:3] = hole[500:502, 140:180] = True
    got = filled(photo, hole)
    for thin in (slice(0, 3), slice(500, 502)):
        assert np.abs(got[thin] - photo[thin]).max() < 12


def test_pieces_come_from_where_they_may_and_look_like_what_is_looked_for():
    """A hole in clothes, blue above and red below, beside a green wall; what it has the
    colour of decides, and none of it becomes a wall."""
    blue, red, green = (10.0, 20.0, 200.0), (200.0, 20.0, 10.0), (20.0, 180.0, 20.0)
    photo = np.zeros((96, 48, 3), np.float32)
    photo[:48], photo[48:], photo[:, 30:] = blue, red, green
    hole = hole_of((96, 48), slice(30, 66), slice(4, 30))
    pieces = ~hole
    pieces[:, 30:] = False
    for wanted, other in ((blue, 0), (red, 2)):
        photo[hole] = wanted
        got = patch_fill.fill(photo, hole, pieces)
        np.testing.assert_array_equal(got[~hole], photo[~hole])
        assert (
            got[36:60, 12:22, other].mean() < 60 < got[36:60, 12:22, 2 - other].mean()
        )
        assert got[36:60, 4:30, 1].max() < 25
    without = patch_fill.fill(photo, hole, np.zeros_like(hole))
    np.testing.assert_array_equal(without, photo)
