"""Pixel distances of generated and target images: uint8 [B, H, W, 3] twice -> float32
[B], by the formulas of PG2's score.py and score_mask.py."""

import jax
import jax.numpy as jnp


def l1(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Mean absolute difference in grey levels (score.py's L1)."""
    return _total(jnp.abs(_difference(generated, target))) / _values(target)


def l2(generated: jax.Array, target: jax.Array) -> jax.Array:
    """The root of the summed squares, by the number of values (score.py's L2), as the
    authors coded it: no mean squared error nor its root, smaller for larger images."""
    return jnp.sqrt(_squares(generated, target)) / _values(target)


def psnr(generated: jax.Array, target: jax.Array) -> jax.Array:
    """Peak signal-to-noise ratio in dB for the range 255; infinite for equal images."""
    mean = _squares(generated, target) / _values(target)
    return 10 * jnp.log10(255.0**2 / mean)


def body_l1(generated: jax.Array, target: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean absolute difference over the body alone, which unlike score_mask.py's does
    not shrink with the body; NaN where the mask [B, H, W, 1] in {0, 1} is empty."""
    distance = jnp.abs(_difference(generated, target)) * mask.astype(jnp.int32)
    return _total(distance) / (3.0 * mask.sum(axis=(1, 2, 3)))


def body_gradient(
    generated: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
    """How sharp the body is: the mean absolute difference of neighbours, across and
    down, as a share of the target's; below 1 where it is blurred, above where there is
    noise. Both neighbours are pixels of the body, whose outline does not count. NaN
    where the target's body is flat or the mask [B, H, W, 1] in {0, 1} is empty."""
    wanted = _gradient(target, mask)
    return jnp.where(wanted > 0, _gradient(generated, mask) / wanted, jnp.nan)


def _gradient(image: jax.Array, mask: jax.Array) -> jax.Array:
    """Sums [B] of the absolute differences of neighbours on the body. As many in both
    images, so that their means are as their sums."""
    image, body = image.astype(jnp.int32), mask.astype(jnp.int32)
    across = jnp.abs(jnp.diff(image, axis=2)) * body[:, :, 1:] * body[:, :, :-1]
    down = jnp.abs(jnp.diff(image, axis=1)) * body[:, 1:] * body[:, :-1]
    return _total(across) + _total(down)


def body_on_black(image: jax.Array, mask: jax.Array) -> jax.Array:
    """The image, uint8, with everything but the body black, as score_mask.py paints it.
    A masked metric is the metric of two such images: the black background counts."""
    return image * mask.astype(jnp.uint8)


def _difference(generated: jax.Array, target: jax.Array) -> jax.Array:
    return generated.astype(jnp.int32) - target.astype(jnp.int32)


def _squares(generated: jax.Array, target: jax.Array) -> jax.Array:
    return _total(jnp.square(_difference(generated, target)))


def _total(x: jax.Array) -> jax.Array:
    """Sums [B, H, W, 3] int32 to [B] float32: exactly along the rows, which have room
    for the squares of 11,000 pixels, and only then in floats."""
    return x.sum(axis=(2, 3)).astype(jnp.float32).sum(axis=1)


def _values(image: jax.Array) -> int:
    return image.shape[1] * image.shape[2] * image.shape[3]
