"""The settings of a run: one field = default + help = one flag (command_line.py).

No jax here: `--help` and mistakes in flags must be answered at once.
"""

import dataclasses
from typing import Any, Literal

from experiments import config_rules
from experiments.options.demo import DemoOptions
from experiments.options.devices import DeviceOptions
from experiments.options.evaluation import EvaluationOptions
from experiments.options.export import ExportOptions
from experiments.options.generation import GenerationOptions
from experiments.options.networks import NetworkOptions
from experiments.options.program import ProgramOptions
from experiments.options.report import ReportOptions
from experiments.options.reporting import ReportingOptions
from experiments.options.table1 import Table1Options
from experiments.options.training import TrainingOptions
from experiments.options.user_study import UserStudyOptions
from experiments.options.validation import ValidationOptions
from pg2_jax import files


# A dataclass has the fields of its last base first.
@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(
    UserStudyOptions,
    Table1Options,
    ReportOptions,
    DemoOptions,
    ExportOptions,
    GenerationOptions,
    EvaluationOptions,
    ReportingOptions,
    DeviceOptions,
    ValidationOptions,
    TrainingOptions,
    NetworkOptions,
    ProgramOptions,
):
    """Immutable and validated; code below `main` never reads flags."""

    def __post_init__(self):
        config_rules.check(self)

    @property
    def total_steps(self) -> int:
        """Steps of the stages together."""
        more = self.refine_steps if self.stages == "two_stage" else 0
        return self.coarse_steps + more

    @property
    def wanted_checkpoint(self) -> int | Literal["best"] | None:
        """The checkpoint that the flags ask for, as `checkpoint.restore` takes it."""
        if self.checkpoint_step >= 0:
            return self.checkpoint_step
        return "best" if self.checkpoint == "best" else None

    @property
    def drawing_precision(self) -> str:
        """What a checkpoint draws in: empty, its own, unless bfloat16 is asked for."""
        return "" if self.precision == "float32" else self.precision

    def with_size(self, height: int, width: int) -> "Config":
        """The config of a run on images of this size, a data set's or a checkpoint's.

        Raises:
            ValueError: --image_size says otherwise.
        """
        size = f"{height}x{width}"
        wanted = self.image_size and files.parse_size("image_size", self.image_size)
        if wanted and wanted != (height, width):
            raise ValueError(
                f"--image_size={self.image_size} disagrees with the images, which "
                f"are {size}."
            )
        return dataclasses.replace(self, image_size=size)

    def to_json(self) -> dict[str, Any]:
        """The fields, with the image size as two numbers, as checkpoints store it."""
        height, width = files.parse_size("image_size", self.image_size)
        sizes = {"image_height": height, "image_width": width}
        return dataclasses.asdict(self) | sizes
