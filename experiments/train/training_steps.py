"""The steps of a run as compiled programs, one for each stage."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from experiments.config import Config
from pg2_jax import models, schedules, sharding, train_state
from pg2_jax import train_step as steps


@dataclasses.dataclass(frozen=True)
class Step:
    """A training step, compiled when it is first taken.

    Attributes:
        one: (state, batch) -> (state, metrics).
        several: the same for as many steps as the leading axis of the batch's arrays
            has; those of the metrics have it too.
    """

    one: jax.stages.Wrapped
    several: jax.stages.Wrapped

    def __call__(
        self, state: train_state.TrainState, batch: steps.Batch
    ) -> tuple[train_state.TrainState, steps.Metrics]:
        """Takes one step or several, as the batch has them."""
        step = self.one if batch["source_image"].ndim == 4 else self.several
        return step(state, batch)


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

    def jitted(step: Callable, of: steps.Objective) -> Step:
        bound = functools.partial(step, architecture=architecture, objective=of)
        return _one_or_several(bound, mesh, donate=not config.debug_nans)

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
        averaged=config.ema_decay > 0,
    )
    # Drawn once: compiling fast is worth more than running fast.
    unoptimized = {"xla_backend_optimization_level": 0}
    whole = sharding.replicated(mesh)
    draw = jax.jit(create, out_shardings=whole, compiler_options=unoptimized)
    # An argument, so that one program serves all seeds.
    return draw(seed=np.uint32(config.seed))


def _one_or_several(step: Callable, mesh: Mesh, *, donate: bool) -> Step:
    """Compiles a step; --debug_nans needs the state that donating would overwrite."""
    whole = sharding.replicated(mesh)

    def several(state: train_state.TrainState, batches: steps.Batch):
        return jax.lax.scan(step, state, batches)

    def jitted(taken: Callable, split: jax.sharding.NamedSharding):
        """Compiles for batches that are split so."""
        return jax.jit(
            taken,
            in_shardings=(whole, split),
            out_shardings=whole,
            donate_argnums=0 if donate else (),
        )

    return Step(
        one=jitted(step, sharding.batched(mesh)),
        several=jitted(several, sharding.batched_steps(mesh)),
    )


def call_length(config: Config, step: int) -> int:
    """Steps of the call that begins at a step: up to the next multiple of
    --steps_per_call, or to the end of the stage."""
    end = config.coarse_steps if step < config.coarse_steps else config.total_steps
    return min(config.steps_per_call - step % config.steps_per_call, end - step)


def feed(
    config: Config, batches: Iterator[steps.Batch], first_step: int, mesh: Mesh
) -> Iterator[steps.Batch]:
    """The batch of each call up to the last step, put on the devices while the call
    before it computes.

    Args:
        config: of the run.
        batches: one for each step from the first on, numpy.
        first_step: finished steps.
        mesh: of the devices.
    """
    ahead, step = None, first_step
    while step < config.total_steps:
        count = call_length(config, step)
        taken = list(itertools.islice(batches, count))
        if count == 1:
            batch = sharding.put_batch(taken[0], mesh)
        else:
            batch = sharding.put_batches(taken, mesh)
        if ahead is not None:
            yield ahead
        ahead, step = batch, step + count
    if ahead is not None:
        yield ahead


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


def planned_bytes(program: jax.stages.Compiled) -> int | None:
    """The most memory that a program takes on one device, as XLA plans it: what it is
    given, what it returns, and all between. None where XLA does not say."""
    plan = program.memory_analysis()
    if plan is None:
        return None
    used = plan.argument_size_in_bytes + plan.temp_size_in_bytes
    return used + plan.output_size_in_bytes - plan.alias_size_in_bytes
