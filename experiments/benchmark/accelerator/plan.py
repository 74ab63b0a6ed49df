"""The parts of the measurement, how long each may take, and what each is told."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from experiments import command_line
from experiments.config import Config

# In this order, each with its title and its share of the time. What a part leaves goes
# to those after it.
PARTS = {
    "machine": ("The machine", 0.04),
    "equality": ("Equality with the CPU", 0.16),
    "ceilings": ("Ceilings: copies and matrix products", 0.04),
    "our_speed": ("Speed of pg2_jax", 0.27),
    "torch_speed": ("Speed of PyTorch on the same device", 0.15),
    "training": ("Two trainings, stopped and resumed", 0.34),
}
# By name of the schedule, minutes on one H200.
GOALS = {"Market-1501": 10, "DeepFashion": 60}
SHARE_GOAL = 0.4  # of the measured rate of a matrix product
# The trainings that are measured: the flagfile, and the width it has.
RUNS = {
    "paper": ("market1501_paper.flags", 128),
    "pg2plus": ("market1501_plus.flags", 64),
}
_FLAGFILES = pathlib.Path(__file__).parents[2] / "flagfiles"


class LeftOut(Exception):
    """A part cannot be measured here; the message says why."""


def limit(part: str, seconds_left: float) -> float:
    """The seconds that a part may take, of those that are left for it and all after
    it."""
    shares = [share for _, share in PARTS.values()]
    here = list(PARTS).index(part)
    return seconds_left * shares[here] / sum(shares[here:])


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a part is told: `scale` of the networks' widths and of the work, 1 for the
    paper's; (height, width) of the images; how often to measure; a folder for temporary
    files, and one for pictures; the facts of the parts before, by part."""

    scale: float
    image_size: tuple[int, int]
    repeats: int
    folder: str
    output: str
    facts: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Settings":
        """Those that JSON holds."""
        return cls(**stored | {"image_size": tuple(stored["image_size"])})

    @property
    def is_rehearsal(self) -> bool:
        """Whether the work is smaller than what is to be measured."""
        return self.scale < 1

    @property
    def batch_size(self) -> int:
        """The paper's on Market-1501."""
        return self.scaled(16, least=2)

    @property
    def large_size(self) -> tuple[int, int]:
        """Height and width of DeepFashion's images where the others are 128x64."""
        return 2 * self.image_size[0], 4 * self.image_size[1]

    @property
    def large_batch_size(self) -> int:
        """The paper's on DeepFashion."""
        return self.scaled(8, least=2)

    @property
    def steps_per_call(self) -> int:
        """Of the calls of several steps."""
        return self.scaled(20, least=2)

    @property
    def calls(self) -> int:
        """Of a training's first stage; its second has half as many."""
        return self.scaled(100, least=6)

    @property
    def least_seconds(self) -> float:
        """Of one measurement, so that the clock is exact enough."""
        return 0.5 * min(1.0, self.scale)

    def scaled(self, full: int, least: int = 1) -> int:
        return max(least, round(full * self.scale))


def flags(
    settings: Settings,
    run: str,
    *,
    precision: str,
    steps_per_call: int | None = None,
    size: tuple[int, int] | None = None,
    batch_size: int | None = None,
) -> list[str]:
    """The flags of --mode=train for one of `RUNS`, its widths scaled; with what the
    settings say unless it is given. Nothing is written but the log and the last
    checkpoint."""
    file, channels = RUNS[run]
    height, width = size or settings.image_size
    steps = steps_per_call or settings.steps_per_call
    return [
        f"--flagfile={_FLAGFILES / file}",
        f"--image_size={height}x{width}",
        f"--batch_size={batch_size or settings.batch_size}",
        f"--base_channels={settings.scaled(channels)}",
        f"--discriminator_channels={settings.scaled(64)}",
        f"--precision={precision}",
        f"--steps_per_call={steps}",
        f"--log_every={steps}",
        "--picture_every=0",
        f"--checkpoint_every={100_000 * steps}",
    ]


def config(words: list[str]) -> Config:
    """The config of a training that is compiled and timed without data."""
    return command_line.parse([*words, "--data_dir=none", "--workdir=none"])
