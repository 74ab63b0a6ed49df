"""How long the paper's trainings take at measured speeds."""

from typing import Any

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator import plan


def row(
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
