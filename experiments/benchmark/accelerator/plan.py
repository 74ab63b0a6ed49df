"""The parts of the measurement, how long each may take, and what each is told."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from experiments.benchmark import accelerator

# In this order, each with its share of the time. What a part leaves goes to those
# after it.
SHARES = {
    "machine": 0.04,
    "equality": 0.16,
    "ceilings": 0.04,
    "our_speed": 0.27,
    "torch_speed": 0.15,
    "training": 0.34,
}
TITLES = {
    "machine": "The machine",
    "equality": "Equality with the CPU",
    "ceilings": "Ceilings: copies and matrix products",
    "our_speed": "Speed of pg2_jax",
    "torch_speed": "Speed of PyTorch on the same device",
    "training": "Two trainings, stopped and resumed",
}
# By name of the schedule, minutes on one H200.
GOALS = {"Market-1501": 10, "DeepFashion": 60}
SHARE_GOAL = 0.4  # of the measured rate of a matrix product
_BATCH, _LARGE_BATCH, _STEPS_PER_CALL, _CALLS = 16, 8, 20, 100


class LeftOut(Exception):
    """A part cannot be measured here; the message says why."""


def module(part: str) -> str:
    """The module of a part, which has measure(settings, report)."""
    return f"{accelerator.__name__}.{part}"


def limit(part: str, seconds_left: float) -> float:
    """The seconds that a part may take, of those that are left for it and all after
    it."""
    names = list(SHARES)
    later = sum(SHARES[name] for name in names[names.index(part) :])
    return seconds_left * SHARES[part] / later


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
    facts: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Settings":
        """Those that JSON holds."""
        return cls(**stored | {"image_size": tuple(stored["image_size"])})

    @property
    def temporary(self) -> pathlib.Path:
        return pathlib.Path(self.folder)

    @property
    def is_rehearsal(self) -> bool:
        """Whether the work is smaller than what is to be measured."""
        return self.scale < 1

    @property
    def batch_size(self) -> int:
        """Pairs in a batch: the paper's on Market-1501."""
        return max(2, round(_BATCH * self.scale))

    @property
    def large_size(self) -> tuple[int, int]:
        """Height and width of DeepFashion's images where the others are 128x64."""
        return 2 * self.image_size[0], 4 * self.image_size[1]

    @property
    def large_batch_size(self) -> int:
        """Pairs in a batch of those: the paper's on DeepFashion."""
        return max(2, round(_LARGE_BATCH * self.scale))

    @property
    def steps_per_call(self) -> int:
        """Of the calls of several steps."""
        return max(2, round(_STEPS_PER_CALL * self.scale))

    @property
    def calls(self) -> int:
        """Of a training's first stage; its second has half as many."""
        return max(6, round(_CALLS * self.scale))

    @property
    def least_seconds(self) -> float:
        """Of one measurement, so that the clock is exact enough."""
        return 0.5 * min(1.0, self.scale)

    def wide(self, channels: int) -> int:
        return max(1, round(channels * self.scale))
