"""The Frechet distance of two Gaussians (FID, Heusel et al. 2017), on the host."""

from typing import NamedTuple

import numpy as np


class Gaussian(NamedTuple):
    mean: np.ndarray  # [D] float64
    covariance: np.ndarray  # [D, D] float64, symmetric, with the divisor images - 1
    images: int


class Moments:
    """Takes features batch by batch and gives their Gaussian. The batches are merged by
    their own means (Chan et al., 1979), which loses nothing if a mean is large."""

    def __init__(self, dimensions: int):
        self._count = 0
        self._mean = np.zeros(dimensions)
        self._scatter = np.zeros((dimensions, dimensions))

    def add(self, features: np.ndarray) -> None:
        """Takes [B, D] float of one image at least; every number must be finite."""
        rows = np.asarray(features, np.float64)
        wrong = ~np.isfinite(rows).all(axis=1)
        if wrong.any():
            image = self._count + int(wrong.argmax())
            raise ValueError(f"Image {image} has features that are NaN or infinite.")
        count, mean = len(rows), rows.mean(axis=0)
        shift, total = mean - self._mean, self._count + count
        centred = rows - mean[None]
        self._scatter += centred.T @ centred
        self._scatter += np.outer(shift, shift) * (self._count * count / total)
        self._mean += shift * (count / total)
        self._count = total

    def gaussian(self) -> Gaussian:
        """The Gaussian of all features taken so far, of 2 images at least."""
        check_count(self._count)
        covariance = self._scatter / (self._count - 1)
        return Gaussian(self._mean.copy(), covariance, self._count)


def check_count(images: int) -> None:
    """Raises ValueError if there are too few images for a covariance."""
    if images < 2:
        raise ValueError(f"FID needs at least 2 images on either side, got {images}.")


def remark(images: int, dimensions: int) -> str:
    """What a reader of an FID must know; empty if there are images enough."""
    if images > dimensions:
        return ""
    return (
        f"FID from {images:,} images: the covariance of {dimensions:,} features has "
        f"full rank only from {dimensions + 1:,} images on; with fewer the distance is "
        "too large, so compare it only with that of as many images"
    )


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """|mean a - mean b|^2 + tr(A) + tr(B) - 2 tr((A B)^(1/2)), A and B the covariances.

    With A = K K^T and B = L L^T the last trace is the sum of the singular values of
    K^T L, for covariances of any rank and without the complex numbers that the root of
    a matrix that is not symmetric has."""
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"Two Gaussians of {len(a.mean)} and {len(b.mean)} dimensions have no "
            "distance: are they from the same network?"
        )
    cross = np.linalg.norm(_factor(a.covariance).T @ _factor(b.covariance), "nuc")
    shift = a.mean - b.mean
    traces = np.trace(a.covariance) + np.trace(b.covariance)
    return max(0.0, float(shift @ shift + traces - 2 * cross))


def _factor(covariance: np.ndarray) -> np.ndarray:
    """K [D, rank] with K K^T the covariance [D, D]."""
    if not np.isfinite(covariance).all():
        raise ValueError("A covariance holds NaN or infinite values.")
    if not np.allclose(covariance, covariance.T, atol=1e-8 * abs(covariance).max()):
        raise ValueError("A covariance must be symmetric.")
    values, vectors = np.linalg.eigh(covariance)
    # Eigenvalues of 0 come out as noise of either sign, whose root is far from small.
    noise = len(values) * np.finfo(np.float64).eps * abs(values).max()
    if values.min() < -max(noise, 1e-6 * abs(values).max()):
        least = f"{values.min():.3g}"
        raise ValueError(f"A covariance has the negative eigenvalue {least}.")
    kept = values > noise
    return vectors[:, kept] * np.sqrt(values[kept])[None]
