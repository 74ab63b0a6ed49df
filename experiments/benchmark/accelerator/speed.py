"""What the device is, what it can do at best, and how fast the steps of --mode=train
and generation are on it, beside PG2 in PyTorch."""

import functools
import importlib
import importlib.util
import itertools
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator.report import PRECISIONS, Report
from experiments.config import Config
from pg2_jax import files

_ASKED = "name,memory.total,driver_version,clocks.max.sm,power.limit"
_COPIED = 2**30  # bytes
_SIDE = 8192  # of the matrices
# By name of the schedule, minutes on one H200.
_GOALS = {"Market-1501": 10, "DeepFashion": 60}
_MOST_CALLS = 1000
# Facts that later parts look up.
RATE = "matrix product, {} of jax, TFLOP/s"
_OURS = "{}, {} of jax, ms"


def measure_machine(report: Report) -> None:
    """Names what jax sees, and what nvidia-smi says."""
    device = jax.devices()[0]
    report.fact("platform", device.platform)
    report.fact("devices", f"{jax.device_count()} x {device.device_kind}")
    version = jax.extend.backend.get_backend().platform_version
    report.fact("platform of jax", " ".join(version.split()))
    memory = (device.memory_stats() or {}).get("bytes_limit")
    report.fact("memory for jax, GiB", memory and memory / 2**30)
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader"]
        with report.attempt("nvidia-smi"):
            said = subprocess.check_output(command, text=True, timeout=20)
            report.fact("nvidia-smi", "; ".join(said.splitlines()))


def measure_ceilings(report: Report) -> None:
    """Notes the rates; each fact has its unit in its name."""
    scale = min(1.0, report.settings.scale)
    count = max(2**16, round(_COPIED / 4 * scale))
    with report.attempt("copy"):
        numbers = jax.random.normal(jax.random.key(0), (count,), jnp.float32)
        # Reads all and writes all; the addition keeps XLA from dropping it.
        copy = functools.partial(jax.jit(lambda x: x + 1), numbers)
        rate = 2 * numbers.nbytes / timed(copy, report)
        report.fact("copy, GB/s, bytes read and written", rate / 1e9)
    side = max(256, round(_SIDE * scale))
    report.fact("side of the matrices", side)
    for precision in PRECISIONS:
        with report.attempt(f"matrix product, {precision}"):
            # Random numbers: of zeros a GPU computes faster than of any others.
            shape = (2, side, side)
            pair = jax.random.normal(jax.random.key(1), shape, jnp.dtype(precision))
            product = functools.partial(jax.jit(jnp.matmul), *pair)
            rate = 2 * side**3 / timed(product, report)
            report.fact(RATE.format(precision), rate / 1e12)


def measure_ours(report: Report) -> None:
    """Measures the most telling cases first: time may end in between."""
    several = report.settings.steps_per_call
    for precision in PRECISIONS:
        seconds = _measure(report, jax_peer, "pg2_jax", precision, several)
        for task, once in seconds.items():
            report.fact(_OURS.format(task, precision), 1000 * once)
    _measure(report, jax_peer, "pg2_jax", "bfloat16", several, "DeepFashion")
    for precision in PRECISIONS:
        _measure(report, jax_peer, "pg2_jax", precision, 1)


def measure_torch(report: Report) -> None:
    """Measures eager first: compiling takes long, and may fail."""
    if importlib.util.find_spec("torch") is None:
        needed = "PyTorch is not installed: pip install 'pg2_jax[benchmark]'"
        return report.end("left out", needed)
    platform = report.known("machine", "platform")
    if platform == "tpu":
        return report.end("left out", "PyTorch has no TPU here")
    torch_peer: Any = importlib.import_module("experiments.benchmark.torch_peer")
    if platform == "gpu" and torch_peer.DEVICE.type != "cuda":
        raise ValueError("PyTorch sees no GPU, jax does: install PyTorch for CUDA")
    report.fact("PyTorch", torch_peer.DESCRIPTION)
    for program, precision in itertools.product(torch_peer.PROGRAMS, PRECISIONS):
        _measure(report, torch_peer, program, precision, 1)


def _measure(
    report: Report,
    peers: Any,
    program: str,
    precision: str,
    steps_per_call: int,
    schedule: str = "Market-1501",
) -> dict[str, float]:
    """Times a program of `jax_peer` or `torch_peer` on images and batches as those of a
    schedule, which it projects; returns the seconds by task."""
    seconds: dict[str, float] = {}
    what = f"{program}, {schedule}, {precision}, {steps_per_call} steps a call"
    with report.attempt(what):
        config = _config(report, precision, steps_per_call, schedule)
        peer = peers.PROGRAMS[program](config)
        case = {"program": program, "precision": peers.precision(config)}
        rate = report.known("ceilings", RATE.format(precision))
        flops = jax_peer.task_flops(config)
        for task in jax_peer.TASKS:
            steps = 1 if task == "generation" else steps_per_call
            take = functools.partial(peer.take, task)
            seconds[task] = once = timed(take, report, peer.wait) / steps
            cells = {
                "task": task,
                **case,
                "steps a call": steps,
                "image": config.image_size,
                "batch": config.batch_size,
                "ms": 1000 * once,
                "images a second": config.batch_size / once,
                "TFLOP a step": flops[task] / 1e12,
                "share of matrix product": rate and flops[task] / once / (rate * 1e12),
                "memory, GiB": peer.memory_gib(task),
            }
            ours = report.known("our_speed", _OURS.format(task, precision))
            if peers is not jax_peer and ours:
                cells["pg2_jax / this"] = ours / 1000 / once
            report.row("Steps and generation", cells)
        first, second, _ = seconds.values()
        whole = jax_peer.schedule_seconds(schedule, first, second, config.batch_size)
        coarse, refine, batch = jax_peer.SCHEDULES[schedule]
        projected = {
            "schedule": f"{schedule}, {coarse:,} + {refine:,} steps of {batch}",
            **case,
            "steps a call": steps_per_call,
            "minutes": whole / 60,
            "goal": _GOALS[schedule],
            "reached": whole / 60 <= _GOALS[schedule],
        }
        report.row("Projected schedules", projected)
    return seconds


def _config(
    report: Report, precision: str, steps_per_call: int, schedule: str
) -> Config:
    settings = report.settings
    height, width = files.parse_size("image_size", settings.image_size)
    if schedule == "DeepFashion":  # 256x256 where Market-1501's are 128x64
        height, width = 2 * height, 4 * width
    *_, batch = jax_peer.SCHEDULES[schedule]
    size = f"{height}x{width}", settings.scaled(batch, least=2)
    return jax_peer.config(settings.scale, *size, precision, steps_per_call)


def timed(
    call: Callable[[], Any],
    report: Report,
    wait: Callable[[Any], Any] = jax.block_until_ready,
) -> float:
    """The median seconds of a call over some runs of many, at the end of which `wait`
    gets the last result: as in training, where the host runs ahead. Two calls before
    compile, and tell how many make a run, which is long enough for the clock."""

    def run(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            result = call()
        wait(result)
        return time.perf_counter() - begin

    run(1)
    once = max(run(1), 1e-6)
    count = round(0.5 * min(1.0, report.settings.scale) / once)
    count = max(1, min(_MOST_CALLS, count))
    return statistics.median(run(count) / count for _ in range(report.settings.repeats))
