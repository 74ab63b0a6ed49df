"""How fast the networks train and draw, beside PG2 in PyTorch.

Both start from the same weights, and compute the same losses and images of one batch
of random pairs; ours derives heat maps, masks and flips inside the step, PyTorch is
given them. They take turns, because the speed of a machine changes while others use it.
"""

import functools
import importlib
import os
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

from experiments.benchmark.flops import TASKS, step_flops
from experiments.benchmark.jax_side import L1_WEIGHT, LEARNING_RATE, Ours
from experiments.benchmark.report import Goal, Report, Series
from pg2_jax import inputs, models

# Steps of stage I and II, and pairs in a batch, of the paper's two trainings.
_SCHEDULES = {
    (128, 64): ("Market-1501", 22_000, 14_000, 16),
    (256, 256): ("DeepFashion", 30_000, 20_000, 8),
}

_Run = Callable[[], Any]


def measure(
    folder: pathlib.Path,
    *,
    scale: float,
    repeats: int,
    image_size: tuple[int, int] = (128, 64),
    batch_size: int = 4,
    precision: str = "float32",
    torch_compile: bool = True,
    first_step: bool = True,
) -> Report:
    """Trains and draws with pg2_jax and with PyTorch, in turns.

    Args:
        folder: for the cache of compiled programs whose effect is measured.
        scale: 1 for the paper's 128 channels, in proportion for others.
        repeats: how often each is measured.
        image_size: height and width.
        batch_size: pairs.
        precision: of our convolutions; PyTorch's are float32.
        torch_compile: whether PyTorch is measured with torch.compile, too.
        first_step: whether the time from start to first step is measured.

    Returns:
        Seconds, ratios to PyTorch, shares of the rate of a matrix product, seconds to
        the first step, and the time of the paper's whole schedule.

    Raises:
        ValueError: PyTorch is not installed.
    """
    architecture = make_architecture(scale, image_size, precision)
    runs, difference = _programs(architecture, batch_size, torch_compile)
    size = max(256, round(4096 * scale))
    runs["pg2_jax"]["product"] = _product(size)
    runs["PyTorch"]["product"] = _torch().product(size)
    found = _take_turns(runs, repeats)
    flops = step_flops(architecture, batch_size)
    flops["product"] = 2 * size**3
    series, goals = _compare(found, flops)
    if first_step:
        series += _first_steps(folder, scale, image_size, batch_size, precision)
    series += _schedule(found["pg2_jax"], image_size, batch_size)
    facts = {
        "image": f"{image_size[0]}x{image_size[1]}",
        "channels": architecture.base_channels,
        "batch": batch_size,
        "precision": precision,
        "threads": _threads(),
        "device": jax.devices()[0].device_kind,
        "largest difference of a value": difference,
        "PyTorch": _torch().torch.__version__,
    }
    return Report(series, goals, facts)


def make_architecture(
    scale: float, image_size: tuple[int, int], precision: str
) -> models.Architecture:
    """The paper's networks, narrower or wider."""
    return models.Architecture(
        image_height=image_size[0],
        image_width=image_size[1],
        base_channels=max(1, round(128 * scale)),
        discriminator_channels=max(1, round(64 * scale)),
        precision=precision,
    )


def _torch() -> Any:
    """The PyTorch peer.

    Raises:
        ValueError: PyTorch is not installed.
    """
    try:
        return importlib.import_module("experiments.benchmark.torch_peer")
    except ImportError as error:
        raise ValueError(
            "--what=train compares with PyTorch: pip install -e '.[benchmark]'"
        ) from error


def _programs(
    architecture: models.Architecture, batch_size: int, torch_compile: bool
) -> tuple[dict[str, dict[str, _Run]], float]:
    """What is measured, by program and task, each run once; and the largest relative
    difference of a loss, or difference of a pixel, from PyTorch."""
    peer_of = _torch()
    peer_of.use_threads(_threads())
    ours = Ours(architecture, batch_size)
    prepared = inputs.prepare(ours.batch, architecture)
    make_peer = functools.partial(
        peer_of.Peer,
        ours.state,
        prepared,
        architecture,
        learning_rate=LEARNING_RATE,
        l1_weight=L1_WEIGHT,
    )
    programs: dict[str, Any] = {
        "pg2_jax": ours,
        "PyTorch": make_peer(compiled=False),
    }
    if torch_compile:
        programs["PyTorch, compiled"] = make_peer(compiled=True)
    runs = {
        name: dict(
            zip(TASKS, (p.coarse_step, p.adversarial_step, p.generate), strict=True)
        )
        for name, p in programs.items()
    }
    # The first turn pays for compiling. The losses come before the updates of a step.
    values = {}
    for name, tasks in tqdm(runs.items(), desc="first steps"):
        values[name] = [run() for run in tasks.values()]
    losses = [np.array(v[:2]) for v in values.values()]
    difference = max(float(np.max(np.abs(x / losses[1] - 1))) for x in losses)
    return runs, difference


