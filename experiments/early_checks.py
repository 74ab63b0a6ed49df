"""What is refused before jax, tensorflow and orbax are imported, which takes seconds.

Each rule is also one of the code that does the work, and is worded there; what cannot
be told here is left to it.
"""

import pathlib

from experiments import config_compatibility
from experiments.config import Config
from experiments.options import modes
from pg2_jax.checkpoint import run_folder
from pg2_jax.input_pipeline import description

# What compares the networks of a flagfile with those of a checkpoint.
_COMPARING = ("evaluate", "generate", "demo")


def check(config: Config) -> None:
    """Refuses, with a ValueError, a data set, a run or photos that are not there, and
    settings that are not those of the run."""
    if config.data_dir:
        description.find(config.data_dir)
    if config.mode == "generate":
        for name in ("source_image", "source_pose"):
            path = getattr(config, name)
            if path and not pathlib.Path(path).exists():
                raise ValueError(f"--{name}={path}: there is no such file or folder.")
    if config.mode == "train":
        _check_training(config)
    elif config.mode in modes.OF_A_CHECKPOINT and not config.generated_dir:
        if not config.workdir or run_folder.is_model(config.workdir):
            return
        run, _ = run_folder.run_of(config.workdir)
        run_folder.check_there(run, "workdir")
        stored = run_folder.newest_config(run)
        if stored is not None and config.mode in _COMPARING:
            config_compatibility.check_networks(stored, config)


def _check_training(config: Config) -> None:
    if run_folder.steps(config.workdir):
        data = description.read(config.data_dir)
        stored = run_folder.newest_config(config.workdir)
        if data is not None:
            config = config.with_size(data.height, data.width)
            config_compatibility.check_unchanged(stored, config, data.metadata)
        return
    if config.coarse_from:
        run_folder.check_there(config.coarse_from, "coarse_from")
    if config.init_from and not run_folder.is_model(config.init_from, "init_from"):
        run_folder.check_there(config.init_from, "init_from")
