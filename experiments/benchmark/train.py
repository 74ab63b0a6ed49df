"""How fast the networks train and generate, beside PG2 in PyTorch.

Both start from the same weights, and compute the same losses and images of one batch
of random pairs; ours derives heat maps, masks and flips inside the step, PyTorch is
given them. They take turns, because the speed of a machine changes while others use it.
"""

import importlib
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from data_prep import workers
from experiments.benchmark import jax_peer, measurement
from experiments.benchmark.jax_peer import TASKS
from experiments.benchmark.measurement import Measurement, Series
from pg2_jax import inputs

_SCHEDULES = {(128, 64): "Market-1501", (256, 256): "DeepFashion"}
_ROOT = pathlib.Path(__file__).parents[2]

# By program and task.
Programs = dict[str, dict[str, Callable[[], Any]]]
# The same: wall and processor seconds of every repeat.
Times = dict[str, dict[str, tuple[list[float], list[float]]]]


def measure(
    folder: pathlib.Path,
    *,
    scale: float,
    repeats: int,
    image_size: tuple[int, int],
    batch_size: int,
    precision: str,
    torch_compile: bool,
    first_step: bool,
) -> Measurement:
    """Trains and generates with pg2_jax and with PyTorch, in turns; the folder holds
    the compiled programs whose effect on the first step is measured."""
    torch_peer = _torch()
    _check_same_device(torch_peer.DEVICE.type)
    torch_peer.torch.set_num_threads(workers.num_cores())
    architecture = jax_peer.paper_architecture(scale, image_size, precision)
    ours = jax_peer.Peer(architecture, batch_size)
    programs: Programs = {"pg2_jax": ours.tasks}
    prepared = inputs.prepare(ours.batch, architecture)
    for name in ("PyTorch", "PyTorch, compiled")[: 1 + torch_compile]:
        compiled = name != "PyTorch"
        peer = torch_peer.Peer(ours.state, prepared, architecture, compiled)
        programs[name] = peer.tasks
    difference = _largest_difference(programs)
    size = max(256, round(4096 * scale))
    for name, tasks in programs.items():
        product = _product if name == "pg2_jax" else torch_peer.product
        tasks["product"] = product(size)
    times = take_turns(programs, repeats)
    flops = jax_peer.task_flops(architecture, batch_size) | {"product": 2 * size**3}
    series = _compare(times, flops)
    if first_step:
        series += _first_steps(folder, scale, image_size, batch_size, precision)
    series += _schedule(times["pg2_jax"], image_size, batch_size)
    facts = jax_peer.facts(architecture, batch_size) | {
        "largest difference of a value": difference,
        "PyTorch": torch_peer.description(architecture),
    }
    return Measurement(series, facts)


def _torch() -> Any:
    try:
        return importlib.import_module("experiments.benchmark.torch_peer")
    except ImportError as error:
        raise ValueError(
            "--what=train compares with PyTorch: pip install -e '.[benchmark]'"
        ) from error


def _check_same_device(of_torch: str) -> None:
    ours = jax.default_backend()
    if (ours == "gpu") != (of_torch == "cuda") or ours == "tpu":
        raise ValueError(
            f"--what=train compares on one device, and jax computes on {ours}, PyTorch "
            f"on {of_torch}: install the other for it, too, or compare on the CPU with "
            "JAX_PLATFORMS=cpu and CUDA_VISIBLE_DEVICES= in front of the command."
        )


def _largest_difference(programs: Programs) -> float:
    """Takes each task once, which compiles it; the largest relative difference of a
    loss from PyTorch's."""
    losses = {}
    for name, tasks in tqdm(programs.items(), desc="first steps", disable=None):
        # The losses come before the updates of a step; the last is an image.
        *first, _ = [call() for call in tasks.values()]
        losses[name] = np.array(first)
    ratios = [of_one / losses["PyTorch"] for of_one in losses.values()]
    return float(np.max(np.abs(np.array(ratios) - 1)))


def _product(size: int) -> Callable[[], Any]:
    a = jnp.ones((size, size))
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(a, a).block_until_ready()


def take_turns(programs: Programs, repeats: int) -> Times:
    """Times each task of all programs, one after the other, `repeats` times."""
    times: Times = {
        name: {task: ([], []) for task in tasks} for name, tasks in programs.items()
    }
    for _ in tqdm(range(repeats), desc="measuring", unit="turn", disable=None):
        for task in next(iter(programs.values())):
            for name, tasks in programs.items():
                wall, cpu = measurement.seconds(tasks[task])
                times[name][task][0].append(wall)
                times[name][task][1].append(cpu)
                tqdm.write(f"{task}, {name}: {wall:.3g} s")
    return times


def _compare(times: Times, flops: dict[str, float]) -> list[Series]:
    """Seconds, ratios to PyTorch and shares of the rate of a matrix product."""
    series = []
    for task in TASKS:
        (ours, our_cpu), *others = (
            [Series(f"{task}, {name}", x, "s") for x in tasks[task]]
            for name, tasks in times.items()
        )
        series.append(ours)
        for name, (theirs, their_cpu) in zip([*times][1:], others, strict=True):
            ratio = ours.over(theirs, f"{task}, pg2_jax / {name}")
            series += [theirs, ratio, our_cpu.over(their_cpu, "the same by CPU time")]
    for name in times:
        products = times[name]["product"][0]
        for task in TASKS:
            shares = [
                (flops[task] / mine) / (flops["product"] / its)
                for mine, its in zip(times[name][task][0], products, strict=True)
            ]
            text = f"{task}, {name}: share of its matrix product's rate"
            series.append(Series(text, shares, ""))
        rates = [flops["product"] / seconds / 1e9 for seconds in products]
        series.append(Series(f"matrix product, {name}", rates, "GFLOP/s"))
    return series


def _first_steps(folder: pathlib.Path, *arguments: Any) -> list[Series]:
    """Seconds from the start of python to the end of the first step of stage I, with
    an empty cache of compiled programs and with a full one."""
    call = f"{(str(folder / 'cache'), *arguments)!r}"
    code = f"from {jax_peer.__name__} import take_first_step as f; f(*{call})"
    series = []
    for name in ("cold", "warm"):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=_ROOT)
        seconds = time.perf_counter() - begin
        series.append(Series(f"start to first step, {name}", [seconds], "s"))
    return series


def _schedule(
    times: dict[str, tuple[list[float], list[float]]],
    image_size: tuple[int, int],
    batch_size: int,
) -> list[Series]:
    """Hours of the paper's whole training at the measured seconds for an image."""
    if image_size not in _SCHEDULES:
        return []
    name = _SCHEDULES[image_size]
    coarse, refine, paper_batch = jax_peer.SCHEDULES[name]
    pairs = zip(times[TASKS[0]][0], times[TASKS[1]][0], strict=True)
    scale = paper_batch / batch_size / 3600
    hours = [scale * (coarse * first + refine * second) for first, second in pairs]
    text = f"the paper's {coarse:,} + {refine:,} steps on {name}, projected"
    return [Series(text, hours, "h")]
