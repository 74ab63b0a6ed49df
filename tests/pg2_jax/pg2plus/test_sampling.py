"""Masks that are enlarged along the edges of a photo."""

import numpy as np

from pg2_jax.pg2plus import sampling


def windows(x, at):
    """The pixels of [h, w, C] within 3 of a place, [n, C]."""
    top, left = (max(0, place - 3) for place in at)
    part = x[top : at[0] + 4, left : at[1] + 4]
    return part.reshape(-1, x.shape[-1])


def guided(mask, photo):
    """The guided filter by its definition (He et al., 2010), a window at a time."""
    coefficients = np.zeros((*photo.shape[:2], 4))
    for at in np.ndindex(photo.shape[:2]):
        colours, values = windows(photo, at), windows(mask, at)[:, 0]
        variance = np.cov(colours.T, bias=True) + 0.01 * np.eye(3)
        covariance = ((colours - colours.mean(0)).T @ values) / len(values)
        slope = np.linalg.solve(variance, covariance)
        coefficients[at] = *slope, values.mean() - slope @ colours.mean(0)
    mean = np.zeros_like(coefficients)
    for at in np.ndindex(photo.shape[:2]):
        mean[at] = windows(coefficients, at).mean(0)
    return (mean[..., :3] * photo).sum(-1) + mean[..., 3]


def test_a_mask_follows_the_photo_as_the_guided_filter_says():
    rng = np.random.default_rng(0)
    photo = rng.uniform(-1, 1, (9, 8, 3)).astype(np.float32)
    mask = rng.uniform(0.2, 0.8, (9, 8, 1)).astype(np.float32)
    got = sampling.along_edges(mask[None], photo[None], photo[None])
    want = guided(mask.astype(float), photo.astype(float))
    np.testing.assert_allclose(got[0, ..., 0], want, atol=1e-4)


def test_a_blurred_mask_gets_the_edge_of_the_large_photo():
    """Dark and bright meet in column 18 of 32, within a pixel of the small photo."""
    large = np.full((1, 48, 32, 3), -0.8, np.float32)
    large[:, :, 18:] = 0.8
    small = large.reshape(1, 12, 4, 8, 4, 3).mean(axis=(2, 4))
    mask = np.broadcast_to(np.linspace(0.95, 0.05, 8), (1, 12, 8)).astype(np.float32)
    got = np.asarray(sampling.along_edges(mask[..., None], small, large))[0, 24, :, 0]
    smooth = np.asarray(sampling.enlarged(mask[..., None], 48, 32))[0, 24, :, 0]
    assert got[17] - got[18] > 0.4 > 10 * (smooth[17] - smooth[18])
    even = np.full((1, 12, 8, 1), 0.3, np.float32)
    np.testing.assert_allclose(sampling.along_edges(even, small, large), 0.3, atol=1e-5)
