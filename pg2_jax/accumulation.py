"""A batch worked off in parts, for batches that do not fit the memory at once."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def mean_gradients(
    loss_of: Callable[[PyTree, PyTree], tuple[jax.Array, PyTree]],
    params: PyTree,
    examples: PyTree,
    parts: int,
) -> tuple[PyTree, PyTree]:
    """The gradient of a mean over a batch, as the mean of the gradients of its parts.

    Args:
        loss_of: (params, examples) -> (loss [], metrics), means over the examples.
        params: what the gradient is taken by.
        examples: arrays with leading axis B.
        parts: divides B; 1 computes on the whole batch.

    Returns:
        Gradients like `params`, and the metrics; both are means over the parts.
    """
    gradient_of = jax.grad(loss_of, has_aux=True)
    if parts == 1:
        return gradient_of(params, examples)
    split = _split(examples, parts)
    shapes = jax.eval_shape(gradient_of, params, jax.tree.map(lambda x: x[0], split))
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def add(total: PyTree, part: PyTree) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, gradient_of(params, part)), None

    total, _ = jax.lax.scan(add, zeros, split)
    return jax.tree.map(lambda x: x / parts, total)


def mapped(
    function: Callable[[PyTree], jax.Array], examples: PyTree, parts: int
) -> jax.Array:
    """The function of a batch, [B, ...] -> [B, ...], computed part by part."""
    if parts == 1:
        return function(examples)
    done = jax.lax.map(function, _split(examples, parts))
    return jnp.swapaxes(done, 0, 1).reshape(-1, *done.shape[2:])


def _split(examples: PyTree, parts: int) -> PyTree:
    """[B, ...] -> [parts, B / parts, ...].

    A part takes every n-th example, so that each device has its share of every part
    and no example moves.
    """

    def split(x: jax.Array) -> jax.Array:
        x = x.reshape(x.shape[0] // parts, parts, *x.shape[1:])
        return jnp.swapaxes(x, 0, 1)

    return jax.tree.map(split, examples)
