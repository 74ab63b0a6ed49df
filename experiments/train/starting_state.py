"""The state that a training starts from: of its newest checkpoint, of another run, of
a model in a file, or new."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from experiments import config_compatibility, processes
from experiments.config import Config
from experiments.evaluate import evaluate
from experiments.train import training_steps
from pg2_jax.checkpoint import restore, run_folder
from pg2_jax.checkpoint.checkpointer import Checkpointer
from pg2_jax.input_pipeline.pair_reader import PairDataset
from pg2_jax.train_state import TrainState


def find(config: Config, dataset: PairDataset, saver: Checkpointer) -> TrainState:
    """The newest checkpoint of the run; for a new run new weights, or those of the run
    that --coarse_from or --init_from names. Every device of the mesh has the whole."""
    before = saver.latest_config()
    config_compatibility.check_unchanged(before, config, dataset.metadata)
    if before is not None:
        return saver.restore_latest(training_steps.state_shapes(config))
    new = training_steps.first_state(config)
    if config.init_from:
        return _begun_with(config, new)
    if not (other := config.coarse_from):
        return new
    step, stored = restore.latest_config(other, "coarse_from")
    config_compatibility.check_stage_one(step, stored, config, dataset.metadata)
    processes.say(f"{config.workdir}: stage I is that of {other}")
    return dataclasses.replace(
        new,
        step=jnp.full_like(new.step, config.coarse_steps),
        coarse=restore.restore_coarse(other, new.coarse),
    )


def _begun_with(config: Config, new: TrainState) -> TrainState:
    """A new run's state with the networks of --init_from, of which files have no D."""
    other, wanted = config.init_from, config.wanted_checkpoint
    if not run_folder.is_model(other, "init_from"):
        step, stored = restore.latest_config(other, "init_from", wanted)
        _check_networks(stored, config, f"step {step} of {other}")
        return restore.restore_networks(other, step, new)
    if wanted is not None:
        raise ValueError(
            f"--init_from={other} is a single model; --checkpoint and "
            "--checkpoint_step are for runs."
        )
    advice = "take the .safetensors of its run"
    model = evaluate.read_file("init_from", other, advice)
    _check_networks(model.config, config, f"step {model.step} of {other}, with a new D")
    return dataclasses.replace(
        new,
        coarse=new.coarse.with_weights(model.coarse),
        refine=new.refine and new.refine.with_weights(model.refine),
    )


def _check_networks(stored: dict[str, Any], config: Config, where: str) -> None:
    config_compatibility.check_init_from(stored, config)
    processes.say(f"{config.workdir}: begins with the networks of {where}")
