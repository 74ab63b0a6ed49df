r"""Measures the speed of this code on this machine.

    python -m experiments.benchmark --what=data
    python -m experiments.benchmark --what=data --scale=0.1 --repeats=9
    python -m experiments.benchmark --what=metrics
    python -m experiments.benchmark --what=train
    python -m experiments.benchmark --what=train --scale=0.25 --batch_size=8
    python -m experiments.benchmark --what=checkpoint

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

import importlib
import os
import pathlib
import sys
import tempfile
from typing import Any

from absl import app, flags, logging

from pg2_jax import errors, files

# What tensorflow says of its kernels at import hides the progress and the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# Each is a module with measure(folder, scale=, repeats=) -> Measurement.
_PROGRAMS = ("data", "metrics", "train", "checkpoint")
_TRAIN_ONLY = ("image_size", "batch_size", "precision", "torch_compile", "first_step")


def _define_flags() -> None:
    flags.DEFINE_enum("what", "data", _PROGRAMS, "What to measure.")
    flags.DEFINE_float(
        "scale",
        1.0,
        "Size of the work; 1 is Market-1501's 263,632 training pairs, 1.7 GB (data), "
        "its 12,000 test pairs (metrics), or networks of the paper's widths (train, "
        "checkpoint).",
        lower_bound=0.01,
        upper_bound=10,
    )
    flags.DEFINE_integer("repeats", 3, "How often to measure.", lower_bound=1)
    flags.DEFINE_string("image_size", "128x64", "train: HEIGHTxWIDTH of the images.")
    flags.DEFINE_integer("batch_size", 4, "train: pairs in a batch.", lower_bound=1)
    flags.DEFINE_enum(
        "precision",
        "float32",
        ["float32", "bfloat16"],
        "train: what our convolutions compute in; PyTorch's stay float32.",
    )
    flags.DEFINE_boolean(
        "torch_compile", True, "train: measures PyTorch with torch.compile, too."
    )
    flags.DEFINE_boolean(
        "first_step",
        True,
        "train: measures the time from start to first step, which compiles twice.",
    )
    flags.DEFINE_string(
        "workdir",
        "",
        "Folder on the disk to measure; default: the system's for temporary files. "
        "What is written there is removed.",
    )
    flags.DEFINE_string(
        "output", "benchmark_{what}.json", "Where to write the JSON file."
    )


def main(argv: list[str]) -> int:
    """Measures what the flags ask for; returns the exit code."""
    logging.set_verbosity(logging.ERROR)
    try:
        if len(argv) > 1:
            raise ValueError(f"unexpected argument {argv[1]!r}; flags begin with --")
        _run(flags.FLAGS)
    except (ValueError, OSError) as error:
        print(f"error: {errors.for_programs(error, {})}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _train_options(args: flags.FlagValues) -> dict[str, Any]:
    """The options of --what=train; elsewhere they are refused."""
    if args.what == "train":
        size = files.parse_size("image_size", args.image_size)
        return {name: args[name].value for name in _TRAIN_ONLY} | {"image_size": size}
    for name in _TRAIN_ONLY:
        if args[name].value != args[name].default:
            raise ValueError(f"--{name}={args[name].value} is for --what=train")
    return {}


def _run(args: flags.FlagValues) -> None:
    output = pathlib.Path(args.output.replace("{what}", args.what)).expanduser()
    if output.is_dir():
        raise ValueError(f"--output={output} is a folder, not a file")
    if not output.parent.is_dir():
        raise ValueError(f"--output={output}: there is no folder {output.parent}")
    workdir = os.path.expanduser(args.workdir) or None
    if workdir and not os.path.isdir(workdir):
        raise ValueError(f"--workdir={workdir}: there is no such folder")
    options = _train_options(args)
    settings = {name: args[name].value for name in ("what", "scale", "repeats")}
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=workdir) as folder:
        program = importlib.import_module(f"experiments.benchmark.{args.what}")
        measured = program.measure(
            pathlib.Path(folder), scale=args.scale, repeats=args.repeats, **options
        )
    measured.print()
    measured.save(output, settings | options)
    print(f"{output}: every repeat, versions, commit, hardware")


if __name__ == "__main__":
    _define_flags()
    app.run(main)
