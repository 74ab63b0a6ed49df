"""Runs of seconds that the tests of the programs share, and what is left of them."""

import contextlib
import signal

import jax
import numpy as np

from experiments.config import Config
from experiments.train import train, training_steps
from pg2_jax.checkpoint import checkpointer, restore


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
            "picture_every": 0,
            "checkpoint_every": 2,
            "progress": False,
            **changes,
        }
    )


def state_of(config):
    """The whole state that a run has saved last, with optimizers and discriminator."""
    _, stored = restore.latest_config(config.workdir)
    architecture = restore.architecture_of(stored)
    size = architecture.image_height, architecture.image_width
    shapes = training_steps.state_shapes(config.with_size(*size))
    saver = checkpointer.Checkpointer(config.workdir, stored)
    return jax.device_get(saver.restore_latest(shapes))


def first_state_of(config):
    """The whole state that a run begins with."""
    states = []

    def note_and_stop(state):
        states.append(jax.device_get(state))
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        train.train(config, on_step=note_and_stop)
    return states[0]


def stop_after(steps):
    """For `on_step`: sends this process a signal after so many steps of a session."""
    first = []

    def on_step(state):
        first.append(int(state.step))
        if first[-1] - first[0] == steps:
            # To this thread: one to the process may come later under load.
            signal.raise_signal(signal.SIGTERM)

    return on_step


def assert_equal(tree, other):
    """Fails unless two trees of arrays are equal bit for bit."""
    jax.tree.map(np.testing.assert_array_equal, tree, other)
