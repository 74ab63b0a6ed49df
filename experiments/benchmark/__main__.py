"""Measures the speed of this code on this machine.

    python -m experiments.benchmark --what=data --scale=0.1 --repeats=9
    python -m experiments.benchmark --what=train --scale=0.25 --batch_size=8

data: builds a data set of Market-1501's size from random photos, and reads it back.
metrics: scores 12,000 pairs of images, beside the usual loop over scikit-image.
train: steps of both stages and generation, beside PG2 in PyTorch (pip install -e
".[benchmark]").
checkpoint: saves and restores the paper's model at 128x64.

Each measurement is repeated beside a bare form of the same work, in turns, because the
speed of a machine changes while others use it: compare the ratios. Prints a table and
writes a JSON file with the values of every repeat, the versions, the commit and the
hardware.
"""

import dataclasses
import functools
import importlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from absl import logging

from data_prep import command_line
from data_prep.flag_fields import option
<<<<<<< HEAD
=======
from experiments import results
>>>>>>> h/rd
from pg2_jax import files

# What tensorflow says of its kernels at import hides the progress and the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

<<<<<<< HEAD
# Each is a module with measure(folder, scale=, repeats=) -> Measurement.
_PROGRAMS = ("data", "metrics", "train", "checkpoint")

_train = functools.partial(option, group="With --what=train", needs=("what=train",))
=======
_train = functools.partial(option, group="Train", needs=("what=train",))
>>>>>>> h/rd


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
<<<<<<< HEAD
    """What to measure."""

    what: str = option("data", _PROGRAMS)
=======
    """What to measure, and where to write it."""

    # Each is a module with measure(folder, scale=, repeats=) -> Measurement.
    what: str = option("data", ("data", "metrics", "train", "checkpoint"))
>>>>>>> h/rd
    """What to measure."""
    scale: float = option(1.0, minimum=0.01, maximum=10)
    """Size of the work; 1 is Market-1501's 263,632 training pairs, 1.7 GB (data), its
    12,000 test pairs (metrics), or networks of the paper's widths (train,
    checkpoint)."""
    repeats: int = option(3, minimum=1)
    """How often to measure."""
    workdir: str = option("", path=True)
<<<<<<< HEAD
    """Folder on the disk to measure; default: the system's for temporary files. What is
    written there is removed."""
    output: str = option("benchmark_{what}.json", path=True)
    """Where to write the JSON file."""

=======
    """Folder on the disk to measure; default: the system's for temporary files. What
    is written there is removed."""
    output: str = option("benchmark_{what}.json", path=True)
    """Where to write the JSON file."""
>>>>>>> h/rd
    image_size: str = _train("128x64")
    """HEIGHTxWIDTH of the images."""
    batch_size: int = _train(4, minimum=1)
    """Pairs in a batch."""
    precision: str = _train("float32", ("float32", "bfloat16"))
    """What our convolutions compute in; PyTorch's stay float32."""
    torch_compile: bool = _train(True)
    """Measures PyTorch with torch.compile, too."""
    first_step: bool = _train(True)
    """Measures the time from start to first step, which compiles twice."""
<<<<<<< HEAD

    def of_training(self) -> dict[str, Any]:
        """The options of --what=train."""
        if self.what != "train":
            return {}
        return {
            "image_size": files.parse_size("image_size", self.image_size),
            "batch_size": self.batch_size,
            "precision": self.precision,
            "torch_compile": self.torch_compile,
            "first_step": self.first_step,
        }


def main(words: Sequence[str]) -> int:
    """Measures what the flags ask for; returns the exit code."""
    logging.set_verbosity(logging.ERROR)
    return command_line.run(words, Options, _measure, __doc__)


def _measure(options: Options) -> str:
    output = pathlib.Path(options.output.replace("{what}", options.what))
    if output.is_dir():
        raise ValueError(f"--output={output} is a folder, not a file")
    if not output.parent.is_dir():
        raise ValueError(f"--output={output}: there is no folder {output.parent}")
    workdir = options.workdir or None
    if workdir and not os.path.isdir(workdir):
        raise ValueError(f"--workdir={workdir}: there is no such folder")
    of_training = options.of_training()
    settings = {name: getattr(options, name) for name in ("what", "scale", "repeats")}
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=workdir) as folder:
        program = importlib.import_module(f"experiments.benchmark.{options.what}")
        measured = program.measure(
            pathlib.Path(folder),
            scale=options.scale,
            repeats=options.repeats,
            **of_training,
        )
    measured.print()
    measured.save(output, settings | of_training)
=======


def _run(options: Options) -> str:
    output = pathlib.Path(options.output.replace("{what}", options.what))
    results.check_folder("output", output)
    if options.workdir and not os.path.isdir(options.workdir):
        raise ValueError(f"--workdir={options.workdir}: there is no such folder")
    settings: dict[str, Any] = {"scale": options.scale, "repeats": options.repeats}
    if options.what == "train":
        names = "batch_size", "precision", "torch_compile", "first_step"
        settings |= {name: getattr(options, name) for name in names}
        settings["image_size"] = files.parse_size("image_size", options.image_size)
    program = importlib.import_module(f"experiments.benchmark.{options.what}")
    with tempfile.TemporaryDirectory(
        prefix="benchmark-", dir=options.workdir or None
    ) as folder:
        measured = program.measure(pathlib.Path(folder), **settings)
    measured.print()
    measured.save(output, {"what": options.what, **settings})
>>>>>>> h/rd
    return f"{output}: every repeat, versions, commit, hardware"


if __name__ == "__main__":
<<<<<<< HEAD
    sys.exit(main(sys.argv[1:]))
=======
    logging.set_verbosity(logging.ERROR)
    sys.exit(
        command_line.run(
            sys.argv[1:], Options, _run, __doc__, interrupted="interrupted"
        )
    )
>>>>>>> h/rd
