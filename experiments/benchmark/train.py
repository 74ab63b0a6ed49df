"""How fast the networks train and generate, beside PG2 in PyTorch; and how fast those
of pg2plus, beside the paper's.

PyTorch's PG2 starts from the same weights, and computes the same losses and images of
one batch of random pairs; ours derives heat maps and masks inside the step, PyTorch is
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

from data_prep import workers
from experiments.benchmark import jax_peer, measurement
from experiments.benchmark.jax_peer import TASKS
from experiments.benchmark.measurement import Clocks, Measurement, Series
from experiments.config import Config
from pg2_jax.checkpoint import checkpointer

_SCHEDULES = {"128x64": "Market-1501", "256x256": "DeepFashion"}
_ROOT = pathlib.Path(__file__).parents[2]
_PRODUCT = "matrix product"
_STEPS_OF_PLUS = 8  # in one of which D pays for its gradient

# By task and program; the calls end when their work is done.
Programs = dict[tuple[str, str], Callable[[], Any]]
Times = dict[tuple[str, str], Clocks]


def measure(
    folder: pathlib.Path,
    *,
    repeats: int,
    torch_compile: bool,
    first_step: bool,
    **size: Any,
) -> Measurement:
    """Measures pg2_jax and PyTorch with the networks and the batch of `size`, which is
    for `jax_peer.config`; the folder holds checkpoints, and the compiled programs whose
    effect on the first step is measured."""
    torch_peer = _torch()
    _check_same_device(torch_peer.DEVICE.type)
    torch_peer.torch.set_num_threads(workers.num_cores())
    config = jax_peer.config(**size)
    ours = jax_peer.Peer(config)
    side = max(256, round(4096 * size["scale"]))
    calls = {"pg2_jax": _finished(jax_peer, ours.calls, side)}
    for name, make in torch_peer.PROGRAMS.items():
        if torch_compile or "compiled" not in name:
            calls[name] = _finished(torch_peer, make(config).calls, side)
    programs = _by_task(calls)
    difference = _largest_difference(measurement.take_once(programs))
    times = measurement.take_turns(programs, repeats)
    flops = jax_peer.task_flops(config) | {_PRODUCT: 2 * side**3}
    series = _compare(times) + _shares(times, flops)
    if first_step:
        series += _first_steps(folder, size)
    series += _schedule(times, config) + _checkpoints(folder, ours.state, repeats)
    facts = jax_peer.facts(config) | {
        "largest difference of a value": difference,
        "PyTorch": f"{torch_peer.description()}, {torch_peer.precision(config)}",
    }
    return Measurement(series, facts)


def measure_plus(folder: pathlib.Path, *, repeats: int, **size: Any) -> Measurement:
    """Measures the networks of pg2plus and of the paper, equally wide."""
    config = jax_peer.config(**size)
    plus = jax_peer.config(**size, more=jax_peer.PLUS)
    calls = {
        name: _finished(jax_peer, jax_peer.Peer(own).calls)
        for name, own in {"pg2plus": plus, "PG2": config}.items()
    }
    programs = _by_task(calls)
    measurement.take_once(programs)
    times = measurement.take_turns(programs, repeats, calls=_STEPS_OF_PLUS)
    return Measurement(_compare(times), jax_peer.facts(config))


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


def _finished(
    peers: Any, calls: dict[str, Callable[[], Any]], side: int = 0
) -> dict[str, Callable[[], Any]]:
    """Calls that end when their work is done; and one for a product of matrices with
    this side."""
    product = {_PRODUCT: peers.product(side)} if side else {}
    return {
        task: functools.partial(lambda call: peers.wait(call()), call)
        for task, call in (calls | product).items()
    }


def _by_task(calls: dict[str, dict[str, Callable[[], Any]]]) -> Programs:
    tasks = next(iter(calls.values()))
    return {(task, name): calls[name][task] for task in tasks for name in calls}


def _largest_difference(results: dict[tuple[str, str], Any]) -> float:
    """The largest relative difference of a loss from PyTorch's. The losses come before
    the updates of a step."""
    differences = [
        float(loss) / float(results[task, "PyTorch"]) - 1
        for (task, _), loss in results.items()
        if task in TASKS[:2]
    ]
    return max(map(abs, differences))


def _compare(times: Times) -> list[Series]:
    """Seconds, and ratios of the first program's to the others'."""
    series = []
    for task in TASKS:
        own = {name: clocks for (of, name), clocks in times.items() if of == task}
        series += measurement.compare(own, of=task)
    return series


def _shares(times: Times, flops: dict[str, float]) -> list[Series]:
    """Shares of the rate of a matrix product, which is the last of the tasks, and that
    rate."""
    series = []
    for program in dict.fromkeys(name for _, name in times):
        *rates, product = (
            Series(
                f"{task}, {program}",
                [count / s / 1e9 for s in times[task, program][0]],
                "GFLOP/s",
            )
            for task, count in flops.items()
        )
        for rate in rates:
            text = f"{rate.name}: share of its matrix product's rate"
            series.append(rate.over(product, text))
        series.append(product)
    return series


def _first_steps(folder: pathlib.Path, size: dict[str, Any]) -> list[Series]:
    """Seconds from the start of python to the end of the first step of stage I, with
    an empty cache of compiled programs and with a full one."""
    code = (
        "from experiments.benchmark import jax_peer as j; "
        f"j.wait(j.Peer(j.config(**{size!r})).calls[j.TASKS[0]]())"
    )
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-c", code]
    series = []
    for name in ("cold", "warm"):
        begin = time.perf_counter()
        subprocess.run(command, check=True, cwd=_ROOT, env=environment)
        seconds = time.perf_counter() - begin
        series.append(Series(f"start to first step, {name}", [seconds], "s"))
    return series


def _schedule(times: Times, config: Config) -> list[Series]:
    """Hours of the paper's whole training at the measured seconds of a step."""
    if config.image_size not in _SCHEDULES:
        return []
    name = _SCHEDULES[config.image_size]
    coarse, refine, _ = jax_peer.SCHEDULES[name]
    first, second = (times[task, "pg2_jax"][0] for task in TASKS[:2])
    hours = [
        jax_peer.schedule_seconds(name, *steps, config.batch_size) / 3600
        for steps in zip(first, second, strict=True)
    ]
    text = f"the paper's {coarse:,} + {refine:,} steps on {name}, projected"
    return [Series(text, hours, "h")]


def _checkpoints(folder: pathlib.Path, state: Any, repeats: int) -> list[Series]:
    """Size and seconds of a checkpoint with its checksums; it is read back from the
    system's memory if there is enough of it."""

    def save_and_restore(workdir: str) -> tuple[float, float, float]:
        saver = checkpointer.Checkpointer(workdir, {})
        pause, _ = measurement.seconds(lambda: saver.save(state))
        rest, _ = measurement.seconds(saver.close)
        reader = checkpointer.Checkpointer(workdir, {})
        restore, _ = measurement.seconds(
            lambda: jax.block_until_ready(reader.restore_latest(state))
        )
        reader.close()
        return pause, pause + rest, restore

    times = [save_and_restore(str(folder / str(i))) for i in range(repeats)]
    pauses, saves, restores = zip(*times, strict=True)
    files = [path for path in (folder / "0").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 2**30
    return [
        Series("checkpoint: size on disk", [size], "GiB"),
        Series("checkpoint: training paused", pauses, "s"),
        Series("checkpoint: save, in the background", saves, "s"),
        Series("checkpoint: restore and compare checksums", restores, "s"),
    ]
