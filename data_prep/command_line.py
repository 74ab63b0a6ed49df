"""What the programs of this package share: exit codes, messages, paths and seeds."""

import os
import pathlib
import re
import signal
import sys
import types
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, flags

from pg2_jax import errors

# The largest seed of numpy's RandomState, which makes the published draws.
MAX_SEED = 2**32 - 1


def start(main: Callable[[list[str]], int]) -> NoReturn:
    """Parses the flags, runs a program and ends with its exit code.

    Args:
        main: gets what the flags leave of the command line.
    """
    try:
        try:
            app.run(main, flags_parser=_parse)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # `... --help | head` has seen enough. Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(1)


def run(
    argv: Sequence[str],
    program: Callable[[], str],
    interrupted: str = "interrupted: nothing was written",
) -> int:
    """Runs a program, so that what goes wrong for its user ends in one message.

    SIGTERM unwinds the program as Ctrl-C does, so that temporary files are removed.

    Args:
        argv: what the flags leave of the command line: the name of the program.
        program: does the work and returns what to print.
        interrupted: what to say after Ctrl-C.

    Returns:
        The exit code: 0, 1 after a ValueError or an OSError, 130 after Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        if len(argv) > 1:
            raise ValueError(
                f"unexpected argument {argv[1]!r}: every option is a flag, --name=value"
            )
        print(program())
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        print(f"error: {errors.for_programs(error, {})}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    return 0


def flag_message(error: flags.Error) -> str:
    """What absl says of a flag, without its own word at the beginning, and in words for
    people who do not program."""
    text = str(error).removeprefix("ERROR:: ")
    text = re.sub(r"invalid literal for int\(\).*", "must be a whole number", text)
    return re.sub(r"could not convert string to float.*", "must be a number", text)


def expand(path: str) -> str:
    """Replaces a leading `~`, which the shell leaves alone behind `--name=`."""
    return os.path.expanduser(path)


def check_output(flag: str, output: pathlib.Path, *, overwrite: bool) -> None:
    """Refuses a place where a file's content would be lost, or cannot be written.

    Args:
        flag: what named it, for the message.
        output: the file or folder to write.
        overwrite: whether a file may be replaced.

    Raises:
        ValueError: it exists, or its folder does not; an empty folder may be replaced
        by a folder.
    """
    if not output.absolute().parent.is_dir():
        raise ValueError(f"{flag}={output}: there is no folder {output.parent}")
    if output.is_dir():
        if any(output.iterdir()) or output.suffix:
            raise ValueError(f"{flag}={output} is a folder that is there already")
    elif output.exists() and not overwrite:
        raise ValueError(f"{flag}={output} is there already; --overwrite replaces it")


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        sys.exit(f"error: {flag_message(error)}\nSee: {argv[0]} --help")
    except SystemExit:
        # absl has printed the help, which it counts as a failure.
        sys.exit(0)


def _stop(signum: int, frame: types.FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)
