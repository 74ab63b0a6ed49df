"""How fast the networks train and generate, beside PG2 in PyTorch; and how fast those
of pg2plus do, beside the paper's.

PyTorch's PG2 starts from the same weights, and computes the same losses and images of
one batch of random pairs; ours derives heat maps and masks inside the step.
"""

import functools
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from data_prep import workers
from experiments.benchmark import jax_peer, measurement
from experiments.benchmark.jax_peer import PRODUCT, TASKS
from experiments.benchmark.measurement import Clocks, Measurement, Series
from experiments.config import Config
from pg2_jax.checkpoint import checkpointer

_SCHEDULES = {"128x64": "Market-1501", "256x256": "DeepFashion"}
_ROOT = pathlib.Path(__file__).parents[2]
_STEPS_OF_PLUS = 8  # in one of which D pays for its gradient

Times = dict[tuple[str, str], Clocks]  # by task and program


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
    needed = "--what=train compares with PyTorch: pip install -e '.[benchmark]'"
    torch_peer = measurement.imported("experiments.benchmark.torch_peer", needed)
    _check_same_device(torch_peer.DEVICE.type)
    torch_peer.torch.set_num_threads(workers.num_cores())
    config = jax_peer.config(**size)
    peers = {
        name: make(config)
        for name, make in (jax_peer.PROGRAMS | torch_peer.PROGRAMS).items()
        if torch_compile or "compiled" not in name
    }
    programs = _programs(peers, (*TASKS, PRODUCT))
    difference = _largest_difference(measurement.take_once(programs))
    times = measurement.take_turns(programs, repeats, untimed=1)
    series = _compare(times) + _shares(times, jax_peer.task_flops(config))
    if first_step:
        series += _first_steps(folder, size)
    series += _schedule(times, config)
    series += _checkpoints(folder, peers["pg2_jax"].state, repeats)
    facts = jax_peer.facts(config) | {
        "largest difference of a value": difference,
        "PyTorch": f"{torch_peer.DESCRIPTION}, {torch_peer.precision(config)}",
    }
    return Measurement(series, facts)


def measure_plus(folder: pathlib.Path, *, repeats: int, **size: Any) -> Measurement:
    """Measures the networks of pg2plus and of the paper, equally wide."""
    config = jax_peer.config(**size)
    plus = jax_peer.config(**size, more=jax_peer.PLUS)
    peers = {"pg2plus": jax_peer.Peer(plus), "PG2": jax_peer.Peer(config)}
    programs = _programs(peers, TASKS)
    measurement.take_once(programs)
    calls = _STEPS_OF_PLUS
    times = measurement.take_turns(programs, repeats, calls=calls, untimed=1)
    return Measurement(_compare(times), jax_peer.facts(config))


def _check_same_device(of_torch: str) -> None:
    ours = jax.default_backend()
    if (ours == "gpu") != (of_torch == "cuda") or ours == "tpu":
        raise ValueError(
            f"--what=train compares on one device, and jax computes on {ours}, PyTorch "
            f"on {of_torch}: install the other for it, too, or compare on the CPU with "
            "JAX_PLATFORMS=cpu and CUDA_VISIBLE_DEVICES= in front of the command."
        )


def _programs(
    peers: Mapping[str, Any], tasks: Sequence[str]
) -> dict[tuple[str, str], Callable[[], Any]]:
    """By task and program, calls that end when their work is done."""

    def finish(task: str, name: str) -> Any:
        return peers[name].wait(peers[name].take(task))

    keys = itertools.product(tasks, peers)
    return {key: functools.partial(finish, *key) for key in keys}


def _largest_difference(results: dict[tuple[str, str], Any]) -> float:
    """The largest relative difference of a loss, before any update, from PyTorch's."""
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
        series += measurement.compare(own, of=f"{task}, ")
    return series


def _shares(times: Times, flops: dict[str, float]) -> list[Series]:
    """Shares of the rate of the product, which is the last of the tasks, and it."""
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
        f"j.Peer.wait(j.Peer(j.config(**{size!r})).take(j.TASKS[0]))"
    )
    command = [sys.executable, "-c", code]
    cached = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(folder / "cache")}
    run = functools.partial(subprocess.check_call, command, cwd=_ROOT, env=cached)
    return [
        Series(f"start to first step, {name}", [measurement.seconds(run)[0]], "s")
        for name in ("cold", "warm")
    ]


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
    """Size and seconds of a checkpoint, which the system may read back from memory."""

    def save_and_restore(workdir: pathlib.Path) -> tuple[float, ...]:
        saver = checkpointer.Checkpointer(str(workdir), {})
        pause, _ = measurement.seconds(lambda: saver.save(state))
        rest, _ = measurement.seconds(saver.close)
        reader = checkpointer.Checkpointer(str(workdir), {})
        restore, _ = measurement.seconds(
            lambda: jax.block_until_ready(reader.restore_latest(state))
        )
        reader.close()
        size = sum(x.stat().st_size for x in workdir.rglob("*") if x.is_file())
        shutil.rmtree(workdir)  # The disk need hold no more than one.
        return size / 2**30, pause, pause + rest, restore

    times = [save_and_restore(folder / str(i)) for i in range(repeats)]
    sizes, pauses, saves, restores = zip(*times, strict=True)
    return [
        Series("checkpoint: size on disk", sizes, "GiB"),
        Series("checkpoint: training paused", pauses, "s"),
        Series("checkpoint: save, in the background", saves, "s"),
        Series("checkpoint: restore and compare checksums", restores, "s"),
    ]
