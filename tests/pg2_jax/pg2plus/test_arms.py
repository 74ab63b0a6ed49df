"""Bodies without the arms before them."""

import jax
import numpy as np

from pg2_jax.pg2plus import arms
from tests.pg2_jax.pg2plus.people import HEIGHT, WIDTH, person

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
        np.asarray, jax.jit(arms.removed)(photo, FOLDED[None], everywhere)
    )
    assert armless[0, 18, 14:20].max() < 0.05 and hidden[0, 18, 14:20].min() == 1
    assert armless[0, 18, 12].max() < 0.2  # the hand
    np.testing.assert_array_equal(armless[0, 30:], photo[0, 30:])  # no arm is there
    # Clothes are seen where no arm is, and are no head.
    assert shown[0, 14, 16] == 1 and shown[0, 18, 16] == 0 and shown[0, 30, 13] == 1
    assert shown[0, 6, 16] == 0 and hidden[0, 8, 14] == 0
    # Of a person who is hardly found the pose tells.
    hardly = jax.jit(arms.removed)(photo, FOLDED[None], 0.3 * everywhere)
    assert hardly[2][0, 30, 13] == 1 and hardly[2][0, 18, 16] == 0
