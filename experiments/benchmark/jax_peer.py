"""Our steps and generation on one random batch, and the operations that they take."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from data_prep import workers
from experiments.train import training_steps
from pg2_jax import cpu_convolution, generation, models, train_state, train_step
from pg2_jax.architecture import Architecture
from pg2_jax.pg2plus import patch_step

TASKS = ("stage I step", "stage II step", "generation")
LEARNING_RATE, L1_WEIGHT = 2e-5, 10.0
# Steps of stage I and II, and pairs in a batch, of the paper's two trainings.
SCHEDULES = {"Market-1501": (22_000, 14_000, 16), "DeepFashion": (30_000, 20_000, 8)}


def paper_architecture(
    scale: float, image_size: tuple[int, int], precision: str = "float32"
) -> Architecture:
    """The paper's networks at (height, width), their widths times `scale`."""
    return Architecture(
        image_height=image_size[0],
        image_width=image_size[1],
        base_channels=max(1, round(128 * scale)),
        discriminator_channels=max(1, round(64 * scale)),
        precision=precision,
    )


def plus_architecture(
    scale: float, image_size: tuple[int, int], precision: str = "float32"
) -> Architecture:
    """The networks of pg2plus, as wide as the paper's."""
    return dataclasses.replace(
        paper_architecture(scale, image_size, precision),
        coarse_network="part_transfer",
        blending="sharp",
        stages="one_network",
        discriminator="patch",
    )


def facts(architecture: Architecture, batch_size: int) -> dict[str, Any]:
    """On what is measured."""
    return {
        "image": f"{architecture.image_height}x{architecture.image_width}",
        "channels": architecture.base_channels,
        "batch": batch_size,
        "precision": architecture.precision,
        "threads": workers.num_cores(),
        "device": jax.devices()[0].device_kind,
    }


def first_state(architecture: Architecture) -> train_state.TrainState:
    """A state of step 0 with the random weights of seed 0."""
    optimizer = train_state.make_optimizer(LEARNING_RATE)
    create = functools.partial(train_state.create, architecture, optimizer, 0)
    return jax.jit(create, compiler_options={"xla_backend_optimization_level": 0})()


class Peer:
    """Our compiled programs on one batch; `tasks` has a call for each of `TASKS`, which
    ends when its work is done. The steps return the loss of the generator that learns.
    Those of pg2plus are by L1, and against D."""

    def __init__(self, architecture: Architecture, batch_size: int):
        optimizer = train_state.make_optimizer(LEARNING_RATE)
        self.state = first_state(architecture)
        size = architecture.image_height, architecture.image_width
        self.batch = jax.device_put(training_steps.random_batch(batch_size, *size))
        plus = architecture.stages == "one_network"
        weights: dict[str, Any] = (
            {"feature_matching_weight": 3.0, "r1_weight": 0.0002} if plus else {}
        )
        objective = train_step.Objective(
            optimizer=optimizer, seed=0, flip=False, l1_weight=L1_WEIGHT, **weights
        )
        against_d = patch_step.patch_step if plus else train_step.adversarial_step
        coarse, adversarial = (
            jax.jit(
                functools.partial(step, architecture=architecture, objective=objective),
                donate_argnums=0,
                compiler_options=cpu_convolution.compiler_options(),
            )
            for step in (train_step.coarse_step, against_d)
        )
        learning = "coarse/loss" if plus else "refine/loss"
        self._generate = functools.partial(
            generation.compiled_generate(), architecture=architecture
        )
        self.tasks: dict[str, Callable[[], Any]] = {
            "stage I step": lambda: self._take(coarse, "coarse/loss"),
            "stage II step": lambda: self._take(adversarial, learning),
            "generation": self._generated,
        }

    def _take(self, step: Callable, loss: str) -> float:
        self.state, metrics = step(self.state, self.batch)
        jax.block_until_ready(self.state)
        return float(metrics[loss])

    def _generated(self) -> jax.Array:
        refine = self.state.refine
        generated = self._generate(
            self.state.coarse.params,
            refine and refine.params,
            self.batch["source_image"],
            self.batch["source_keypoints"],
            self.batch["target_keypoints"],
        )
        return jax.block_until_ready([*generated.values()][-1])


def take_first_step(
    cache: str, scale: float, size: tuple[int, int], batch_size: int, precision: str
) -> None:
    """Takes one step of stage I; for a process of its own."""
    jax.config.update("jax_compilation_cache_dir", cache)
    Peer(paper_architecture(scale, size, precision), batch_size).tasks[TASKS[0]]()


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


def task_flops(architecture: Architecture, batch_size: int) -> dict[str, float]:
    """Operations of each task by the definition, whatever way they are computed.

    A gradient by weights costs as much as the layer, one by inputs too. Stage II runs
    G1 once, G2 with its gradients and once more for D, and D on twice the images with
    gradients by its inputs and then with both.
    """
    size = (1, architecture.image_height, architecture.image_width)
    image, pose, pair = (
        jax.ShapeDtypeStruct((*size, n), jnp.float32) for n in (3, 18, 6)
    )
    coarse = forward_flops(models.coarse_generator(architecture), image, pose)
    refine = forward_flops(models.RefinementGenerator(architecture), image, image)
    discriminator = forward_flops(models.Discriminator(architecture), pair)
    each = (3 * coarse, coarse + 4 * refine + 2 * 5 * discriminator, coarse + refine)
    return {task: batch_size * n for task, n in zip(TASKS, each, strict=True)}
