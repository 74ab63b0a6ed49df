"""Holes of photos, filled with averages of what is around, differentiably."""

import jax
import jax.numpy as jnp

from pg2_jax.pg2plus import sampling

# Cells are up to 4 times as wide as tall, and smoothed so often.
_FLAT_LEVELS, _SMOOTHINGS = 2, 2


def without_person(image: jax.Array, free: jax.Array) -> jax.Array:
    """A photo [B, H, W, C] whose person is painted over with what is around: where the
    `background` [B, H, W, 1] is not free, averages of the free pixels, nearer ones
    first (pull-push, Gortler et al., "The Lumigraph", 1996). What is beside a person
    counts before what is above: walls and floors go on sideways."""
    pyramid = [(image * free, free)]
    while max(pyramid[-1][0].shape[1:3]) > 1:
        pyramid.append(_coarser(*pyramid[-1], flat=len(pyramid) <= _FLAT_LEVELS))
    mean, weight = pyramid.pop()
    filled = mean / jnp.maximum(weight, 1e-6)
    while pyramid:
        mean, weight = pyramid.pop()
        # What is free keeps its share; the rest is what is known farther away.
        filled = mean + (1.0 - weight) * sampling.enlarged(filled, *mean.shape[1:3])
        for _ in range(_SMOOTHINGS):
            filled = mean + (1.0 - weight) * _of_neighbours(filled)
    return filled


def _coarser(
    mean: jax.Array, weight: jax.Array, flat: bool
) -> tuple[jax.Array, jax.Array]:
    """A level of half the width and, if not `flat`, half the height. One free pixel
    makes a cell count in full: its edge would take on the colour of afar else."""
    cell = (1, 1 if flat and mean.shape[2] > 1 else 2, 2, 1)
    total, weights = (
        jax.lax.reduce_window(x, 0.0, jax.lax.add, cell, cell, "SAME")
        for x in (mean, weight)
    )
    full = jnp.minimum(weights, 1.0)
    return total * (full / jnp.maximum(weights, 1e-6)), full


def _of_neighbours(x: jax.Array) -> jax.Array:
    """The mean of the four pixels around each; beyond the border is the border."""
    tall = jnp.concatenate([x[:, :1], x, x[:, -1:]], axis=1)
    wide = jnp.concatenate([x[:, :, :1], x, x[:, :, -1:]], axis=2)
    return (tall[:, :-2] + tall[:, 2:] + wide[:, :, :-2] + wide[:, :, 2:]) / 4
