"""--mode=train --dry_run: what a training would be and take, without training."""

import dataclasses
import datetime
import functools
import statistics
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import rich.console
import rich.table

from experiments import config_compatibility
from experiments.config import Config
from experiments.train import training_steps
from pg2_jax import sharding, train_state
from pg2_jax.architecture import Architecture
from pg2_jax.input_pipeline import pair_reader

_GROUPS = ("Program", "Networks", "Training", "Validation", "Devices", "Reporting")
_TIMED_STEPS = 3


def show(
    config: Config,
    architecture: Architecture,
    dataset: pair_reader.PairDataset,
    photos: jax.Array | None,
) -> None:
    """Prints settings, networks and costs, those of photos on the devices included;
    writes nothing."""
    stored = config_compatibility.newest(config)
    config_compatibility.check_unchanged(stored and stored[1], config, dataset.metadata)
    done = stored[0] if stored else 0
    console = rich.console.Console()
    console.print(_settings(config))
    mesh = sharding.data_mesh()
    first, second = training_steps.compiled(config, architecture, mesh)
    # Drawing the weights takes a compilation, too.
    shapes = training_steps.state_shapes(config, architecture, mesh)
    console.print(_networks(shapes))
    steps = _steps(config, done)
    costs = _table(
        f"Steps of {config.batch_size} pairs; FLOPs and memory: XLA's analysis of the "
        "compiled step, for one device",
        ("", "steps left", "GFLOPs", "memory, MiB", "s a step", "images/s", "time"),
    )
    size = dataset.height, dataset.width
    noise = training_steps.random_batch(config.batch_size, *size)
    if photos is not None:
        some = np.arange(config.batch_size, dtype=np.int32) % len(photos)
        noise = {**noise, "source_image": some, "target_image": some}
    batch = sharding.put_batch(noise, mesh)
    lowered = {}
    for name, count in steps.items():
        stage = second if name == "stage II" else first
        lowered[name] = stage.step.lower(shapes, batch, photos)
        console.print(_estimate(name, lowered[name], count), soft_wrap=True)
    state = training_steps.first_state(config, architecture, mesh)
    total = 0.0
    for name, count in steps.items():
        console.print(f"Compiling and timing {name} ...")
        program = lowered[name].compile()
        state, seconds = _timed(program, state, (batch, photos))
        memory = training_steps.planned_bytes(program)
        flops = (program.cost_analysis() or {}).get("flops", float("nan"))
        costs.add_row(
            name,
            f"{count:,}",
            f"{flops / 1e9:,.3g}",
            "?" if memory is None else f"{memory / 2**20:,.0f}",
            f"{seconds:.3g}",
            f"{config.batch_size / seconds:,.3g}",
            str(_rounded(count * seconds)),
        )
        total += count * seconds
    console.print(costs)
    device = jax.devices()[0].device_kind
    console.print(
        f"{config.workdir}: {dataset.count('train'):,} training pairs; step "
        f"{done:,} of {config.total_steps:,} is done. About {_rounded(total)} are "
        f"left on {jax.device_count()} x {device}: remaining steps times the median "
        f"of {_TIMED_STEPS} measured steps on random data. This does not include "
        "reading the data, compiling, evaluations, pictures and checkpoints. "
        "Nothing was written.",
        soft_wrap=True,
    )


def _steps(config: Config, done: int) -> dict[str, int]:
    """The steps that are left of each stage, if any."""
    name = "stage I" if config.stages == "two_stage" else f"stage {config.stages}"
    left = {
        name: config.coarse_steps - done,
        "stage II": config.total_steps - max(done, config.coarse_steps),
    }
    return {name: count for name, count in left.items() if count > 0}


def _settings(config: Config) -> rich.table.Table:
    table = rich.table.Table(title="Settings; * is not the default")
    for column in ("", "flag", "value", "default"):
        table.add_column(column, overflow="fold")
    for field in dataclasses.fields(config):
        modes = field.metadata["modes"]
        if field.metadata["group"] in _GROUPS and (not modes or "train" in modes):
            value = getattr(config, field.name)
            changed = value != field.default
            row = ("*" if changed else "", f"--{field.name}", _text(value))
            default = _text(field.default) if changed else ""
            table.add_row(*row, default, style="bold" if changed else None)
    return table


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _networks(state: train_state.TrainState) -> rich.table.Table:
    """Parameters by network, and the bytes of the state that belong to it."""
    columns = "network", "parameters", "with optimizer and average, MiB"
    table = _table("Networks", columns)
    for name, player in state.players.items():
        size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(player))
        table.add_row(name, f"{player.size:,}", f"{size / 2**20:,.1f}")
    return table


def _table(title: str, columns: Sequence[str]) -> rich.table.Table:
    table = rich.table.Table(columns[0], title=title)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _estimate(name: str, lowered: jax.stages.Lowered, count: int) -> str:
    """How long the steps of a stage take if they compute as fast as a large matrix
    product; known long before they are compiled."""
    flops = (lowered.cost_analysis() or {}).get("flops", 0.0)
    if not flops:
        return f"{name}: XLA does not say how much a step computes."
    rate = _matrix_product_rate()
    seconds = flops / rate / jax.device_count()
    return (
        f"{name}: {flops / 1e9:,.3g} GFLOPs a step, and a matrix product here runs at "
        f"{rate / 1e9:,.3g} GFLOP/s: at best {seconds:.2g} s a step, "
        f"{_rounded(count * seconds)} for {count:,} steps. Compiling, to measure it, "
        "can take minutes; Ctrl-C ends it."
    )


@functools.cache
def _matrix_product_rate(size: int = 1024) -> float:
    """Operations a second of one device, the best of some float32 products."""
    multiply = jax.jit(jnp.matmul)
    matrix = jnp.ones((size, size), jnp.float32)
    seconds = []
    for _ in range(1 + _TIMED_STEPS):
        begin = time.monotonic()
        jax.block_until_ready(multiply(matrix, matrix))
        seconds.append(time.monotonic() - begin)
    return 2 * size**3 / min(seconds)


def _timed(
    program: jax.stages.Compiled, state: train_state.TrainState, fed: Any
) -> tuple[train_state.TrainState, float]:
    """The state after some steps, and the median of the seconds of one."""
    seconds = []
    for _ in range(1 + _TIMED_STEPS):
        begin = time.monotonic()
        state, metrics = program(state, *fed)
        jax.block_until_ready((state, metrics))
        seconds.append(time.monotonic() - begin)
    # The first is slower than the others will be.
    return state, statistics.median(seconds[1:])


def _rounded(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=round(seconds))
