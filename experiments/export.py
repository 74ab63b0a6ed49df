"""--mode=export: the model of a run as one file, or on the Hugging Face Hub."""

import pathlib

from data_prep import command_line
from experiments.config import Config
from experiments.options import modes
from pg2_jax.checkpoint.run_folder import HUB
from pg2_jax.inference import exported_model, pose_transfer


def export(config: Config) -> None:
    """Writes the generators of --workdir into --output, or uploads them."""
    to_hub = config.output.startswith(HUB)
    if to_hub and config.format != "safetensors":
        raise ValueError(
            f"--output={config.output} needs --format=safetensors, got "
            f"--format={config.format}."
        )
    if not to_hub:
        exported_model.check_path(config.output, config.format)
    if not config.output.startswith(modes.ADDRESSES):
        command_line.check_file("--output", pathlib.Path(config.output))
    model = pose_transfer.PoseTransfer.restore(config.workdir, **config.how_to_restore)
    if to_hub:
        metrics = pathlib.Path(config.workdir, "metrics.json")
        where = model.push_to_hub(
            config.output.removeprefix(HUB),
            metrics=metrics if metrics.is_file() else None,
            dtype=config.dtype,
        )
    else:
        where = config.output
        model.export(where, config.format, config.dtype)
    print(f"Wrote step {model.step} of {config.workdir} in {config.dtype}: {where}")
