"""States of step 0 with weights drawn by numpy; `train_state.create` is a program that
is compiled for seconds."""

import dataclasses
import math

import jax
import numpy as np

from pg2_jax import train_state


def of(architecture, optimizer, seed=0, *, averaged=False):
    """The state that `train_state.create` gives, but for the random numbers."""
    shapes = jax.eval_shape(
        lambda: train_state.create(architecture, optimizer, 0, averaged=averaged)
    )
    return like(shapes, seed)


def like(shapes, seed=0):
    """A state of these shapes: Glorot-uniform kernels, scales of one, else zeros."""
    rng = np.random.default_rng(seed)

    def player(shapes):
        if shapes is None:
            return None
        params = jax.tree_util.tree_map_with_path(
            lambda path, x: _weight(rng, path[-1].key, x), shapes.params
        )
        zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
        average = zeros.average
        if average:
            # A copy: the steps give the memory of the old state away, each array once.
            copy = jax.tree.map(np.copy, params)
            average = dataclasses.replace(average, params=copy)
        return dataclasses.replace(zeros, params=params, average=average)

    names = ("coarse", "refine", "discriminator")
    players = {name: player(getattr(shapes, name)) for name in names}
    return train_state.TrainState(step=np.zeros((), np.int32), **players)


def _weight(rng, name, shape):
    if name != "kernel":
        return np.full(shape.shape, name == "scale", shape.dtype)
    fans = math.prod(shape.shape[:-2]) * sum(shape.shape[-2:])
    bound = math.sqrt(6 / fans)
    return rng.uniform(-bound, bound, shape.shape).astype(shape.dtype)
