"""Errors and warnings that name arguments, so that a program can name the flags
instead; warnings at the caller's line; numbers with what they count.

Messages mark the arguments that they name: "`pose_fit=image` shows whole poses."
"""

import contextlib
import inspect
import os
import pathlib
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence

_PACKAGE = f"{pathlib.Path(__file__).parent}{os.sep}"
_MARKED = re.compile(r"`([a-z0-9_]+)(=[^`]*)?`")


class ArgumentError(ValueError):
    """A value that a function cannot work with: parameter, value, and what is to be
    said after "argument=value", such as " must be positive"."""

    def __init__(self, argument: str, value: object, rule: str):
        # What it is made of, so that it can be pickled: processes hand it on.
        super().__init__(argument, value, rule)
        self.argument, self.value, self.rule = argument, value, rule

    def __str__(self) -> str:
        return f"{self.argument}={self.value}{self.rule}"


class Damaged(ValueError):
    """What a file holds is not what was written."""


def check_choice(argument: str, value: object, choices: Collection[str]) -> None:
    """Refuses a value that is none of the choices."""
    if value not in choices:
        raise ArgumentError(argument, value, f" must be one of {', '.join(choices)}.")


@contextlib.contextmanager
def said_of(what: object) -> Iterator[None]:
    """Lets the message of a ValueError begin with what it is about, such as a file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def warn(text: str) -> None:
    """Warns at the line that called this package."""
    inside = [frame.filename.startswith(_PACKAGE) for frame in inspect.stack(0)]
    warnings.warn(text, stacklevel=1 + inside.index(False))


def few(names: Sequence[str]) -> str:
    """The first three names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def counted(number: int, one: str, several: str = "") -> str:
    """A number and what it counts: "1 joint", "2,000 joints", or `several`."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def for_programs(error: Exception, flag_of: Mapping[str, str]) -> str:
    """What a program says of an error or a warning: arguments by the flags that
    `flag_of` has; the system's words for a file without their number."""

    def flag(marked: re.Match) -> str:
        name, value = marked.groups(default="")
        return f"--{flag_of[name]}{value}" if name in flag_of else marked[0]

    if isinstance(error, OSError) and error.filename and error.filename2 is None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    text = str(error)
    if isinstance(error, ArgumentError):
        argument = flag_of.get(error.argument, error.argument)
        text = f"--{argument}={error.value}{error.rule}"
    return _MARKED.sub(flag, text)


def for_visitors(error: Exception) -> str:
    """What a page says of an error: nothing is marked."""
    return _MARKED.sub(r"\1\2", str(error))
