"""How long a call takes on a device that works while the host goes on."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax

from experiments.benchmark.accelerator import plan

_MOST_CALLS = 1000


def timed(
    call: Callable[[], Any],
    settings: plan.Settings,
    wait: Callable[[Any], Any] = jax.block_until_ready,
) -> float:
    """The median seconds of a call over some runs of many, at the end of which `wait`
    gets the last result: as in training, where the host runs ahead. Two calls before
    compile, and tell how many make a run."""
    wait(call())
    once = max(_run(call, wait, 1), 1e-6)
    count = max(1, min(_MOST_CALLS, round(settings.least_seconds / once)))
    return statistics.median(
        _run(call, wait, count) / count for _ in range(settings.repeats)
    )


def _run(call: Callable[[], Any], wait: Callable[[Any], Any], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        result = call()
    wait(result)
    return time.perf_counter() - begin
