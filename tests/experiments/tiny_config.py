"""The config that the tests of the programs share."""

from experiments.config import Config


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
