"""What pg2plus costs to train and to generate with, beside the paper's networks."""

import functools
import pathlib

from tqdm import tqdm

from experiments.benchmark import jax_peer
from experiments.benchmark.jax_peer import TASKS
from experiments.benchmark.measurement import Measurement, Series
from experiments.benchmark.train import Programs, take_turns

_STEPS = 8  # in one of which D pays for its gradient


def measure(
    folder: pathlib.Path,
    *,
    scale: float,
    repeats: int,
    image_size: tuple[int, int],
    batch_size: int,
    precision: str,
) -> Measurement:
    """Trains and generates with the networks of both, equally wide, in turns."""
    architectures = {
        "pg2plus": jax_peer.plus_architecture(scale, image_size, precision),
        "PG2": jax_peer.paper_architecture(scale, image_size, precision),
    }
    programs: Programs = {}
    for name, architecture in tqdm(
        architectures.items(), desc="first steps", disable=None
    ):
        tasks = jax_peer.Peer(architecture, batch_size).tasks
        for call in tasks.values():
            call()  # is compiled
        programs[name] = {
            task: functools.partial(lambda call: [call() for _ in range(_STEPS)], call)
            for task, call in tasks.items()
        }
    times = take_turns(programs, repeats)
    series = []
    for task in TASKS:
        plus, paper = (
            Series(f"{task}, {name}", [s / _STEPS for s in of_one[task][0]], "s")
            for name, of_one in times.items()
        )
        series += [plus, paper, plus.over(paper, f"{task}, pg2plus / PG2")]
    return Measurement(series, jax_peer.facts(architectures["PG2"], batch_size))
