"""Runs of seconds that the tests of the programs share, and what is left of them."""

import contextlib

import jax
import numpy as np

from experiments.config import Config
from experiments.train import train
from pg2_jax.checkpoint import restore
from pg2_jax.input_pipeline import pair_reader


def make_config(pair_dataset, workdir, **changes):
    """A run of seconds: tiny networks, two steps in each stage."""
    return Config(
        **{
            "workdir": str(workdir),
            "data_dir": pair_dataset,
            "base_channels": 2,
            "bottleneck_size": 2,
            "discriminator_channels": 2,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "coarse_steps": 2,
            "refine_steps": 2,
            "log_every": 1,
            "picture_every": 2,
            "checkpoint_every": 2,
            "progress": False,
            **changes,
        }
    )


def state_of(config):
    """The whole last state of a run, optimizer and discriminator included; of a new run
    that which it would begin with."""
    dataset = pair_reader.PairDataset(config.data_dir, config.validation_share)
    config = config.with_size(dataset.height, dataset.width)
    architecture = restore.architecture_of(config.to_json())
    with contextlib.closing(train._Run(config, architecture, dataset)) as run:
        return run.state


def assert_equal(tree, other):
    """Fails unless two trees of arrays are equal bit for bit."""
    jax.tree.map(np.testing.assert_array_equal, tree, other)
