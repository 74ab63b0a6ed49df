"""Locks on files, so that two programs do not write one thing."""

import contextlib
import fcntl
import os
import pathlib
import socket
import sys
from collections.abc import Iterator
from typing import IO


def claim(file: IO[str]) -> None:
    """Locks a file for this process; the system lets go of it when the file is closed
    or the process ends, however it ends.

    On a disk without locks a note on stderr says that nothing is claimed.

    Args:
        file: open, with a name.

    Raises:
        BlockingIOError: another process has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        print(
            f"note: {file.name} cannot be locked ({error}); a second program that "
            "writes there goes unnoticed",
            file=sys.stderr,
        )


@contextlib.contextmanager
def holding(path: pathlib.Path, what: str) -> Iterator[None]:
    """Holds a lock file that names this process; it is removed at the end. The system
    lets go of it when a process ends, however it ends.

    Args:
        path: the lock file; its folder must exist.
        what: is written meanwhile, such as "--output_dir=data", for the message.

    Raises:
        ValueError: another process holds it; names that process.
    """
    with contextlib.ExitStack() as stack:
        while True:
            file = stack.enter_context(open(path, "a+", encoding="utf-8"))
            try:
                claim(file)
            except BlockingIOError as error:
                file.seek(0)
                raise ValueError(
                    f"{what}: another process is writing it "
                    f"({file.read().strip() or 'it has just begun'}); wait for it, or "
                    "choose another folder"
                ) from error
            if _is_open_at(path, file.fileno()):
                break  # Else its owner removed it between our two calls.
        stack.callback(path.unlink, missing_ok=True)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _is_open_at(path: pathlib.Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
