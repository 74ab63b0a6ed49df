"""The trainings that are measured: the programs of --mode=train with the flags of the
paper and of pg2plus."""

import pathlib

from experiments import command_line
from experiments.benchmark.accelerator import plan
from experiments.config import Config

# Of the paper's networks and of pg2plus: the flagfile, and the width it has.
RUNS = {
    "paper": ("market1501_paper.flags", 128),
    "pg2plus": ("market1501_plus.flags", 64),
}
_FLAGFILES = pathlib.Path(__file__).parents[2] / "flagfiles"
_OF_D = 64  # channels of D in both


def flags(
    settings: plan.Settings,
    run: str,
    *,
    precision: str,
    steps_per_call: int,
    size: tuple[int, int] | None = None,
    batch_size: int | None = None,
) -> list[str]:
    """The flags of one of `RUNS`, its widths scaled; for the settings' size and batch
    unless others are given. Nothing is written but the log and the last checkpoint."""
    file, channels = RUNS[run]
    height, width = size or settings.image_size
    return [
        f"--flagfile={_FLAGFILES / file}",
        f"--image_size={height}x{width}",
        f"--batch_size={batch_size or settings.batch_size}",
        f"--base_channels={settings.wide(channels)}",
        f"--discriminator_channels={settings.wide(_OF_D)}",
        f"--precision={precision}",
        f"--steps_per_call={steps_per_call}",
        f"--log_every={steps_per_call}",
        "--picture_every=0",
        f"--checkpoint_every={100_000 * steps_per_call}",
    ]


def config(words: list[str]) -> Config:
    """The config of a training that is compiled and timed without data."""
    return command_line.parse([*words, "--data_dir=none", "--workdir=none"])
