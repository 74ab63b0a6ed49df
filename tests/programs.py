"""Programs of the command line, run in this process: a new one imports for seconds."""

import contextlib
import io
import pathlib
import runpy
import signal
import sys
import warnings
from typing import NamedTuple

import pytest
from absl import logging

ROOT = pathlib.Path(__file__).parents[1]


class Done(NamedTuple):
    """How a program ended, as `subprocess.run` says it."""

    returncode: int
    stdout: str
    stderr: str


def run(module: str, *words: object, **environment: str) -> Done:
    """`python -m MODULE WORDS` in the folder of the repository."""
    said, complained = io.StringIO(), io.StringIO()
    status: int | str = 0
    verbosity, handler = logging.get_verbosity(), signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", [module, *map(str, words)])
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            with (
                contextlib.redirect_stdout(said),
                contextlib.redirect_stderr(complained),
                warnings.catch_warnings(),
            ):
                # Of what a test has imported before.
                warnings.simplefilter("ignore", RuntimeWarning)
                runpy.run_module(module, run_name="__main__")
        except SystemExit as end:
            if isinstance(end.code, str):
                complained.write(f"{end.code}\n")
            status = (
                end.code if isinstance(end.code, int) else int(end.code is not None)
            )
        finally:
            logging.set_verbosity(verbosity)
            signal.signal(signal.SIGTERM, handler)
    return Done(status, said.getvalue(), complained.getvalue())
