"""--mode=train --dry_run: what a training would be and take, without training."""

import dataclasses
import datetime
import statistics
import time
from typing import Any

import jax
import numpy as np
import rich.console
import rich.table
from jax.sharding import Mesh

from experiments import config_compatibility
from experiments.config import Config
from experiments.train import training_steps
from pg2_jax import sharding, train_state
from pg2_jax.architecture import Architecture
from pg2_jax.input_pipeline import pair_reader

_GROUPS = ("Program", "Networks", "Training", "Validation", "Devices", "Reporting")
_TIMED_STEPS = 3


@dataclasses.dataclass(frozen=True)
class Cost:
    """What the steps of a stage take, on one device."""

    steps_left: int
    flops: float  # of one step, as XLA counts them in the compiled program
    memory: int | None  # bytes, as XLA plans them; None where it does not say
    seconds: float  # of one step, the median of a few


def show(
    config: Config,
    architecture: Architecture,
    dataset: pair_reader.PairDataset,
) -> None:
    """Prints settings, networks and costs; writes nothing.

    Raises:
        ValueError: the workdir holds another run.
    """
    stored = config_compatibility.newest(config)
    config_compatibility.check_unchanged(stored and stored[1], config, dataset.metadata)
    done = stored[0] if stored else 0
    console = rich.console.Console()
    console.print(_settings(config))
    mesh = sharding.data_mesh()
    stages = training_steps.compiled(config, architecture, mesh)
    state = training_steps.first_state(config, architecture, stages, mesh)
    console.print(_networks(state))
    steps = _steps(config, done)
    console.print(f"Compiling and timing {' and '.join(steps) or 'nothing'} ...")
    costs = {}
    for name, count in steps.items():
        stage = stages.second if name == "stage II" else stages.first
        state, costs[name] = _cost(stage, state, config, count, mesh)
    console.print(_costs(config, costs))
    total = sum(cost.steps_left * cost.seconds for cost in costs.values())
    device = jax.devices()[0].device_kind
    console.print(
        f"{config.workdir}: {dataset.count('train'):,} training pairs; step {done:,} "
        f"of {config.total_steps:,} is done. About {_rounded(total)} are left on "
        f"{jax.device_count()} x {device}: remaining steps times the median of "
        f"{_TIMED_STEPS} measured steps on random data. Reading the data, compiling, "
        "evaluations, pictures and checkpoints come on top. Nothing was written.",
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
    table = rich.table.Table(title="Networks")
    table.add_column("network")
    table.add_column("parameters", justify="right")
    table.add_column("with optimizer and average, MiB", justify="right")
    for name, player in state.players.items():
        size = sum(x.nbytes for x in jax.tree.leaves(player))
        table.add_row(name, f"{player.size:,}", f"{size / 2**20:,.1f}")
    return table


def _cost(
    stage: training_steps.Stage,
    state: train_state.TrainState,
    config: Config,
    count: int,
    mesh: Mesh,
) -> tuple[train_state.TrainState, Cost]:
    """Compiles a step, takes some, and returns the state after them, and the cost."""
    batch = sharding.put_batch(_random_batch(config), mesh)
    program = stage.step.lower(state, batch).compile()
    seconds = []
    for _ in range(1 + _TIMED_STEPS):
        begin = time.monotonic()
        state, metrics = program(state, batch)
        jax.block_until_ready((state, metrics))
        seconds.append(time.monotonic() - begin)
    memory = training_steps.planned_bytes(program)
    flops = (program.cost_analysis() or {}).get("flops", float("nan"))
    # The first is slower than the others will be.
    return state, Cost(count, flops, memory, statistics.median(seconds[1:]))


def _random_batch(config: Config) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    sizes = config.to_json()
    height, width = sizes["image_height"], sizes["image_width"]
    count = config.batch_size
    points = random.uniform(0, 1, (2, count, 18, 3)) * [width, height, 1]
    points[..., 2] = 1
    images = random.integers(0, 256, (2, count, height, width, 3), np.uint8)
    return {
        "source_image": images[0],
        "target_image": images[1],
        "source_keypoints": points[0].astype(np.float32),
        "target_keypoints": points[1].astype(np.float32),
    }


def _costs(config: Config, costs: dict[str, Cost]) -> rich.table.Table:
    table = rich.table.Table(
        title=f"Steps of {config.batch_size} pairs; FLOPs and memory: XLA's analysis "
        "of the compiled step, for one device"
    )
    table.add_column("")
    columns = "steps left", "GFLOPs", "memory, MiB", "s a step", "images/s", "time"
    for column in columns:
        table.add_column(column, justify="right")
    for name, cost in costs.items():
        memory = "?" if cost.memory is None else f"{cost.memory / 2**20:,.0f}"
        table.add_row(
            name,
            f"{cost.steps_left:,}",
            f"{cost.flops / 1e9:,.3g}",
            memory,
            f"{cost.seconds:.3g}",
            f"{config.batch_size / cost.seconds:,.3g}",
            str(_rounded(cost.steps_left * cost.seconds)),
        )
    return table


def _rounded(seconds: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=round(seconds))
