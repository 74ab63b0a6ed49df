"""The steps of a run as compiled programs, one for each stage."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import optax
from jax.sharding import Mesh

from experiments.config import Config
from pg2_jax import models, sharding, train_state
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
            # What is donated is not there when an operation is searched for.
            donate_argnums=() if config.debug_nans else 0,
        )

    return Stages(
        first=jitted(first, coarse),
        second=jitted(steps.adversarial_step, adversarial),
        optimizer=coarse.optimizer,
    )


def objective(config: Config, stage_steps: int) -> steps.Objective:
    """What the config says of a stage of so many steps."""
    cosine_steps = max(1, stage_steps) if config.learning_rate_decay == "cosine" else 0
    names = {field.name for field in dataclasses.fields(steps.Objective)}
    values = dataclasses.asdict(config)
    return steps.Objective(
        optimizer=train_state.make_optimizer(config.learning_rate, cosine_steps),
        **{name: values[name] for name in names - {"optimizer"}},
    )
