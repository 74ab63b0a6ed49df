"""Pieces of a photo whose colours meet."""

import numpy as np

from pg2_jax.photos import seams


def levelled(photo, hole, found):
    nothing = np.zeros_like(hole)
    return seams.levelled(found, photo, hole, nothing)


def places(height, width):
    return np.indices((height, width)).transpose(1, 2, 0)


def two_walls(left, right):
    """A photo of two walls, 8 x 24, whose middle is filled with pieces of both; and
    what the middle shows."""
    photo = np.full((8, 24, 3), left, np.float32)
    photo[:, 12:] = right
    hole = np.zeros((8, 24), bool)
    hole[:, 8:16] = True
    found = places(8, 24)
    found[:, 8:12, 1] = 2  # of the left wall
    found[:, 12:16, 1] = 22
    return photo, hole, found


def test_where_two_walls_of_a_little_other_colour_meet_it_changes_bit_by_bit():
    photo, hole, found = two_walls(100, 110)
    added = levelled(photo, hole, found)
    got = (photo + added)[4, :, 0]
    np.testing.assert_array_equal(added[~hole], np.zeros_like(added[~hole]))
    steps = np.diff(got)[7:16]
    assert steps.min() > 0.3 and steps.max() < 2.0


def test_where_two_things_meet_the_edge_stays():
    photo, hole, found = two_walls(20, 220)
    got = (photo + levelled(photo, hole, found))[4, :, 0]
    assert got[12] - got[11] > 150


def test_what_fits_is_left():
    """Stripes of two rows, copied from four rows above; from two rows above they do
    not fit, and at their edges lack the whole step."""
    rows = np.arange(16) // 2 % 2 * 50.0
    photo = np.broadcast_to(rows[:, None, None], (16, 12, 3)).astype(np.float32)
    hole = np.zeros((16, 12), bool)
    hole[6:10, 4:8] = True
    added = levelled(photo, hole, places(16, 12) - [4, 0])
    np.testing.assert_allclose(added, np.zeros_like(added), atol=1e-3)
    assert np.abs(levelled(photo, hole, places(16, 12) - [2, 0])).max() > 5


def test_it_is_the_solution_of_the_equations():
    """Least squares: sum of weight * (step - wanted step)^2 + 0.003 * added^2, where
    the weight of a pair of neighbours is 1 / (1 + (what the step lacks / 60)^2)."""
    random = np.random.default_rng(0)
    photo = random.uniform(0, 255, (6, 7, 3)).astype(np.float32)
    hole = np.zeros((6, 7), bool)
    hole[1:4, 2:5] = hole[3:, 3] = True
    found = places(6, 7)
    found[hole] = random.integers(0, (6, 7), size=(hole.sum(), 2))
    shown = np.array(photo)
    for row, column in np.argwhere(hole):
        shown[row, column] = photo[tuple(found[row, column])]
    number = {tuple(at): i for i, at in enumerate(np.argwhere(hole))}
    rows, wanted = [], []
    for a in np.ndindex(6, 7):
        for b in ((a[0] + 1, a[1]), (a[0], a[1] + 1)):
            ends = [end for end in (a, b) if end in number]
            if b[0] >= 6 or b[1] >= 7 or not ends:
                continue
            inside = []
            for end in ends:
                way = found[end] - np.array(end)
                there = (np.clip(np.add(at, way), 0, (5, 6)) for at in (a, b))
                first, second = (photo[tuple(place)] for place in there)
                inside.append(second - first)
            lacks = np.mean(inside, axis=0) - (shown[b] - shown[a])
            weight = np.sqrt(1 / (1 + np.square(lacks).sum() / 60**2))
            row = np.zeros(len(number))
            for end, sign in ((a, -1), (b, 1)):
                if end in number:
                    row[number[end]] = sign * weight
            rows.append(row)
            wanted.append(weight * lacks)
    rows += list(np.sqrt(0.003) * np.eye(len(number)))
    wanted += [np.zeros(3)] * len(number)
    want, *_ = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)
    got = levelled(photo, hole, found)
    np.testing.assert_allclose(got[hole], want, atol=0.3)


def test_pieces_do_not_meet_the_colours_of_something_else():
    """Grey clothes with a hole beside a bright wall: nothing is to be added."""
    photo = np.full((20, 16, 3), 120.0, np.float32)
    photo[:, 10:] = 200.0
    hole = np.zeros((20, 16), bool)
    hole[6:14, 4:10] = True
    found = np.indices((20, 16)).transpose(1, 2, 0) - [0, 0]
    found[hole] = 2, 2
    wall = np.zeros_like(hole)
    wall[:, 10:] = True
    assert np.abs(seams.levelled(found, photo, hole, wall)).max() < 1e-3
    assert np.abs(levelled(photo, hole, found)).max() > 10
