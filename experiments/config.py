"""The settings of a run: one field = default + help + rules = one flag. Without jax, so
that --help and mistakes are answered at once."""

import dataclasses
import os
import pathlib
from typing import Any

from data_prep import command_line, flag_fields
from experiments.options import modes
from experiments.options.evaluation import EvaluationOptions
from experiments.options.generation import GenerationOptions
from experiments.options.training import TrainingOptions
from pg2_jax import files


# A dataclass has the fields of its last base first.
@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(GenerationOptions, EvaluationOptions, TrainingOptions):
    """Immutable and validated; code below `main` never reads flags."""

    def __post_init__(self):
        flag_fields.check(self)
        for name in ("image_size", "pose_size"):
            if getattr(self, name):
                files.parse_size(name, getattr(self, name))
        for name in self.needed():
            if not getattr(self, name):
                raise ValueError(f"--{name} is required with --mode={self.mode}.")
        flag_fields.check_together(self)
        self.check_processes()
        self.check_evaluation()
        self._check_addresses()
        self._check_output()
        self.check_poses()
        self.check_calls()

    def _check_addresses(self) -> None:
        """Checks that what is in cloud storage or on the Hub is a model in one file."""
        of_models = () if self.generated_dir else modes.OF_A_CHECKPOINT
        for name, takers in (("workdir", of_models), ("output", ("export",))):
            value = getattr(self, name)
            if value.startswith(modes.ADDRESSES) and self.mode not in takers:
                raise ValueError(
                    f"--{name}={value} must be a folder on a disk of this machine with "
                    f"--mode={self.mode}. Addresses are for data sets (--data_dir) and "
                    "for models in one file (--init_from, --workdir of --mode="
                    f"{', '.join(modes.OF_A_CHECKPOINT)}, --output of --mode=export)."
                )

    def _check_output(self) -> None:
        if self.mode != "evaluate" or self.generated_dir:
            return
        # Of several processes one writes, perhaps where the others cannot.
        if self.output and not self.coordinator_address:
            output = pathlib.Path(self.output)
            command_line.check_folder("--output", output, empty=False)
        is_address = self.workdir.startswith(modes.ADDRESSES)
        if not self.output and (is_address or os.path.isfile(self.workdir)):
            raise ValueError(
                f"--workdir={self.workdir} is a model in a file; --output says in "
                "which folder to write its scores."
            )

    @property
    def flag_of(self) -> dict[str, str]:
        """The flags of the library's arguments in this mode."""
        return {**flag_fields.names(self), **modes.MODES[self.mode].flag_of}

    @property
    def how_to_restore(self) -> dict[str, Any]:
        """Arguments of what restores generators; bfloat16 alone changes precision."""
        return {
            "step": self.wanted_checkpoint,
            "weights": self.weights,
            "precision": self.precision if self.precision == "bfloat16" else "",
        }

    def with_size(self, height: int, width: int) -> "Config":
        """The config for images of this size, a data set's or a checkpoint's."""
        size = f"{height}x{width}"
        given = self.image_size and files.parse_size("image_size", self.image_size)
        if given and given != (height, width):
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
