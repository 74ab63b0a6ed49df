"""Structural similarity in the four forms that the field prints under one name.

Every form averages over channels and the windows that lie inside the images, as
scikit-image's `structural_similarity` does. They differ in window, covariance and data
range, and their figures cannot be compared.

All take uint8 [B, H, W, 3] twice, at least as large as the window, and give float32 [B]
in [-1, 1], 1 for equal images. Within they are [H, W, 3, B]: with the batch innermost,
shifting a window is a shift of whole vectors.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import xla_metadata

PG2_WINDOW = 7  # pixels, side of the uniform window
LARGE_WINDOW = 51
_SIGMA = 1.5  # pixels
_RADIUS = 5  # scikit-image cuts the Gaussian at 3.5 sigma
GAUSS_WINDOW = 2 * _RADIUS + 1
_GAUSS = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
_WEIGHTS = [float(weight) for weight in _GAUSS / _GAUSS.sum()]

PADDED_FROM = (256, 176)  # height, width of DeepFashion's cropped photos
_PADDING = 40  # pixels on either side


@jax.jit
def ssim_pg2(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Of PG2's score.py: uniform 7x7 windows, sample covariance, data range 255."""
    return _uniform(generated, target, PG2_WINDOW)


@jax.jit
def ssim_win51(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Of GFLA and its copies: uniform 51x51 windows, as large as a torso; range 255."""
    return _uniform(generated, target, LARGE_WINDOW)


@jax.jit
def ssim_gauss(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Of Deformable GANs and PATN: Gaussian weights with sigma 1.5 (11x11 pixels),
    population covariance; data range max - min of the generated image, so that a pale
    one is judged with smaller constants. NaN for an image of a single value."""
    x, y = _batch_last(generated, target, GAUSS_WINDOW, jnp.float32)
    values = generated.astype(jnp.float32)
    data_range = values.max(axis=(1, 2, 3)) - values.min(axis=(1, 2, 3))

    def similarity(x, y, rows, data_range):
        moments = _gauss_columns(x, y, rows)
        return _similarity(moments, data_range.reshape(1, 1, 1, -1))

    rows = staged(_gauss_rows)(x, y)
    mean = _mean(staged(similarity)(x, y, rows, data_range))
    return jnp.where(data_range > 0, mean, jnp.nan)


@functools.partial(jax.jit, static_argnames="border")
def ssim_gauss_padded(
    generated: jax.Array, target: jax.Array, border: int = 255
) -> jax.Array:
    """`ssim_gauss` of 256x176 images with 40 white columns on either side, or of
    another grey level. PATN scores DeepFashion so: its photos are the middle of white
    256x256 ones. The border is the same in both images and lifts the figure."""
    if target.shape[1:3] != PADDED_FROM:
        raise ValueError(
            "ssim_gauss_padded is defined for images of 256x176 pixels, got "
            f"{target.shape[1]}x{target.shape[2]}."
        )
    sides = ((0, 0), (0, 0), (_PADDING, _PADDING), (0, 0))
    wide = [jnp.pad(x, sides, constant_values=border) for x in (generated, target)]
    return ssim_gauss(*wide)


def staged(function: Callable) -> Callable:
    """A function whose results are complete before they are used. On the CPU, XLA would
    fuse one pass over an image into the next and compute the 11 rows of a window again
    for each of its 11 columns (it drops optimization barriers before it fuses), and run
    several metrics at once, whose arrays push each other out of the cache."""
    compiled = jax.jit(function)

    def call(*arguments):
        with contextlib.ExitStack() as stack:
            if jax.default_backend() == "cpu":
                stack.enter_context(xla_metadata.set_xla_metadata(inlineable="false"))
            return compiled(*arguments)

    return call


class _Moments(NamedTuple):
    """What SSIM asks of two images in each window. Of the variances it needs only their
    sum, one window sum less to compute."""

    mean_x: jax.Array
    mean_y: jax.Array
    variances: jax.Array  # of both images, added
    covariance: jax.Array


def _uniform(generated: jax.Array, target: jax.Array, window: int) -> jax.Array:
    """Mean SSIM [B] in uniform windows of an odd side up to 127 pixels."""
    x, y = _batch_last(generated, target, window, jnp.int32)
    sums = [_window_sum(z, window) for z in (x, y, x * x + y * y, x * y)]

    def similarity(*sums: jax.Array) -> jax.Array:
        return _similarity(_sample_moments(*sums, count=window * window), 255.0)

    return _mean(staged(similarity)(*sums))


def _batch_last(
    generated: jax.Array, target: jax.Array, window: int, dtype: Any
) -> list[jax.Array]:
    """Both images as [H, W, 3, B], if they are uint8 and as large as the window."""
    if not generated.dtype == target.dtype == jnp.uint8:
        given = f"{generated.dtype} and {target.dtype}"
        raise ValueError(f"SSIM takes uint8 images, got {given}.")
    height, width = target.shape[1:3]
    if min(height, width) < window:
        size = f"{window}x{window}"
        raise ValueError(
            f"SSIM of {size} windows needs images of at least {size} pixels, got "
            f"{height}x{width}."
        )
    return [jnp.transpose(x, (1, 2, 3, 0)).astype(dtype) for x in (generated, target)]


def _mean(similarity: jax.Array) -> jax.Array:
    height, width = similarity.shape[:2]
    columns = staged(functools.partial(jnp.sum, axis=0))(similarity)
    return columns.sum(axis=(0, 1)) / (3 * height * width)


def _similarity(moments: _Moments, data_range: jax.Array | float) -> jax.Array:
    """SSIM of each window, [H', W', 3, B]."""
    c1, c2 = ((k * data_range) ** 2 for k in (0.01, 0.03))
    x, y = moments.mean_x, moments.mean_y
    alike = (2 * x * y + c1) * (2 * moments.covariance + c2)
    return alike / ((x * x + y * y + c1) * (moments.variances + c2))


def _window_sum(x: jax.Array, window: int) -> jax.Array:
    for size in ((window, 1, 1, 1), (1, window, 1, 1)):
        x = jax.lax.reduce_window(x, 0, jax.lax.add, size, (1, 1, 1, 1), "VALID")
    return x


def _sample_moments(sum_x, sum_y, sum_squares, sum_xy, *, count: int) -> _Moments:
    """Moments from whole sums, taken about the grey levels next to the means. About
    zero, float32 would lose the difference of two large squares. The integers may
    overflow on the way; their differences, below 2^31, are right again."""
    mean_x, mean_y = sum_x / count, sum_y / count
    p, q = jnp.round(mean_x).astype(jnp.int32), jnp.round(mean_y).astype(jnp.int32)
    rest_x, rest_y = sum_x - count * p, sum_y - count * q
    squares = sum_squares - p * (sum_x + rest_x) - q * (sum_y + rest_y)
    products = sum_xy - q * sum_x - p * rest_y
    return _Moments(
        mean_x,
        mean_y,
        (squares - (rest_x * rest_x + rest_y * rest_y) / count) / (count - 1),
        (products - rest_x * rest_y / count) / (count - 1),
    )


def _gauss_rows(x: jax.Array, y: jax.Array) -> _Moments:
    """Weighted moments over 11 rows, the means relative to the middle row: differences
    from it keep float32 exact where the image is flat, however bright."""
    return _gauss_moments(_from_middle(x, 0), _from_middle(y, 0))


def _gauss_columns(x: jax.Array, y: jax.Array, rows: _Moments) -> _Moments:
    """Moments of 11x11 windows from those of 11 rows, by the law of total variance."""
    inside = slice(_RADIUS, -_RADIUS)
    x, y = x[inside], y[inside]

    def differences(image, mean):
        pairs = zip(_from_middle(image, 1), _from_middle(mean, 1), strict=True)
        return [a + b for a, b in pairs]

    within = [_weighted(_taps(z, 1)) for z in rows[2:]]
    moved = differences(x, rows.mean_x), differences(y, rows.mean_y)
    between = _gauss_moments(*moved, within)
    mean_x = (x + rows.mean_x)[:, inside] + between.mean_x
    mean_y = (y + rows.mean_y)[:, inside] + between.mean_y
    return between._replace(mean_x=mean_x, mean_y=mean_y)


def _gauss_moments(
    dx: list[jax.Array], dy: list[jax.Array], within=(0.0, 0.0)
) -> _Moments:
    """Moments of the taps, plus what variances and covariance each tap has within."""
    x, y = _weighted(dx), _weighted(dy)
    pairs = list(zip(dx, dy, strict=True))
    squares = _weighted([a * a + b * b for a, b in pairs])
    products = _weighted([a * b for a, b in pairs])
    variances = squares - (x * x + y * y) + within[0]
    return _Moments(x, y, variances, products - x * y + within[1])


def _taps(x: jax.Array, axis: int) -> list[jax.Array]:
    """The image as each of the 11 places of a window sees it."""
    size, cut = x.shape[axis] - 2 * _RADIUS, jax.lax.slice_in_dim
    return [cut(x, k, k + size, axis=axis) for k in range(GAUSS_WINDOW)]


def _from_middle(x: jax.Array, axis: int) -> list[jax.Array]:
    taps = _taps(x, axis)
    return [tap - taps[_RADIUS] for tap in taps]


def _weighted(taps: list[jax.Array]) -> jax.Array:
    terms = [weight * tap for weight, tap in zip(_WEIGHTS, taps, strict=True)]
    return functools.reduce(jnp.add, terms)
