"""--mode=train --dry_run: what a training would be and take, without training."""

import dataclasses
import datetime
import functools
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import rich.console
import rich.table

from data_prep import flag_fields
from experiments import command_line, config_compatibility
from experiments.config import Config
from experiments.train import training_steps
from experiments.train.training_steps import Photos
from pg2_jax import sharding
from pg2_jax.input_pipeline.pair_reader import PairDataset

_TIMED_STEPS = 3


def show(config: Config, dataset: PairDataset, photos: Photos) -> None:
    """Prints settings, networks and costs, with photos on the devices if any are."""
    stored = config_compatibility.newest(config)
    config_compatibility.check_unchanged(stored and stored[1], config, dataset.metadata)
    done = stored[0] if stored else 0
    console = rich.console.Console()
    console.print(_settings(config))
    # Drawing the weights takes a compilation, too.
    shapes = training_steps.state_shapes(config)
    networks = _table(
        "Networks", "network", "parameters", "with optimizer and average, MiB"
    )
    for name, player in shapes.players.items():
        size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(player))
        networks.add_row(name, f"{player.size:,}", f"{size / 2**20:,.1f}")
    console.print(networks)
    noise = training_steps.random_batch(
        config.batch_size, dataset.height, dataset.width
    )
    if photos is not None:
        some = np.arange(config.batch_size, dtype=np.int32) % len(photos)
        noise = {**noise, "source_image": some, "target_image": some}
    fed = sharding.put_batch(noise, sharding.data_mesh()), photos
    first, second = training_steps.compiled(config)
    one = "stage I" if config.stages == "two_stage" else f"stage {config.stages}"
    in_two = config.total_steps - max(done, config.coarse_steps)
    stages = (one, first, config.coarse_steps - done), ("stage II", second, in_two)
    lowered = {}
    for name, stage, count in stages:
        if count > 0:
            lowered[name] = stage.step.lower(shapes, *fed), count
            console.print(_estimate(name, *lowered[name]), soft_wrap=True)
    costs = _table(
        f"Steps of {config.batch_size} pairs; FLOPs and memory: XLA's analysis of the "
        "compiled step, for one device",
        *("", "steps left", "GFLOPs", "memory, MiB", "s a step", "images/s", "time"),
    )
    state, total = training_steps.first_state(config), 0.0
    for name, (step, count) in lowered.items():
        console.print(f"Compiling and timing {name} ...")
        program = step.compile()
        state, timed = _timed(program, state, *fed)
        seconds = statistics.median(timed)
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


def _settings(config: Config) -> rich.table.Table:
    names = ("", "flag", "value", "default")
    columns = (rich.table.Column(name, overflow="fold") for name in names)
    table = rich.table.Table(*columns, title="Settings; * is not the default")
    for field in dataclasses.fields(config):
        if command_line.takes("train", field):
            name, value = f"--{field.name}", getattr(config, field.name)
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            if value == field.default:
                table.add_row("", name, shown, "")
            else:
                default = flag_fields.default_text(field)
                table.add_row("*", name, shown, default, style="bold")
    return table


def _table(title: str, first: str, *numbers: str) -> rich.table.Table:
    columns = (rich.table.Column(name, justify="right") for name in numbers)
    return rich.table.Table(first, *columns, title=title)


def _estimate(name: str, lowered: jax.stages.Lowered, count: int) -> str:
    """How long a stage takes at a matrix product's speed, known before compiling."""
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
    multiply = jax.jit(lambda matrix: (matrix @ matrix / size, ()))
    _, seconds = _timed(multiply, jnp.ones((size, size), jnp.float32))
    return 2 * size**3 / min(seconds)


def _timed(program: Any, state: Any, *fed: Any) -> tuple[Any, list[float]]:
    """The state after some steps, and the seconds of each but the first, slower one."""
    seconds = []
    for _ in range(1 + _TIMED_STEPS):
        begin = time.monotonic()
        state, metrics = program(state, *fed)
        jax.block_until_ready((state, metrics))
        seconds.append(time.monotonic() - begin)
    return state, seconds[1:]


def _rounded(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=round(seconds))
