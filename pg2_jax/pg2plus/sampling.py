"""Reading images at places between their pixels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

_RADIUS = 3  # pixels
_EVEN = 0.01  # the variance of colours in [-1, 1] below which there is no edge


def bilinear(image: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """Reads [B, h, w, C] at places [B, ...] to 1/256 pixel, beyond the border as at it;
    by one gather, from a table with the four neighbours of each pixel."""
    size, height, width, channels = image.shape
    right = jnp.concatenate([image[:, :, 1:], image[:, :, -1:]], axis=2)
    pair = jnp.concatenate([image, right], axis=-1)
    below = jnp.concatenate([pair[:, 1:], pair[:, -1:]], axis=1)
    table = jnp.concatenate([pair, below], axis=-1).reshape(size, height * width, -1)

    # The compiler may compute a place twice, with other roundings, to find the pixel
    # and to weigh it: 21.99999 and 22 would read the wrong neighbour.
    x, y = (jnp.round(place * 256) / 256 for place in (x, y))
    x, y = jnp.clip(x, 0.0, width - 1.0), jnp.clip(y, 0.0, height - 1.0)
    # Once, not for each channel.
    both = jax.lax.optimization_barrier(jnp.stack([x, y], axis=-1))
    x, y = both[..., 0], both[..., 1]
    left, top = jnp.floor(x), jnp.floor(y)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    index = (top * width + left).astype(jnp.int32).reshape(size, -1, 1)
    four = jnp.take_along_axis(table, index, axis=1, mode="promise_in_bounds")
    four = four.reshape(*x.shape, 4, channels)
    upper = four[..., 0, :] * (1 - fx) + four[..., 1, :] * fx
    lower = four[..., 2, :] * (1 - fx) + four[..., 3, :] * fx
    return upper * (1 - fy) + lower * fy


def on_photo(x: jax.Array, y: jax.Array, height: int, width: int) -> jax.Array:
    """How far on a photo places are: 1 on it, falling to 0 within a pixel beyond
    its border."""
    across, down = (
        jnp.clip(jnp.minimum(place + 1.0, size - place), 0.0, 1.0)
        for place, size in ((x, width), (y, height))
    )
    return across * down


def enlarged(image: jax.Array, height: int, width: int) -> jax.Array:
    """[B, h, w, C] in a size of that or more, bilinear: `jax.image.resize`, whose
    matrices are here made by numpy and need not be compiled."""
    rows = _interpolation(image.shape[1], height)
    columns = _interpolation(image.shape[2], width)
    tall = jnp.einsum("Hh,bhwc->bHwc", rows, image, precision="highest")
    return jnp.einsum("Ww,bHwc->bHWc", columns, tall, precision="highest")


def halved(x: jax.Array) -> jax.Array:
    """[B, H, W, C] -> the means of each 2x2 pixels."""
    return nn.avg_pool(x, (2, 2), (2, 2), "SAME", count_include_pad=False)


def along_edges(mask: jax.Array, photo: jax.Array, large: jax.Array) -> jax.Array:
    """A mask [B, h, w, 1] of a `photo` [B, h, w, 3] in [-1, 1] at the size of the same
    one, `large` [B, H, W, 3], with edges where the photo has its: the fast guided
    filter (He and Sun, 2015), by which a mask is linear in colours nearby."""

    # Of each pixel's window on the photo; by numpy, because XLA would count as long as
    # it adds.
    rows, columns = (_window_sizes(side) for side in photo.shape[1:3])
    count = (rows[:, None] * columns).reshape(1, *photo.shape[1:3], 1)

    def mean(x: jax.Array) -> jax.Array:
        side = 2 * _RADIUS + 1
        return nn.avg_pool(x, (side, side), padding="SAME") * (side**2 / count)

    def product(x: jax.Array, y: jax.Array) -> jax.Array:
        return (x[..., :, None] * y[..., None, :]).reshape(*x.shape[:3], 9)

    colour, level = mean(photo), mean(mask)
    variance = mean(product(photo, photo)) - product(colour, colour)
    variance += _EVEN * jnp.eye(3).reshape(1, 1, 1, 9)
    variance = variance.reshape(*photo.shape, 3)
    covariance = mean(photo * mask) - colour * level
    slope = jnp.linalg.solve(variance, covariance[..., None])[..., 0]
    offset = level - (slope * colour).sum(axis=-1, keepdims=True)
    slope, offset = (enlarged(mean(x), *large.shape[1:3]) for x in (slope, offset))
    return jnp.clip((slope * large).sum(axis=-1, keepdims=True) + offset, 0.0, 1.0)


def _window_sizes(side: int) -> np.ndarray:
    """How many pixels of a row are within the radius of each."""
    ends = np.minimum(np.arange(side) + _RADIUS, side - 1)
    return (ends - np.maximum(np.arange(side) - _RADIUS, 0) + 1).astype(np.float32)


def _interpolation(before: int, after: int) -> np.ndarray:
    """What share each old pixel has in each new one; [after, before] float32."""
    place = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    distance = np.abs(place[:, None] - np.arange(before))
    return np.maximum(0, 1 - distance).astype(np.float32)
