"""The state that a session of training begins with: new, or from checkpoints."""

import dataclasses

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
    mesh: Mesh,
) -> train_state.TrainState:
    """The newest checkpoint of the run; for a new run new weights, or those of the run
    that --coarse_from or --init_from names. Every device of the mesh has the whole."""
    before = checkpoints.latest_config()
    config_compatibility.check_unchanged(before, config, dataset.metadata)
    new = training_steps.first_state(config, architecture, mesh)
    state = checkpoints.restore_latest(new)
    if (other := config.coarse_from) and not int(state.step):
        step, stored = restore.latest_config(other, "coarse_from")
        config_compatibility.check_stage_one(step, stored, config, dataset.metadata)
        processes.say(f"{config.workdir}: stage I is that of {other}")
        state = dataclasses.replace(
            new,
            step=jnp.full_like(new.step, config.coarse_steps),
            coarse=restore.restore_coarse(other, new.coarse),
        )
    if (other := config.init_from) and before is None:
        wanted = config.wanted_checkpoint
        step, stored = restore.latest_config(other, "init_from", wanted)
        config_compatibility.check_init_from(stored, config)
        networks = f"the networks of step {step} of {other}"
        processes.say(f"{config.workdir}: begins with {networks}")
        state = restore.restore_networks(other, step, new)
    return state
