"""The Frechet distance against closed forms and scipy's matrix square root."""

import numpy as np
import pytest
import scipy.linalg

from pg2_jax.metrics import fid


def gaussian(mean, covariance, images=100):
    return fid.Gaussian(
        np.asarray(mean, np.float64), np.asarray(covariance, np.float64), images
    )


def random_covariance(seed, dimensions, rank):
    factor = np.random.default_rng(seed).normal(size=(dimensions, rank))
    return factor @ factor.T / rank


@pytest.mark.parametrize("rank", [3, 40, 80])
def test_equal_gaussians_have_no_distance(rank):
    one = gaussian(np.arange(40.0), random_covariance(0, 40, rank))
    assert fid.frechet_distance(one, one) == pytest.approx(0, abs=1e-10)


def test_a_shift_counts_squared():
    covariance = random_covariance(0, 3, 3)
    a, b = gaussian([0, 0, 0], covariance), gaussian([1, -2, 3], covariance)
    assert fid.frechet_distance(a, b) == pytest.approx(14)


def test_scaled_covariances():
    # tr A (1 + 9 - 2 * 3), with B = 9 A.
    covariance = random_covariance(1, 6, 6)
    a, b = gaussian(np.zeros(6), covariance), gaussian(np.zeros(6), 9 * covariance)
    assert fid.frechet_distance(a, b) == pytest.approx(4 * np.trace(covariance))


def test_diagonal_covariances():
    # (1 - 2)^2 + (3 - 3)^2 + (2 - 0)^2 of the deviations.
    a = gaussian([0, 0, 0], np.diag([1.0, 9, 4]))
    b = gaussian([0, 0, 0], np.diag([4.0, 9, 0]))
    assert fid.frechet_distance(a, b) == pytest.approx(5)


def test_disjoint_ranks_add_their_traces():
    a = gaussian([0, 0], [[7, 0], [0, 0]])
    b = gaussian([0, 0], [[0, 0], [0, 5]])
    assert fid.frechet_distance(a, b) == pytest.approx(12, rel=1e-12)
    zero = gaussian([0, 0], np.zeros((2, 2)))
    assert fid.frechet_distance(a, zero) == pytest.approx(7, rel=1e-12)


def test_it_equals_the_matrix_square_root_where_that_is_stable():
    a = gaussian(np.zeros(20), random_covariance(2, 20, 30))
    b = gaussian(np.ones(20) / 5, random_covariance(3, 20, 30))
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance).real
    want = 20 / 25 + np.trace(a.covariance + b.covariance - 2 * root)
    assert fid.frechet_distance(a, b) == pytest.approx(want, rel=1e-9)
    assert fid.frechet_distance(b, a) == pytest.approx(want, rel=1e-9)


def test_deficient_ranks_keep_their_digits():
    # Both lie in one plane of 200 dimensions, where the answer is known.
    plane = np.linalg.qr(np.random.default_rng(4).normal(size=(200, 2)))[0]
    a = gaussian(np.zeros(200), 1e4 * plane @ np.diag([1.0, 4]) @ plane.T)
    b = gaussian(np.zeros(200), 1e4 * plane @ np.diag([9.0, 4]) @ plane.T)
    assert fid.frechet_distance(a, b) == pytest.approx(4e4, rel=1e-9)


def test_what_is_no_covariance():
    good = gaussian([0, 0], np.eye(2))
    for wrong, message in [
        ([[1, 2], [0, 1]], "must be symmetric"),
        ([[1, 0], [0, -1]], "negative eigenvalue -1"),
        ([[1, 0], [0, np.nan]], "NaN or infinite"),
    ]:
        with pytest.raises(ValueError, match=message):
            fid.frechet_distance(good, gaussian([0, 0], wrong))
    with pytest.raises(ValueError, match="of 2 and 3 dimensions"):
        fid.frechet_distance(good, gaussian([0, 0, 0], np.eye(3)))


def test_moments_equal_numpy_however_they_are_cut():
    # A mean of 1e6 beside a spread of 1 ruins the textbook formula in one pass.
    rows = np.random.default_rng(5).normal(size=(101, 7)) + 1e6
    for sizes in ([101], [1, 50, 50], [33, 33, 35]):
        moments = fid.Moments(7)
        for part in np.split(rows, np.cumsum(sizes)[:-1]):
            moments.add(part)
        found = moments.gaussian()
        assert found.images == 101
        np.testing.assert_allclose(found.mean, rows.mean(axis=0), rtol=1e-14)
        want = np.cov(rows, rowvar=False)
        np.testing.assert_allclose(found.covariance, want, atol=1e-9)


def test_wrong_features():
    moments = fid.Moments(3)
    moments.add(np.zeros((4, 3)))
    bad = np.zeros((2, 3))
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match="Image 5 has features that are NaN"):
        moments.add(bad)
    assert moments.gaussian().images == 4


def test_a_single_image_has_no_distance():
    moments = fid.Moments(3)
    moments.add(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="at least 2 images on either side, got 1"):
        moments.gaussian()


def test_few_images_are_remarked_upon():
    assert "full rank only from 2,049 images on" in fid.remark(2048, 2048)
    assert fid.remark(2049, 2048) == ""
