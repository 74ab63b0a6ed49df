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
    guide = np.zeros((5, guides.CHANNELS + 1))
    guide[:, 6] = 0.25, 1, 0, 1, 1
    guide[:, -1] = 0.5, 1, 0, 0, 0
    behind = 0.2 + 0.05 * 0.75 * 0.3
    first = np.array([0.1, behind, 0.3, 0.1])
    got = blending.without_what_leaves(
        *(jnp.asarray(x, jnp.float32)[None, None] for x in (weights, guide))
    )
    want = [first / first.sum(), few, [0, 1, 0, 0], all_of_it, [1, 0, 0, 0]]
    np.testing.assert_allclose(got[0, 0], want, atol=1e-4)
