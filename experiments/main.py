"""python -m experiments.main --flagfile=... --mode=train|evaluate|...

This file only parses and dispatches.
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from absl import app, flags, logging

from data_prep.command_line import flag_message
from experiments import command_line, compilation_cache
from pg2_jax import errors

# What tensorflow says of its kernels at import hides the progress bar and the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# Arguments of the library whose flag has another name.
_FLAG_OF = {"model": "pose_model"}

# Each has a function of its mode's name.
_PROGRAMS = {
    "train": "experiments.train.train",
    "evaluate": "experiments.evaluate.evaluate",
    "generate": "experiments.generate",
    "export": "experiments.export",
    "report": "experiments.report.report",
    "demo": "experiments.demo.demo",
    "table1": "experiments.table1.table1",
    "user_study": "experiments.user_study.make",
    "import_checkpoint": "experiments.import_checkpoint",
}

_USAGE = """PG2: pose-guided person image generation (Ma et al., NIPS 2017) in JAX.

  python -m experiments.main --flagfile=experiments/flagfiles/market1501_paper.flags \\
      --data_dir=data/market1501 --workdir=runs/market1501
  python -m experiments.main --mode=evaluate --data_dir=... --workdir=...
  python -m experiments.main --mode=generate --workdir=... --source_image=me.png \\
      --pose=dancer.json --output=dancing.png
  python -m experiments.main --mode=report --workdirs=runs/a,runs/b --output=report
  python -m experiments.main --mode=demo --workdir=...
  python -m experiments.main --mode=generate --workdir=... --source_image=me.png \\
      --poses=walk --output=walking.gif
  python -m experiments.main --mode=export --workdir=... --output=model.safetensors
  python -m experiments.main --mode=table1 --data_dir=... --workdir=...
  python -m experiments.main --mode=user_study --data_dir=... --workdir=... \\
      --output=study
  python -m experiments.main --mode=import_checkpoint --tf1_checkpoint=... --workdir=...

Flags may stand in a file, one a line: --flagfile=FILE. Later flags win."""


def parse_flags(arguments: Sequence[str]) -> list[str]:
    """Parses the command line; answers --help before anything heavy is imported."""
    if any(word in ("--help", "-h", "-help") for word in arguments[1:]):
        print(f"{_USAGE}\n{command_line.help_text()}")
        sys.exit(0)
    command_line.define_flags()
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        message = flag_message(error)
        sys.exit(f"error: {message}\nSee: python -m experiments.main --help")


def main(arguments: Sequence[str]) -> None:
    """Runs one mode; a user's mistake becomes one line on stderr and exit status 1."""
    if len(arguments) > 1:
        sys.exit(f"error: unexpected argument {arguments[1]!r}; flags begin with --.")
    # orbax reports each of its steps at level INFO, harmless conditions as warnings.
    logging.set_verbosity(logging.ERROR)
    # Like Ctrl-C, but for the time of training, which saves first.
    signal.signal(signal.SIGTERM, _interrupt)
    several = False
    try:
        config = command_line.from_flags()
        compilation_cache.use(config.compilation_cache_dir)
        if config.coordinator_address:
            importlib.import_module("experiments.processes").connect(config)
            several = True
        # Imports what the mode needs and no more.
        program = importlib.import_module(_PROGRAMS[config.mode])
        stopped_by = getattr(program, config.mode)(config)
        if stopped_by is not None:
            # The shell's status for the signal that stopped a training.
            sys.exit(128 + stopped_by)
    except (ValueError, OSError, FloatingPointError) as error:
        if os.environ.get("PG2_TRACEBACK"):
            raise
        _fail(errors.for_programs(error, _FLAG_OF), several)
    except RuntimeError as error:
        # What XLA raises; the first line names the bytes.
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        first_line = str(error).partition("\n")[0]
        advice = "Try --remat, --grad_accumulation, or a smaller --batch_size."
        _fail(f"{first_line} {advice}", several)
    except KeyboardInterrupt as stopped:
        number = stopped.args[0] if stopped.args else signal.SIGINT
        print("interrupted", file=sys.stderr)
        # Threads of jax and tensorflow that are still at work crash a normal exit.
        _exit_at_once(128 + number)


def _fail(message: str, several: bool) -> NoReturn:
    """Ends this process for a mistake, or for what went wrong."""
    if not several:
        sys.exit(f"error: {message}")
    print(f"error: {message}", file=sys.stderr)
    # A normal exit waits for the other processes, which wait for this one.
    _exit_at_once(1)


def _exit_at_once(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
