"""Our steps and generation on one random batch, and the operations that they take."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments import command_line
from experiments.config import Config
from experiments.train import training_steps
from pg2_jax import files, generation, models, sharding

TASKS = ("stage I step", "stage II step", "generation")
PRODUCT = "matrix product"  # of float32
# Steps of stage I and II, and pairs in a batch, of the paper's two trainings.
SCHEDULES = {"Market-1501": (22_000, 14_000, 16), "DeepFashion": (30_000, 20_000, 8)}
# pg2plus, with the weights of its losses, in place of the paper's networks.
PLUS = (
    *("--coarse_network=part_transfer", "--stages=one_network"),
    *("--discriminator=patch", "--feature_matching_weight=3", "--r1_weight=0.0002"),
)
# The flagfiles of trainings, and the channels that they begin with.
RUNS = {
    "paper": ("market1501_paper.flags", 128),
    "pg2plus": ("market1501_plus.flags", 64),
}
_FLAGFILES = pathlib.Path(__file__).parents[1] / "flagfiles"


def flags(
    scale: float,
    image_size: str,
    batch_size: int,
    precision: str = "float32",
    steps_per_call: int = 1,
    run: str = "paper",
) -> list[str]:
    """The flags of one of `RUNS`, its channels times `scale`, on images of
    HEIGHTxWIDTH. Nothing is written but the log and the last checkpoint."""
    flagfile, channels = RUNS[run]
    return [
        f"--flagfile={_FLAGFILES / flagfile}",
        f"--image_size={image_size}",
        f"--batch_size={batch_size}",
        f"--base_channels={max(1, round(channels * scale))}",
        f"--discriminator_channels={max(1, round(64 * scale))}",
        f"--precision={precision}",
        f"--steps_per_call={steps_per_call}",
        f"--log_every={steps_per_call}",
        "--picture_every=0",
        f"--checkpoint_every={100_000 * steps_per_call}",
    ]


def config(*given: Any, more: Sequence[str] = (), **named: Any) -> Config:
    """The config of what `flags` gives and `more` flags, for `Peer`: without data, and
    without flips, which PyTorch's peer does not know."""
    words = [*flags(*given, **named), *more, "--noflip"]
    return command_line.parse([*words, "--data_dir=none", "--workdir=none"])


def random_batch(config: Config) -> Any:
    """The batch that all programs are measured on, in numpy."""
    height, width = files.parse_size("image_size", config.image_size)
    return training_steps.random_batch(config.batch_size, height, width)


def facts(config: Config) -> dict[str, Any]:
    """On what is measured."""
    return {
        "image": config.image_size,
        "channels": config.base_channels,
        "batch": config.batch_size,
        "precision": config.precision,
        "device": jax.devices()[0].device_kind,
    }


def precision(config: Config) -> str:
    """What this platform multiplies in, in words."""
    means = {"gpu": "TF32", "tpu": "float32 by bfloat16 passes"}
    if config.precision == "float32":
        return means.get(jax.default_backend(), "float32")
    return config.precision


class Peer:
    """The programs of --mode=train and generation on one batch, from the random weights
    of seed 0; each is compiled when it is first taken."""

    wait = staticmethod(jax.block_until_ready)

    def __init__(self, config: Config):
        sharding.check_batch_size(config.batch_size)
        self._architecture = training_steps.architecture_of(config)
        several = config.steps_per_call > 1
        stages = training_steps.compiled(config)
        self._steps = [stage.steps if several else stage.step for stage in stages]
        self.state = training_steps.first_state(config)
        noise, mesh = random_batch(config), sharding.data_mesh()
        self._batch = self._batches = sharding.put_batch(noise, mesh)
        if several:
            self._batches = sharding.put_batches([noise] * config.steps_per_call, mesh)
        self._matrix = jnp.ones([side_of_product(config)] * 2)
        self._compiled: dict[str, jax.stages.Compiled] = {}

    def take(self, task: str) -> jax.Array:
        """Takes one of `TASKS`, or the product. Returns the loss of the generator that
        learns, of several steps all losses, or the images, perhaps before the device
        has done its work: `wait` for it."""
        state, batch = self.state, self._batch
        if task == PRODUCT:
            return self._run(task, jax.jit(jnp.matmul), self._matrix, self._matrix)
        if task == "generation":
            weights = state.coarse.params, state.refine and state.refine.params
            poses = batch["source_keypoints"], batch["target_keypoints"]
            images = self._run(
                task,
                generation.compiled_generate(),
                *(*weights, batch["source_image"], *poses),
                architecture=self._architecture,
            )
            return [*images.values()][-1]
        step = self._steps[TASKS.index(task)]
        self.state, metrics = self._run(task, step, state, self._batches, None)
        return metrics["refine/loss" if "refine/loss" in metrics else "coarse/loss"]

    def memory_gib(self, task: str) -> float | None:
        """What a task that was taken takes on one device, as XLA plans it."""
        planned = training_steps.planned_bytes(self._compiled[task])
        return planned and planned / 2**30

    def _run(
        self, task: str, program: jax.stages.Wrapped, *arrays: Any, **static: Any
    ) -> Any:
        if task not in self._compiled:
            self._compiled[task] = program.lower(*arrays, **static).compile()
        return self._compiled[task](*arrays)


PROGRAMS = {"pg2_jax": Peer}


def side_of_product(config: Config) -> int:
    """Of the matrices: 4096 beside networks of the paper's width."""
    return max(256, 32 * config.base_channels)


def forward_flops(network: nn.Module, *arguments: jax.ShapeDtypeStruct) -> int:
    """Floating-point operations of the layers' definition, 2 a multiplication; the
    biases and everything that is no convolution or matrix product left out."""
    total = 0

    def count(call: Callable, args: Any, kwargs: Any, context: Any) -> Any:
        nonlocal total
        output = call(*args, **kwargs)
        module = context.module
        if isinstance(module, nn.Conv | nn.Dense) and context.method_name == "__call__":
            kernel: Any = module.get_variable("params", "kernel")
            total += 2 * output.size * int(np.prod(kernel.shape[:-1]))
        return output

    with nn.intercept_methods(count):
        jax.eval_shape(network.init, jax.random.key(0), *arguments)
    return total


def task_flops(config: Config) -> dict[str, float]:
    """Operations of each task of the paper's networks, and of the product, by the
    definition, whatever way they are computed.

    A gradient by weights costs as much as the layer, one by inputs too. Stage II runs
    G1 once, G2 with its gradients and once more for D, and D on twice the images with
    gradients by its inputs and then with both.
    """
    architecture = training_steps.architecture_of(config)
    size = (1, *architecture.size)
    image, pose, pair = (
        jax.ShapeDtypeStruct((*size, n), jnp.float32) for n in (3, 18, 6)
    )
    coarse = forward_flops(models.coarse_generator(architecture), image, pose)
    refine = forward_flops(models.RefinementGenerator(architecture), image, image)
    discriminator = forward_flops(models.Discriminator(architecture), pair)
    each = (3 * coarse, coarse + 4 * refine + 2 * 5 * discriminator, coarse + refine)
    flops = {task: config.batch_size * n for task, n in zip(TASKS, each, strict=True)}
    return {**flops, PRODUCT: 2 * side_of_product(config) ** 3}


def schedule_seconds(
    schedule: str, first: float, second: float, batch_size: int
) -> float:
    """Of the steps of a training of the paper's: from those of a step of stage I and of
    one of stage II with so many pairs. Reading and writing are not included."""
    coarse, refine, batch = SCHEDULES[schedule]
    return (coarse * first + refine * second) * batch / batch_size
