"""What the programs of this package share: flags, help, exit codes and messages."""

import os
import pathlib
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from data_prep import INSTALL, flag_fields
from pg2_jax import errors

_PACKAGES = (
    *("jax", "jaxlib", "flax", "optax", "orbax", "scipy", "safetensors", "flatbuffers"),
    *("rich", "jinja2", "tensorflow", "tensorflow_datasets", "importlib_resources"),
)
# The largest seed of numpy's RandomState, which makes the published samples.
MAX_SEED = 2**32 - 1


def run(
    words: Sequence[str],
    options: Any,
    program: Callable[..., str],
    about: str | None,
    *,
    interrupted: str = "interrupted: nothing was written",
    arguments: bool = False,
) -> int:
    """Runs a program, so that what goes wrong for its user ends in one message. It gets
    an instance of the dataclass `options`, whose fields are its flags, and, if it takes
    `arguments`, the words that are no flags; it returns what to print. SIGTERM unwinds
    it as Ctrl-C does, so that temporary files are removed. The exit code: 0, 1 after a
    mistake of the user or an OSError, 130 after Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        if flag_fields.asks_for_help(words):
            return show(f"{about}\n{flag_fields.help_text(options)}")
        parsed = flag_fields.parse(options, words)
        if parsed.rest and not arguments:
            raise ValueError(
                f"unexpected argument {parsed.rest[0]!r}: every option is a flag, "
                "--name=value"
            )
        given = options(**parsed.values)
        flag_fields.check(given)
        flag_fields.check_together(given)
        return show(program(given, *parsed.rest))
    except flags.Error as error:
        mistake = f"{flag_fields.message(error)}; see --help"
    except (ValueError, OSError) as error:
        mistake = errors.for_programs(error, flag_fields.names(options))
    except ModuleNotFoundError as error:
        if not (package := missing_package(error)):
            raise
        mistake = f"this needs the package {package}: {INSTALL}"
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    print(f"error: {mistake}", file=sys.stderr)
    return 1


def missing_package(error: ModuleNotFoundError) -> str:
    """What is not installed of pg2_jax and its extras `programs` and `data`; empty for
    other packages, which are named by what needs them."""
    package = (error.name or "").partition(".")[0]
    return package if package in _PACKAGES else ""


def quiet(*, on_cpu: bool) -> None:
    """Hides what tensorflow says at import, which would hide progress bars and tables;
    `on_cpu` for programs of which jax makes no more than pictures."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    if on_cpu:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")


def show(text: str) -> int:
    """Prints a text; returns the exit code, 1 where `| head` has seen enough."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def check_file(flag: str, path: pathlib.Path, *, overwrite: bool = True) -> None:
    """Refuses, before the work, a file that `flag` names and that cannot be written, or
    is there already where `overwrite` is not wanted."""
    if path.is_dir():
        raise ValueError(f"{flag}={path} is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise ValueError(f"{flag}={path} is there already; --overwrite replaces it")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{flag}={path}: there is no folder {path.parent}")
    _check_writable(flag, path, path.absolute().parent)


def check_folder(flag: str, path: pathlib.Path, *, empty: bool = True) -> None:
    """Refuses, before the work, a folder that `flag` names and that is a file, cannot
    be made or written, or is not `empty` where it is to be."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise ValueError(f"{flag}={path}: {there} is a file, not a folder")
    if empty and path.is_dir():
        check_empty(flag, path, sorted(os.listdir(path)))
    _check_writable(flag, path, there)


def check_empty(flag: str, folder: object, names: Sequence[str]) -> None:
    """Refuses a folder that `flag` names and that holds something of these names."""
    if names:
        raise ValueError(
            f"{flag}={folder} already holds {errors.few(names)}; choose a new or an "
            "empty folder"
        )


def _check_writable(flag: str, path: pathlib.Path, folder: pathlib.Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"{flag}={path}: no permission to write into {folder}; choose another "
            "folder"
        )
