"""Runs without a training: a checkpoint of networks as they are drawn at random."""

import dataclasses

import jax
import jax.numpy as jnp

from experiments.config import Config
from experiments.train import history, training_steps
from pg2_jax import sharding
from pg2_jax.checkpoint import checkpointer
from pg2_jax.input_pipeline import pair_reader
from tests.pg2_jax import drawn_state


def write(config: Config, step: int = 0, *, drawn_with: int | None = None) -> None:
    """Writes checkpoint and config.json of a run into its workdir; the weights are
    drawn with the run's seed or with another."""
    dataset = pair_reader.PairDataset(config.data_dir)
    config = config.with_size(dataset.height, dataset.width)
    mesh = sharding.data_mesh()
    state = drawn_state.like(
        training_steps.state_shapes(config),
        seed=config.seed if drawn_with is None else drawn_with,
    )
    state = jax.device_put(state, sharding.replicated(mesh))
    stored = {**config.to_json(), "data": dataset.metadata}
    saver = checkpointer.Checkpointer(config.workdir, stored)
    saver.save(dataclasses.replace(state, step=jnp.full_like(state.step, step)))
    saver.close()
    history.write_config(config.workdir, stored, step)
