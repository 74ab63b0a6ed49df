"""Generating images, in training and after it: pure functions."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax

from pg2_jax import cpu_convolution, inputs, models
from pg2_jax.architecture import Architecture

PyTree = Any


def apply(network: nn.Module, params: PyTree, *arrays: jax.Array) -> jax.Array:
    """The output of a network; none of them has state besides its weights."""
    output = network.apply({"params": params}, *arrays)
    assert isinstance(output, jax.Array), "no collection is mutable"
    return output


def generate_coarse(
    params: PyTree, source: jax.Array, pose: jax.Array, architecture: Architecture
) -> jax.Array:
    """G1's image [B, H, W, 3] as the losses and G2 see it; the pose is that of
    `inputs.pose_input`."""
    return apply(models.coarse_generator(architecture), params, source, pose)


def generate_refined(
    params: PyTree,
    coarse: jax.Array,
    source: jax.Array,
    pose: jax.Array,
    architecture: Architecture,
) -> jax.Array:
    """The refined image [B, H, W, 3]: G1's image plus the difference map of G2, or what
    G2 generates where it was built to generate the image itself."""
    seen = (coarse, source, pose) if architecture.refine_sees_pose else (coarse, source)
    output = apply(models.RefinementGenerator(architecture), params, *seen)
    return output if architecture.refine_output == "image" else coarse + output


def draw(
    coarse_params: PyTree,
    refine_params: PyTree | None,
    source_image: jax.Array,
    source_keypoints: jax.Array,
    target_keypoints: jax.Array,
    *,
    architecture: Architecture,
) -> dict[str, jax.Array]:
    """Generates people of photos, [B, H, W, 3] uint8, in new poses, [B, 18, 3] float32;
    those of the source matter only where the architecture `needs_source_pose`. Images
    [B, H, W, 3] float32, about [-1, 1], by kind: the architecture's `first_image`, and
    with the weights of G2 "refined"."""
    source = inputs.from_uint8(source_image)
    poses = source_keypoints, target_keypoints
    pose = inputs.pose_input(source, *poses, architecture)
    network = models.coarse_generator(architecture, final=refine_params is None)
    first = apply(network, coarse_params, source, pose)
    images = {architecture.first_image: first}
    if refine_params is not None:
        seen = first, source, pose
        images["refined"] = generate_refined(refine_params, *seen, architecture)
    return images


def generate(
    coarse_params: PyTree,
    refine_params: PyTree | None,
    source_image: jax.Array,
    source_keypoints: jax.Array,
    target_keypoints: jax.Array,
    *,
    architecture: Architecture,
) -> dict[str, jax.Array]:
    """`draw`, as uint8 images."""
    given = source_image, source_keypoints, target_keypoints
    images = draw(coarse_params, refine_params, *given, architecture=architecture)
    return jax.tree.map(inputs.to_uint8, images)


def program(
    generating: Callable[..., dict[str, jax.Array]],
    weights: Mapping[str, PyTree],
    architecture: Architecture,
) -> Callable[..., dict[str, jax.Array]]:
    """What an exported model computes by `draw` or `generate` with the weights "coarse"
    and "refine": (photos, keypoints) -> images, or where the model `needs_source_pose`
    (photos, keypoints of the people in them, keypoints) -> images."""

    def images(photos: jax.Array, *keypoints: jax.Array) -> dict[str, jax.Array]:
        # Those of the source are not looked at where there are but others.
        given = photos, keypoints[0], keypoints[-1]
        players = weights["coarse"], weights["refine"]
        return generating(*players, *given, architecture=architecture)

    return images


def compiled_generate() -> jax.stages.Wrapped:
    """`generate` as a program, one for all models of an architecture."""
    return cpu_convolution.jitted(generate, "architecture")
