"""Ctrl-C and SIGTERM, answered at once and never lost.

The interpreter runs a handler when the main thread comes back to Python, which a
compilation or a step can delay for minutes; so a thread of ours answers. An exception
that a handler raises is dropped where it meets a callback of the garbage collector, of
which jax has one; so it is raised again.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_HANDLED = (signal.SIGINT, signal.SIGTERM)
_PAUSE = 0.01  # Seconds in which the callback that has dropped an exception ends.


@contextlib.contextmanager
def raising() -> Iterator[list[int]]:
    """Raises KeyboardInterrupt(signal) for Ctrl-C and SIGTERM; gives the list of the
    signals that came."""
    received: list[int] = []
    before = sys.unraisablehook

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt(number)

    def again(dropped: Any) -> None:
        """Sends the signal of a dropped interrupt again; others are told of as ever."""
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            before(dropped)
            return
        main = threading.main_thread().ident
        (number,) = dropped.exc_value.args or (signal.SIGINT,)
        threading.Timer(_PAUSE, signal.pthread_kill, (main, number)).start()

    with _handled(stop, "stopping"):
        sys.unraisablehook = again
        try:
            yield received
        finally:
            sys.unraisablehook = before


@contextlib.contextmanager
def collected() -> Iterator[list[int]]:
    """Gives the list to which Ctrl-C and SIGTERM are added as they come, so that a loop
    can save and stop; a second Ctrl-C is a KeyboardInterrupt."""
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt(number)
        received.append(number)

    with _handled(note, "saving, then stopping; Ctrl-C again stops without saving"):
        yield received


@contextlib.contextmanager
def _handled(handler: Any, answer: str) -> Iterator[None]:
    """Handles the signals, and answers the first on stderr."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Answers without Python's handlers: here it learns the numbers of the signals.
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_answer, args=(reader, answer), daemon=True).start()
    handlers = {number: signal.signal(number, handler) for number in _HANDLED}
    try:
        yield
    finally:
        for number, former in handlers.items():
            signal.signal(number, former)
        signal.set_wakeup_fd(before)
        os.close(writer)  # which ends the thread


def _answer(reader: int, answer: str) -> None:
    with open(reader, "rb", buffering=0) as pipe:
        while (received := pipe.read(1)) and received[0] not in _HANDLED:
            pass
        if received:
            # Not through sys.stderr: the main thread may be inside of it.
            begin = "\n" if os.isatty(2) else ""
            os.write(2, f"{begin}{answer}\n".encode())
            while pipe.read(1):
                pass