def _threads() -> int:
    """The cores that this process may use, as XLA counts them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _product(size: int) -> _Run:
    a = jnp.ones((size, size))
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(a, a).block_until_ready()


# By program and task: wall and processor seconds of every repeat.
_Found = dict[str, dict[str, tuple[list[float], list[float]]]]


def _take_turns(runs: dict[str, dict[str, _Run]], repeats: int) -> _Found:
    found: _Found = {
        name: {task: ([], []) for task in tasks} for name, tasks in runs.items()
    }
    for _ in tqdm(range(repeats), desc="measuring", unit="turn"):
        for task in (*TASKS, "product"):
            for name, tasks in runs.items():
                if task in tasks:
                    wall, cpu = time.perf_counter(), time.process_time()
                    tasks[task]()
                    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                    found[name][task][0].append(wall)
                    found[name][task][1].append(cpu)
                    tqdm.write(f"{task}, {name}: {wall:.3g} s")
    return found


def _compare(found: _Found, flops: dict[str, float]) -> tuple[list[Series], list[Goal]]:
    """Seconds, ratios to PyTorch and shares of the rate of a matrix product."""
    series, goals = [], []
    for task in TASKS:
        ours = Series(f"{task}, pg2_jax", found["pg2_jax"][task][0], "s")
        series.append(ours)
        for name in found:
            if name == "pg2_jax":
                continue
            theirs = Series(f"{task}, {name}", found[name][task][0], "s")
            ratio = ours.over(theirs, f"{task}, pg2_jax / {name}")
            cpu = [Series("", found[n][task][1], "s") for n in ("pg2_jax", name)]
            series += [theirs, ratio, cpu[0].over(cpu[1], "the same by CPU time")]
            text = f"{task}: at most 0.8 of the time of {name}"
            goals.append(Goal(text, ratio.median, 0.8, at_most=True))
    for name in found:
        rates = found[name].get("product", found["PyTorch"]["product"])[0]
        for task in TASKS:
            shares = [
                (flops[task] / mine) / (flops["product"] / its)
                for mine, its in zip(found[name][task][0], rates, strict=True)
            ]
            text = f"{task}, {name}: share of its matrix product's rate"
            series.append(Series(text, shares, ""))
    for name in ("pg2_jax", "PyTorch"):
        rates = [flops["product"] / s / 1e9 for s in found[name]["product"][0]]
        series.append(Series(f"matrix product, {name}", rates, "GFLOP/s"))
    return series, goals


def _first_steps(folder: pathlib.Path, *arguments: Any) -> list[Series]:
    """Seconds from the start of python to the end of the first step of stage I, with
    an empty cache of compiled programs and with a full one."""
    code = "from experiments import benchmark_train as b; b.take_first_step(*{!r})"
    command = [sys.executable, "-c", code.format((str(folder / "cache"), *arguments))]
    root = pathlib.Path(__file__).parents[2]
    series = []
    for name in ("cold", "warm"):
        begin = time.perf_counter()
        subprocess.run(command, check=True, cwd=root)
        seconds = time.perf_counter() - begin
        series.append(Series(f"start to first step, {name}", [seconds], "s"))
    return series


def take_first_step(
    cache: str,
    scale: float,
    image_size: tuple[int, int],
    batch_size: int,
    precision: str,
) -> None:
    """Takes one step of stage I, in a process of its own."""
    jax.config.update("jax_compilation_cache_dir", cache)
    Ours(make_architecture(scale, image_size, precision), batch_size).coarse_step()


def _schedule(
    found: dict[str, tuple[list[float], list[float]]],
    image_size: tuple[int, int],
    batch_size: int,
) -> list[Series]:
    """Hours of the paper's whole training at the measured seconds for an image."""
    if image_size not in _SCHEDULES:
        return []
    name, coarse, refine, paper_batch = _SCHEDULES[image_size]
    pairs = zip(found[TASKS[0]][0], found[TASKS[1]][0], strict=True)
    scale = paper_batch / batch_size / 3600
    hours = [scale * (coarse * first + refine * second) for first, second in pairs]
    text = f"the paper's {coarse:,} + {refine:,} steps on {name}, projected"
    return [Series(text, hours, "h")]
