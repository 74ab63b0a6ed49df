"""The steps of a run as compiled programs, one for each stage."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import optax
from jax.sharding import Mesh

from experiments.config import Config
from pg2_jax import models, schedules, sharding, train_state
from pg2_jax import train_step as steps

# A compiled step: (state, batch) -> (state, metrics).
Step = Callable[
    [train_state.TrainState, steps.Batch], tuple[train_state.TrainState, steps.Metrics]
]


@dataclasses.dataclass(frozen=True)
class Stages:
    """The stages of a run.

    Attributes:
        first: stage I, or the one stage; up to step --coarse_steps.
        second: stage II.
        optimizer: that of the first stage; its memory has the form of the second's.
    """

    first: Step
    second: Step
    optimizer: optax.GradientTransformation


def compiled(config: Config, architecture: models.Architecture, mesh: Mesh) -> Stages:
    """The steps of both stages; each is compiled when it is first taken."""
    coarse = objective(config, config.coarse_steps)
    adversarial = objective(config, config.refine_steps)
    first = steps.coarse_step
    if config.stages == "one_stage":
        first = steps.one_stage_step

    whole, split = sharding.replicated(mesh), sharding.batched(mesh)

    def jitted(step: Callable, of: steps.Objective) -> Step:
        return jax.jit(
            functools.partial(step, architecture=architecture, objective=of),
            in_shardings=(whole, split),
            out_shardings=whole,
            donate_argnums=0,
        )

    return Stages(
        first=jitted(first, coarse),
        second=jitted(steps.adversarial_step, adversarial),
        optimizer=coarse.optimizer,
    )


def first_state(
    config: Config, architecture: models.Architecture, stages: Stages, mesh: Mesh
) -> train_state.TrainState:
    """The state of step 0, on all devices."""
    create = functools.partial(
        train_state.create,
        architecture,
        stages.optimizer,
        config.seed,
        averaged=config.ema_decay > 0,
    )
    # Drawn once: compiling fast is worth more than running fast.
    unoptimized = {"xla_backend_optimization_level": 0}
    whole = sharding.replicated(mesh)
    return jax.jit(create, out_shardings=whole, compiler_options=unoptimized)()


def objective(config: Config, stage_steps: int) -> steps.Objective:
    """What the config says of a stage of so many steps."""
    names = {field.name for field in dataclasses.fields(steps.Objective)}
    values = dataclasses.asdict(config)
    return steps.Objective(
        optimizer=train_state.make_optimizer(_schedule(config, stage_steps)),
        **{name: values[name] for name in names - {"optimizer"}},
    )


def learning_rate(config: Config, step: int) -> float:
    """The rate of a step, counted from 0 over both stages."""
    if step < config.coarse_steps:
        rate = _schedule(config, config.coarse_steps)
    else:
        rate, step = _schedule(config, config.refine_steps), step - config.coarse_steps
    return float(rate(step) if callable(rate) else rate)


def _schedule(config: Config, stage_steps: int) -> optax.ScalarOrSchedule:
    return schedules.learning_rate(
        config.learning_rate,
        decay=config.learning_rate_decay,
        stage_steps=stage_steps,
        halve_every=config.halve_every,
        warmup_steps=config.warmup_steps,
    )
