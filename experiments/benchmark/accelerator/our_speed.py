"""How fast the steps of --mode=train and generation are on this device."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator import plan, rates
from experiments.benchmark.accelerator.report import Report
from experiments.train import training_steps
from pg2_jax import generation, sharding

TABLE = "Steps and generation"
SCHEDULES = "Projected schedules"


def fact_name(task: str, precision: str) -> str:
    """The fact that holds our milliseconds, for the peer to be compared with."""
    return f"{task}, {precision} of jax, ms"


class _Case(NamedTuple):
    """A training to measure: of a schedule, on images of (height, width)."""

    schedule: str
    size: tuple[int, int]
    batch_size: int
    precision: str
    steps_per_call: int


def measure(settings: plan.Settings, report: Report) -> None:
    """Measures the most telling cases first: time may end in between."""
    market = "Market-1501", settings.image_size, settings.batch_size
    large = "DeepFashion", settings.large_size, settings.large_batch_size
    several = settings.steps_per_call
    for precision in rates.TRAINED:
        _attempt(settings, report, _Case(*market, precision, several))
    for precision in rates.TRAINED:
        with report.attempt(f"generation, {precision}"):
            _generation(settings, report, precision)
    _attempt(settings, report, _Case(*large, "bfloat16", several))
    for precision in rates.TRAINED:
        _attempt(settings, report, _Case(*market, precision, 1))


def _attempt(settings: plan.Settings, report: Report, case: _Case) -> None:
    what = f"{case.schedule}, {case.precision}, {case.steps_per_call} steps a call"
    with report.attempt(what):
        _training(settings, report, case)


def _training(settings: plan.Settings, report: Report, case: _Case) -> None:
    """Both stages, one after the other on one state, and the schedule."""
    several = case.steps_per_call > 1
    own = {k: v for k, v in case._asdict().items() if k != "schedule"}
    config = plan.config(plan.flags(settings, "paper", **own))
    architecture = training_steps.architecture_of(config)
    sharding.check_batch_size(config.batch_size)
    mesh = sharding.data_mesh()
    state = training_steps.first_state(config)
    noise = training_steps.random_batch(case.batch_size, *case.size)
    batch = (
        sharding.put_batches([noise] * case.steps_per_call, mesh)
        if several
        else sharding.put_batch(noise, mesh)
    )
    seconds = []
    stages = training_steps.compiled(config)
    for task, stage in zip(jax_peer.TASKS, stages, strict=False):
        take = stage.steps if several else stage.step
        program, compiling = _compiled(take.lower(state, batch, None))

        def call(program: Callable = program) -> Any:
            nonlocal state
            state, metrics = program(state, batch, None)
            return metrics

        once = rates.timed(call, settings) / case.steps_per_call
        seconds.append(once)
        if case.schedule == "Market-1501" and several:
            report.fact(fact_name(task, case.precision), 1000 * once)
        flops = jax_peer.task_flops(architecture, case.batch_size)[task]
        cells = _cells(settings, task, case, once, flops, program)
        report.row(TABLE, **cells, seconds_to_compile=compiling)
    first, second = seconds
    more: dict[str, Any] = {"program": "pg2_jax", "steps_a_call": case.steps_per_call}
    more["precision"] = rates.title(case.precision)
    cells = rates.schedule(case.schedule, (first, second), case.batch_size, **more)
    report.row(SCHEDULES, **cells)


def _generation(settings: plan.Settings, report: Report, precision: str) -> None:
    size, batch_size = settings.image_size, settings.batch_size
    architecture = jax_peer.paper_architecture(settings.scale, size, precision)
    state = jax_peer.first_state(architecture)
    batch = jax.device_put(training_steps.random_batch(batch_size, *size))
    arguments = (
        state.coarse.params,
        state.refine.params,
        batch["source_image"],
        batch["source_keypoints"],
        batch["target_keypoints"],
    )
    generate = generation.compiled_generate()
    program, compiling = _compiled(
        generate.lower(*arguments, architecture=architecture)
    )
    seconds = rates.timed(lambda: program(*arguments), settings)
    task = jax_peer.TASKS[-1]
    report.fact(fact_name(task, precision), 1000 * seconds)
    case = _Case("Market-1501", size, batch_size, precision, 1)
    flops = jax_peer.task_flops(architecture, batch_size)[task]
    cells = _cells(settings, task, case, seconds, flops, program)
    report.row(TABLE, **cells, seconds_to_compile=compiling)


def _compiled(lowered: jax.stages.Lowered) -> tuple[jax.stages.Compiled, float]:
    """The program, and the seconds that compiling took."""
    begin = time.perf_counter()
    program = lowered.compile()
    return program, time.perf_counter() - begin


def _cells(
    settings: plan.Settings,
    task: str,
    case: _Case,
    seconds: float,
    flops: float,
    program: jax.stages.Compiled,
) -> dict[str, Any]:
    share = rates.share(settings.facts, case.precision, flops, seconds)
    memory = training_steps.planned_bytes(program)
    # XLA's count of a loop is that of one round.
    by_xla = (program.cost_analysis() or {}).get("flops")
    return {
        "task": task,
        "image": "{}x{}".format(*case.size),
        "batch": case.batch_size,
        "precision": rates.title(case.precision),
        "steps_a_call": case.steps_per_call,
        "ms": 1000 * seconds,
        "images_a_second": case.batch_size / seconds,
        "TFLOP_a_step": flops / 1e12,
        "share_of_matrix_product": share,
        f"at_least_{plan.SHARE_GOAL}": share and share >= plan.SHARE_GOAL,
        "memory_GiB": memory and memory / 2**30,
        "TFLOP_by_XLA": by_xla / 1e12 if by_xla and case.steps_per_call == 1 else None,
    }
