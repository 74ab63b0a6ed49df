"""What training leaves, but with the weights that it begins with: in a second."""

import contextlib
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax import train_state
from pg2_jax.checkpoint import checkpointer, restore
from pg2_jax.input_pipeline import pair_reader


def save(config, step=None):
    """Writes the checkpoint of a step, the last where none is given, as --mode=train
    writes it."""
    dataset = pair_reader.PairDataset(config.data_dir)
    config = config.with_size(dataset.height, dataset.width)
    state = _create(restore.architecture_of(config.to_json()))(np.uint32(config.seed))
    step = config.total_steps if step is None else step
    state = dataclasses.replace(state, step=jnp.int32(step))
    stored = {**config.to_json(), "data": dataset.metadata}
    run = checkpointer.Checkpointer(config.workdir, stored)
    with contextlib.closing(run):
        run.save(state)


@functools.cache
def _create(architecture):
    """Of a seed; one program serves all seeds."""
    optimizer = train_state.make_optimizer(0.0)
    return jax.jit(functools.partial(train_state.create, architecture, optimizer))
