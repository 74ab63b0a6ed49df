"""Floating-point operations of the networks, counted from their layers."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax import models

TASKS = ("stage I step", "stage II step", "generation")


def forward_flops(network: nn.Module, *arguments: jax.ShapeDtypeStruct) -> int:
    """Floating-point operations of the layers' definition, 2 a multiplication; the
    biases and everything that is no convolution or matrix product left out."""
    total = 0

    def count(call: Callable, args: Any, kwargs: Any, context: Any) -> Any:
        """Calls a method of a module, and counts it if it is a product."""
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


def step_flops(architecture: models.Architecture, batch_size: int) -> dict[str, float]:
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
