"""Processes that share a list of jobs, and end without a word when the main one is
stopped."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import TypeVar

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")
_JOBS_AT_ONCE = 8


@contextlib.contextmanager
def results(
    function: Callable[[_Job], _Result], jobs: Sequence[_Job], workers: int
) -> Iterator[Iterable[_Result]]:
    """Gives the results of all jobs, in any order, as they come; of `workers`
    processes, 0 for one per core, 1 for none but this. `function` can be pickled. If a
    process dies, of too little memory for one, a ChildProcessError says so where the
    `with` ends."""
    workers = min(workers or num_cores(), len(jobs))
    if workers <= 1:
        yield map(function, jobs)
        return
    # Forking is not safe in a process that runs threads, as JAX does.
    context = multiprocessing.get_context("spawn")
    pool = futures.ProcessPoolExecutor(workers, context)
    try:
        with _signals_held():  # The first job starts the processes.
            waiting = [
                pool.submit(_each, function, jobs[i : i + _JOBS_AT_ONCE])
                for i in range(0, len(jobs), _JOBS_AT_ONCE)
            ]
        finished = futures.as_completed(waiting)
        yield (result for done in finished for result in done.result())
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "a worker process died, perhaps of too little memory; with --workers=1 "
            "there is none, and the reason is seen"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _each(
    function: Callable[[_Job], _Result], jobs: Sequence[_Job]
) -> Sequence[_Result]:
    return [function(job) for job in jobs]


def num_cores() -> int:
    """Returns the number of cores that this process may use, or all there are."""
    # Linux alone tells which.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Lets processes start that never see Ctrl-C, and none be left half started. A
    signal that comes meanwhile takes effect at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Signals are none of its business.
        return
    held: list[int] = []
    # Other threads, of BLAS for one, receive signals that this one blocks.
    handlers = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    # Started later, it would unblock the signal.
    resource_tracker.ensure_running()
    # What a thread blocks stays blocked in the processes that it starts.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])
