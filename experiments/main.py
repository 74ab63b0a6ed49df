"""python -m experiments.main --flagfile=... --mode=train|evaluate|...: only parses and
dispatches; options/modes.py names the module of each mode."""

import importlib
import logging as python_logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from absl import flags, logging

from data_prep import INSTALL, flag_fields
from data_prep.command_line import missing_package, quiet, show
from experiments import command_line, interrupts
from experiments.config import Config
from experiments.options import modes
from pg2_jax import errors

_TRACEBACK = "PG2_TRACEBACK"  # set: shows where an error came from

quiet(on_cpu=False)


def main(words: list[str]) -> None:
    """Answers --help or runs a mode; Ctrl-C and SIGTERM end it from its beginning."""
    with interrupts.raising() as received:
        try:
            _answer(words)
        except KeyboardInterrupt as stopped:
            received += stopped.args or (signal.SIGINT,)
        except BaseException:
            # Some libraries make an error of their own of it.
            if not received:
                raise
        if received:
            print("interrupted", file=sys.stderr)
            # Threads of jax and tensorflow that are still at work crash a normal exit.
            _exit_at_once(128 + received[0])


def _answer(words: list[str]) -> None:
    try:
        if flag_fields.asks_for_help(words):
            sys.exit(show(command_line.help_text(words)))
        notes: list[str] = []
        config = command_line.parse(words, notes.append)
        command_line.check_early(config)
    except flags.Error as error:
        sys.exit(f"error: {flag_fields.message(error)}; see --help")
    except (ValueError, OSError) as error:
        if os.environ.get(_TRACEBACK):
            raise
        sys.exit(f"error: {errors.for_programs(error, {})}")
    run(config, notes)


def run(config: Config, notes: Sequence[str] = ()) -> None:
    """Says the notes and runs a mode; a mistake is one line on stderr and status 1."""
    _say_it_once()
    try:
        command_line.use_compilation_cache(config.compilation_cache_dir)
        command_line.use_precision(config.precision)
        if config.coordinator_address or notes:
            from experiments import processes

            if config.coordinator_address:
                processes.connect(config)
            for note in notes:
                processes.say(note)
        # Imports what the mode needs and no more.
        module = importlib.import_module(modes.MODES[config.mode].module)
        stopped_by = getattr(module, config.mode)(config)
        if stopped_by is not None:
            # The shell's status for the signal that stopped a training.
            sys.exit(128 + stopped_by)
    except Exception as error:
        message = _message(error, config)
        if not message or os.environ.get(_TRACEBACK):
            raise
        if not config.coordinator_address:
            sys.exit(f"error: {message}")
        print(f"error: {message}", file=sys.stderr)
        # A normal exit waits for the other processes, which wait for this one.
        _exit_at_once(1)


def _say_it_once() -> None:
    """Keeps libraries from telling on their own what an exception tells as well."""
    # orbax reports each of its steps, harmless conditions, and an error that it raises
    # once more from each of its threads.
    logging.set_verbosity(logging.FATAL)
    python_logging.getLogger("asyncio").setLevel(python_logging.CRITICAL)
    before = sys.unraisablehook

    def hook(dropped: Any) -> None:
        # tensorstore's, for each array that it was reading when the first one failed.
        if str(dropped.exc_value) != "Event loop is closed":
            before(dropped)

    sys.unraisablehook = hook


def _message(error: Exception, config: Config) -> str:
    """What a user is told of an error; empty for a mistake of the program."""
    if isinstance(error, ValueError | OSError | FloatingPointError):
        return errors.for_programs(error, config.flag_of)
    if isinstance(error, ModuleNotFoundError) and (package := missing_package(error)):
        return f"--mode={config.mode} needs the package {package}: {INSTALL}"
    # What XLA raises; the first line names the bytes.
    if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" in str(error):
        first_line = str(error).partition("\n")[0]
        on_device = ", --photos_on=host" if config.reader == "memory" else ""
        ways = f"--remat, --grad_accumulation{on_device}"
        return f"{first_line} Try {ways}, or a smaller --batch_size."
    return ""


def _exit_at_once(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
