"""Locks on open files, so that two programs do not write one thing."""

import fcntl
import sys
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
