"""Measures the speed of this code on this machine.

    python -m experiments.benchmark --what=data --scale=0.1 --repeats=9
    python -m experiments.benchmark --what=train

data: builds a data set of Market-1501's size from random photos, and reads it back with
both readers.
metrics: scores 12,000 pairs of images, beside the usual loop over scikit-image.
train: steps of both stages and generation, beside PG2 in PyTorch (pip install -e
".[benchmark]"), in the paper's width and in an eighth of it; saves and restores
checkpoints.
plus: steps and generation of pg2plus, beside the paper's networks.
accelerator: all of it on a GPU or TPU within --minutes, into a folder: equality with
the CPU, ceilings, speed beside PyTorch, two trainings. Each part has its own share of
the time, and what is measured is on the disk at once:

    python -m experiments.benchmark --what=accelerator --minutes=10 --output=gpu

Each measurement takes turns with a bare form of the same work, because the speed of a
machine changes while other programs use it: compare the ratios. Prints a table and
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
from typing import Any

from absl import logging

from data_prep import command_line
from data_prep.flag_fields import option
from experiments.benchmark import measurement
from experiments.benchmark.accelerator import timed_parts
from pg2_jax import files

command_line.quiet(on_cpu=False)

_train = functools.partial(option, group="Train", needs=("what=train|plus",))
_torch = functools.partial(option, group="Train", needs=("what=train",))

# Of the paper's width: that of the small runs which people start with.
_NARROW = 0.125
_SIZE = ("image_size", "precision")
# The module and the function, (folder, scale=, repeats=, ...) -> Measurement, of each,
# and the flags that it takes besides; imported late, because they import tensorflow,
# PyTorch and scikit-image.
_MEASURES = {
    "data": ("data", "measure", ()),
    "metrics": ("metrics", "measure", ()),
    "train": ("train", "measure", (*_SIZE, "torch_compile", "first_step")),
    "plus": ("train", "measure_plus", _SIZE),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure, and where to write it."""

    what: str = option("data", (*_MEASURES, "accelerator"))
    """What to measure."""
    scale: float = option(0.0, minimum=0, maximum=10)
    """Size of the work; 1 is Market-1501's 263,632 training pairs, 1.7 GB (data), its
    12,000 test pairs (metrics), or networks of the paper's widths (train, plus,
    accelerator). Below 1, accelerator is a rehearsal, also on a CPU. 0: 1,
    and with train 0.125, too, one after the other."""
    repeats: int = option(3, minimum=1)
    """How often to measure."""
    workdir: str = option("", path=True)
    """Folder on the disk to measure; default: the system's for temporary files. What
    is written there is removed."""
    output: str = option("", path=True)
    """Where to write the JSON file, or with accelerator the folder for all results;
    default: benchmark_WHAT.json, or benchmark_accelerator."""
    minutes: float = option(10.0, above=0, needs=("what=accelerator",))
    """How long accelerator may take; what is not measured then is said."""
    image_size: str = option(
        "128x64", group="Train", needs=("what=train|plus|accelerator",)
    )
    """HEIGHTxWIDTH of the images."""
    batch_size: int = _train(0, minimum=0)
    """Pairs in a batch; 0: 2, and 8 in networks of less than half the paper's width."""
    precision: str = _train("float32", ("float32", "bfloat16"))
    """What convolutions compute in; PyTorch's stay float32 on a CPU."""
    torch_compile: bool = _torch(True)
    """Measures PyTorch with torch.compile, too."""
    first_step: bool = _torch(False)
    """Measures the time from start to first step, too, which compiles twice."""


def _run(options: Options) -> str:
    if options.workdir and not os.path.isdir(options.workdir):
        raise ValueError(f"--workdir={options.workdir}: there is no such folder")
    files.parse_size("image_size", options.image_size)
    measure = _accelerator if options.what == "accelerator" else _measure
    with tempfile.TemporaryDirectory(dir=options.workdir or None) as folder:
        return measure(options, pathlib.Path(folder))


def _measure(options: Options, folder: pathlib.Path) -> str:
    output = pathlib.Path(options.output or f"benchmark_{options.what}.json")
    command_line.check_file("--output", output)
    # So that PyTorch has memory on the same GPU, of which it takes one.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    module, function, flags = _MEASURES[options.what]
    program = importlib.import_module(f"experiments.benchmark.{module}")
    settings = {name: getattr(options, name) for name in ("repeats", *flags)}
    measured = []
    for number, work in enumerate(_works(options)):
        own = folder / str(number)
        own.mkdir()
        measured.append(getattr(program, function)(own, **work, **settings))
        measured[-1].print()
    measurement.save(measured, output, {"what": options.what, **settings})
    return f"{output}: every repeat, versions, commit, hardware"


def _works(options: Options) -> list[dict[str, Any]]:
    if options.what not in ("train", "plus"):
        return [{"scale": options.scale or 1.0}]
    both = options.what == "train" and not options.scale
    scales = [1.0, _NARROW] if both else [options.scale or 1.0]
    return [
        {"scale": scale, "batch_size": options.batch_size or (2 if scale >= 0.5 else 8)}
        for scale in scales
    ]


def _accelerator(options: Options, folder: pathlib.Path) -> str:
    output = pathlib.Path(options.output or "benchmark_accelerator").absolute()
    settings = timed_parts.Settings(
        scale=options.scale or 1.0,
        image_size=options.image_size,
        repeats=options.repeats,
        minutes=options.minutes,
        folder=str(folder),
    )
    return timed_parts.measure(settings, output)


if __name__ == "__main__":
    logging.set_verbosity(logging.ERROR)
    words = sys.argv[1:]
    sys.exit(command_line.run(words, Options, _run, __doc__, interrupted="interrupted"))
