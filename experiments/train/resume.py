"""The state that a session of training begins with: new, or from checkpoints."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from jax.sharding import Mesh

from experiments import config_compatibility, processes
from experiments.config import Config
from experiments.train import training_steps
from pg2_jax import train_state
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import checkpointer, restore
from pg2_jax.input_pipeline import pair_reader


def restored(
    config: Config,
    architecture: Architecture,
    dataset: pair_reader.PairDataset,
    checkpoints: checkpointer.Checkpointer,
    stages: training_steps.Stages,
    mesh: Mesh,
) -> train_state.TrainState:
    """The newest checkpoint of the run; for a new run new weights, or those of the run
    that --coarse_from or --init_from names. Every device of the mesh has the whole.

    Raises:
        ValueError: the flags do not fit the checkpoints, or none can be read.
    """
    before = checkpoints.latest_config()
    config_compatibility.check_unchanged(before, config, dataset.metadata)
    new = training_steps.first_state(config, architecture, stages, mesh)
    state = checkpoints.restore_latest(new)
    if config.coarse_from and not int(state.step):
        state = _with_stage_one(new, config, dataset.metadata)
    if config.init_from and before is None:
        state = _with_networks(new, config)
    return state


def _with_stage_one(
    state: train_state.TrainState, config: Config, data: dict[str, Any]
) -> train_state.TrainState:
    """The state of step --coarse_steps, with G1 of the run --coarse_from."""
    step, stored = restore.latest_config(config.coarse_from, "coarse_from")
    config_compatibility.check_stage_one(step, stored, config, data)
    coarse = restore.restore_coarse(config.coarse_from, state.coarse)
    processes.say(f"{config.workdir}: stage I is that of {config.coarse_from}")
    at = jnp.full_like(state.step, config.coarse_steps)
    return dataclasses.replace(state, step=at, coarse=coarse)


def _with_networks(
    state: train_state.TrainState, config: Config
) -> train_state.TrainState:
    """The state of step 0 with the networks of the run --init_from."""
    step, stored = restore.latest_config(
        config.init_from, "init_from", config.wanted_checkpoint
    )
    config_compatibility.check_init_from(stored, config)
    processes.say(
        f"{config.workdir}: begins with the networks of step {step} of "
        f"{config.init_from}"
    )
    return restore.restore_networks(config.init_from, step, state)
