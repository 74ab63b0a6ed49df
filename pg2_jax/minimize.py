"""Updates of a network by the gradient of a loss, of a whole batch or part by part."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from pg2_jax.objective import Objective
from pg2_jax.train_state import Player

PyTree = Any
Metrics = dict[str, jax.Array]


def minimize(
    loss_of: Callable[[PyTree, PyTree], tuple[jax.Array, Metrics]],
    player: Player,
    examples: PyTree,
    objective: Objective,
) -> tuple[Player, Metrics]:
    """One update of a player by the gradient of its loss (params, examples) -> (loss
    [], metrics), means over the examples; and the metrics."""
    gradient_of = _mean_of_parts(
        jax.grad(loss_of, has_aux=True), objective.grad_accumulation
    )
    gradients, metrics = gradient_of(player.params, examples)
    updated = player.update(gradients, objective.optimizer, objective.ema_decay)
    return updated, metrics


def _mean_of_parts(
    function: Callable[[PyTree, PyTree], PyTree], parts: int
) -> Callable[[PyTree, PyTree], PyTree]:
    """(params, examples) -> mean over the batch, computed part by part."""
    if parts == 1:
        return function

    def mean(params: PyTree, examples: PyTree) -> PyTree:
        split = _split(examples, parts)
        shapes = jax.eval_shape(function, params, jax.tree.map(lambda x: x[0], split))
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def add(total: PyTree, part: PyTree) -> tuple[PyTree, None]:
            return jax.tree.map(jnp.add, total, function(params, part)), None

        total, _ = jax.lax.scan(add, zeros, split)
        return jax.tree.map(lambda x: x / parts, total)

    return mean


def map_parts(
    function: Callable[[PyTree], jax.Array], examples: PyTree, parts: int
) -> jax.Array:
    """The function of a batch, [B, ...] -> [B, ...], computed part by part."""
    if parts == 1:
        return function(examples)
    mapped = jax.lax.map(function, _split(examples, parts))
    return jnp.swapaxes(mapped, 0, 1).reshape(-1, *mapped.shape[2:])


def _split(examples: PyTree, parts: int) -> PyTree:
    """[B, ...] -> [parts, B / parts, ...].

    A part takes every n-th example, so that each device has its share of every part
    and no example moves.
    """

    def split(x: jax.Array) -> jax.Array:
        x = x.reshape(x.shape[0] // parts, parts, *x.shape[1:])
        return jnp.swapaxes(x, 0, 1)

    return jax.tree.map(split, examples)
