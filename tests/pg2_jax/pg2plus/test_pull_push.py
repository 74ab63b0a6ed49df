"""Holes filled with averages of what is around."""

import jax
import numpy as np

from pg2_jax.pg2plus import pull_push


def test_the_hole_of_the_person_is_filled_from_its_surroundings():
    """Halves of two colours: what is free stays, and a hole within one has its colour;
    one across both goes from one to the other; of one colour nothing else comes out."""
    image = np.full((1, 24, 17, 3), 0.5, np.float32)
    image[:, :, 9:] = -0.5
    free = np.ones((1, 24, 17, 1), np.float32)
    free[:, 6:20, 2:7] = 0.0
    fill = jax.jit(pull_push.without_person)
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
    filled = np.asarray(jax.jit(pull_push.without_person)(image * free, free))
    hole = filled[0, 8:, 8:24, 0]
    np.testing.assert_allclose(hole[:16], 0.8, atol=0.1)
    np.testing.assert_allclose(hole[32:], -0.8, atol=0.1)
    assert (hole[:22] > 0.4).all() and (hole[26:] < -0.4).all()
    # A free corner of another colour leaves the other edges alone.
    image[:, :4, :4] = -0.8
    filled = np.asarray(jax.jit(pull_push.without_person)(image * free, free))
    np.testing.assert_allclose(filled[0, 8:24, 23, 0], 0.8, atol=0.1)
