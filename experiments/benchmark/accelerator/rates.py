"""What all speeds have in common: how a call is timed, in which precision, which share
of a matrix product's rate it reaches, and what the paper's trainings take at it."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator import plan

# What is trained and multiplied with, the faster first.
TRAINED = ("bfloat16", "float32")
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


def title(precision: str) -> str:
    """A precision of training as tables name it on this platform."""
    means = {"gpu": "TF32", "tpu": "float32 by bfloat16 passes"}
    if precision == "float32":
        return means.get(jax.default_backend(), "float32")
    return precision


def rate_name(precision: str) -> str:
    """The name of the fact that holds the rate of a matrix product."""
    return f"matrix product, {precision} of jax, TFLOP/s"


def share(
    facts: Mapping[str, Mapping[str, Any]], precision: str, flops: float, seconds: float
) -> float | None:
    """The operations a second as a share of the rate that was measured of a matrix
    product; None where that was not measured."""
    rate = facts.get("ceilings", {}).get(rate_name(precision))
    return rate and flops / seconds / (rate * 1e12)


def schedule(
    name: str, seconds: tuple[float, float], batch_size: int, **more: Any
) -> dict[str, Any]:
    """The cells of a projected schedule: from the seconds of a step of both stages with
    so many pairs. Reading, checkpoints and evaluations are not included."""
    coarse, refine, batch = jax_peer.SCHEDULES[name]
    steps = coarse * seconds[0] + refine * seconds[1]
    minutes = steps * batch / batch_size / 60
    return {
        "schedule": f"{name}, {coarse:,} + {refine:,} steps of {batch}",
        **more,
        "minutes": minutes,
        "goal": plan.GOALS[name],
        "reached": minutes <= plan.GOALS[name],
    }
