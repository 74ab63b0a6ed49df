"""Bodies without the arms before them."""

import jax
import numpy as np

from pg2_jax.pg2plus import arms
from tests.pg2_jax.pg2plus.people import HEIGHT, WIDTH, found, person

# The left forearm is before the torso, the right hand before the face.
FOLDED = person(
    left_elbow=(21, 18), left_wrist=(14, 19), right_elbow=(9, 15), right_wrist=(14, 9)
)


def test_what_arms_hide_is_painted_over_with_the_body_around():
    """Of a black body all pixels but a white forearm and its hand are seen."""
    photo = np.zeros((1, HEIGHT, WIDTH, 3), np.float32)
    photo[:, 17:21, 10:21] = 1.0
    everywhere = np.ones((1, HEIGHT, WIDTH, 1), np.float32)
    armless, hidden, shown = map(
        np.asarray, jax.jit(arms.removed)(photo, FOLDED[None], found(everywhere))
    )
    assert armless[0, 18, 14:20].max() < 0.05 and hidden[0, 18, 14:20].min() == 1
    assert armless[0, 18, 12].max() < 0.2  # the hand
    np.testing.assert_array_equal(armless[0, 30:], photo[0, 30:])  # no arm is there
    # Clothes are seen where no arm is, and are no head.
    assert shown[0, 14, 16] == 1 and shown[0, 18, 16] == 0 and shown[0, 30, 13] == 1
    assert shown[0, 6, 16] == 0 and hidden[0, 8, 14] == 0
    # Of a person who is hardly found the pose tells.
    hardly = jax.jit(arms.removed)(photo, FOLDED[None], found(0.3 * everywhere))
    assert hardly[2][0, 30, 13] == 1 and hardly[2][0, 18, 16] == 0


def test_arms_hide_no_more_than_is_seen_of_them():
    """Inside the forearm in any case, and to its edge and all of the hand's reach where
    an arm is seen."""
    photo = np.zeros((1, HEIGHT, WIDTH, 3), np.float32)
    photo[:, :, :, 0] = np.linspace(0, 1, WIDTH)
    everywhere = np.ones((1, HEIGHT, WIDTH, 1), np.float32)
    _, all_of_it, _ = jax.jit(arms.removed)(photo, FOLDED[None], found(everywhere))
    _, little, _ = jax.jit(arms.removed)(photo, FOLDED[None], found(everywhere, 0.04))
    for row, column in ((18, 18), (19, 11)):  # the forearm, 3 pixels beyond the wrist
        assert all_of_it[0, row, column] > 0.99 and little[0, row, column] > 0.99
    edge = 21, 18, 0
    assert all_of_it[0][edge] > 0.5 and little[0][edge] == 0
