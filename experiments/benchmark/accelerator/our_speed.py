"""How fast the steps of --mode=train and generation are on this device."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator import plan, rates, runs
from experiments.benchmark.accelerator.report import Report
from experiments.train import training_steps
from pg2_jax import generation, sharding
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore

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
    config = runs.config(
        runs.flags(
            settings,
            "paper",
            precision=case.precision,
            steps_per_call=case.steps_per_call,
            size=case.size,
            batch_size=case.batch_size,
        )
    )
    architecture = restore.architecture_of(config.to_json())
    sharding.check_batch_size(config.batch_size)
    mesh = sharding.data_mesh()
    stages = training_steps.compiled(config, architecture, mesh)
    state = training_steps.first_state(config, architecture, mesh)
    batch = _batch(case, mesh)
    operations = jax_peer.task_flops(architecture, case.batch_size)
    seconds = []
    for task, stage in zip(jax_peer.TASKS, stages, strict=False):
        take = stage.step if case.steps_per_call == 1 else stage.steps
        begin = time.perf_counter()
        program = take.lower(state, batch, None).compile()
        compiling = time.perf_counter() - begin
        calls = _Calls(program, state, batch)
        once = rates.timed(calls, settings) / case.steps_per_call
        state = calls.state
        seconds.append(once)
        if case.schedule == "Market-1501" and case.steps_per_call > 1:
            report.fact(fact_name(task, case.precision), 1000 * once)
        speed = _cells(settings, task, case, once, operations[task])
        report.row(TABLE, **speed, **_of_program(program, case, compiling))
    first, second = seconds
    cells = rates.schedule(
        case.schedule,
        (first, second),
        case.batch_size,
        program="pg2_jax",
        precision=rates.title(case.precision),
        steps_a_call=case.steps_per_call,
    )
    report.row(SCHEDULES, **cells)


def _cells(
    settings: plan.Settings, task: str, case: _Case, seconds: float, flops: float
) -> dict[str, Any]:
    share = rates.share(settings.facts, case.precision, flops, seconds)
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
    }


def _batch(case: _Case, mesh: jax.sharding.Mesh) -> Any:
    noise = training_steps.random_batch(case.batch_size, *case.size)
    if case.steps_per_call == 1:
        return sharding.put_batch(noise, mesh)
    return sharding.put_batches([noise] * case.steps_per_call, mesh)


class _Calls:
    """Calls of a step, each of which takes the state of the one before."""

    def __init__(self, program: Callable[..., Any], state: Any, batch: Any):
        self.state = state
        self._program, self._batch = program, batch

    def __call__(self) -> Any:
        self.state, metrics = self._program(self.state, self._batch, None)
        return metrics


def _of_program(
    program: jax.stages.Compiled, case: _Case, compiling: float
) -> dict[str, Any]:
    """What XLA says of a program; its count of a loop is that of one round."""
    memory = training_steps.planned_bytes(program)
    flops = (program.cost_analysis() or {}).get("flops")
    return {
        "memory_GiB": memory and memory / 2**30,
        "TFLOP_by_XLA": flops / 1e12 if flops and case.steps_per_call == 1 else None,
        "seconds_to_compile": compiling,
    }


def _generation(settings: plan.Settings, report: Report, precision: str) -> None:
    size, batch_size = settings.image_size, settings.batch_size
    case = _Case("Market-1501", size, batch_size, precision, 1)
    architecture: Architecture = jax_peer.paper_architecture(
        settings.scale, size, precision
    )
    state = jax_peer.first_state(architecture)
    batch = jax.device_put(training_steps.random_batch(batch_size, *size))
    arguments = (
        state.coarse.params,
        state.refine.params,
        batch["source_image"],
        batch["source_keypoints"],
        batch["target_keypoints"],
    )
    begin = time.perf_counter()
    generate = generation.compiled_generate()
    lowered = generate.lower(*arguments, architecture=architecture)
    program = lowered.compile()
    compiling = time.perf_counter() - begin
    seconds = rates.timed(lambda: program(*arguments), settings)
    task = jax_peer.TASKS[-1]
    flops = jax_peer.task_flops(architecture, batch_size)[task]
    report.fact(fact_name(task, precision), 1000 * seconds)
    speed = _cells(settings, task, case, seconds, flops)
    report.row(TABLE, **speed, **_of_program(program, case, compiling))
