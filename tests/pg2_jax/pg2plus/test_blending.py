"""Pictures blended by weights, and what becomes of those of a part that leaves."""

import jax.numpy as jnp
import numpy as np

from pg2_jax.pg2plus import blending, guides


def test_a_picture_is_the_weighted_sum_of_its_layers():
    rng = np.random.default_rng(0)
    *pictures, own = rng.uniform(-1, 1, (4, 2, 5, 4, 3))
    shares = rng.dirichlet((1, 1, 1, 1), (2, 5, 4))
    got = blending.blend(*pictures, blending.Layers(own, shares))
    want = sum(
        shares[..., i : i + 1] * picture for i, picture in enumerate([*pictures, own])
    )
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_what_leaves_goes_to_the_other_pictures():
    """By their weights, to which the background adds a twentieth of what leaves where
    no part covers it; and a network that would keep all."""
    few, all_of_it = [0.1, 0.2, 0.6, 0.1], [0, 0, 1, 0]
    weights = np.array([few, few, all_of_it, all_of_it, [1e-9, 0, 1, 0]])
    guide = np.zeros((5, guides.CHANNELS + 2))
    guide[:, 6] = 0.25, 1, 0, 1, 1
    guide[:, -2] = 0.5, 1, 0, 0, 0
    behind = 0.2 + 0.05 * 0.75 * 0.3
    first = np.array([0.1, behind, 0.6 * 0.5**2.5, 0.1])  # results are sharpened so
    got = blending.without_what_leaves(
        *(jnp.asarray(x, jnp.float32)[None, None] for x in (weights, guide))
    )
    want = [first / first.sum(), few, [0, 1, 0, 0], all_of_it, [1, 0, 0, 0]]
    np.testing.assert_allclose(got[0, 0], want, atol=1e-4)


def test_of_what_moved_parts_cover_they_get_as_large_a_share():
    """Half of the covered half of a pixel is theirs: half of what they cover of the
    four pixels in its place. The others share the rest as before, and have the
    background where all was covered and nothing is now."""
    weights = np.array([0.25, 0.1, 0.5, 0.15], np.float32).reshape(1, 1, 1, 4)
    guide = np.zeros((1, 1, 1, guides.CHANNELS), np.float32)
    guide[..., 6] = 0.5
    coverage = np.array([0, 0.5, 1, 1], np.float32).reshape(1, 2, 2, 1)
    got = np.asarray(blending.enlarged(weights, guide, coverage)).reshape(4, 4)
    np.testing.assert_allclose(got[:, 0], [0, 0.25, 0.5, 0.5], atol=1e-5)
    np.testing.assert_allclose(got[1], weights.ravel(), atol=1e-3)
    np.testing.assert_allclose(got[0] * 0.75, [0, 0.1, 0.5, 0.15], atol=1e-3)
    full = np.array([1, 0, 0, 0], np.float32).reshape(1, 1, 1, 4)
    guide[..., 6] = 1
    got = np.asarray(blending.enlarged(full, guide, coverage)).reshape(4, 4)
    np.testing.assert_allclose(got[0], [0, 1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(got[2], [1, 0, 0, 0], atol=1e-5)


def test_results_have_moved_pixels_where_the_person_certainly_is():
    """Not the background, and but for heads not the network's image; if parts are moved
    to there: a hand that is shorter than others ends."""
    weights = jnp.full((1, 1, 5, 4), 0.25)
    guide = np.zeros((1, 1, 5, guides.CHANNELS + 2), np.float32)
    guide[..., -2] = 1
    guide[..., -1] = 0, 0.5, 1, 1, 1
    guide[..., 6] = 1, 1, 1, 0, 1
    guide[..., 13] = 0, 0, 0, 0, 1  # the last is of the head
    some = 0.5**2.5
    for final, behind, own in (
        (False, np.ones(5), np.ones(5)),
        (True, np.array([1, some, 0, 1, 0]), np.array([1, some, 0, 1, 1])),
    ):
        got = blending.where_it_can_be(weights, jnp.asarray(guide), final)
        want = np.stack([np.ones(5), behind, np.ones(5), own], axis=-1)
        want /= want.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(got[0, 0], want, atol=1e-5)
