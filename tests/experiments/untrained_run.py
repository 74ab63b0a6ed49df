"""Runs without a training: a checkpoint of networks as they are drawn at random."""

import dataclasses

import jax
import jax.numpy as jnp

from experiments.config import Config
from experiments.train import history
from pg2_jax import train_state
from pg2_jax.checkpoint import checkpointer, restore
from pg2_jax.input_pipeline import pair_reader


def write(config: Config, step: int = 0) -> None:
    """Writes checkpoint and config.json of a run into its workdir."""
    dataset = pair_reader.PairDataset(config.data_dir)
    config = config.with_size(dataset.height, dataset.width)
    architecture = restore.architecture_of(config.to_json())
    optimizer = train_state.make_optimizer(config.learning_rate)
    create = jax.jit(lambda: train_state.create(architecture, optimizer, config.seed))
    stored = {**config.to_json(), "data": dataset.metadata}
    saver = checkpointer.Checkpointer(config.workdir, stored)
    saver.save(dataclasses.replace(create(), step=jnp.asarray(step)))
    saver.close()
    history.write_config(config.workdir, stored, step)
