"""Drawing with the generators, in training and after it: pure functions."""

from typing import Any

import flax.linen as nn
import jax

from pg2_jax import images, models
from pg2_jax.inputs import pose_input

PyTree = Any


def apply(network: nn.Module, params: PyTree, *inputs: jax.Array) -> jax.Array:
    """The output of a network; none of them has state besides its weights."""
    output = network.apply({"params": params}, *inputs)
    assert isinstance(output, jax.Array), "no collection is mutable"
    return output


def draw_coarse(
    params: PyTree,
    source: jax.Array,
    pose: jax.Array,
    architecture: models.Architecture,
) -> jax.Array:
    """G1's image [B, H, W, 3]; the pose is that of `pose_input`."""
    return apply(architecture.coarse(), params, source, pose)


def draw_refined(
    params: PyTree,
    coarse: jax.Array,
    source: jax.Array,
    pose: jax.Array,
    architecture: models.Architecture,
) -> jax.Array:
    """The refined image [B, H, W, 3]: G1's image plus the difference map of G2, or what
    G2 draws where it was built to draw the image itself."""
    seen = (coarse, source, pose) if architecture.refine_sees_pose else (coarse, source)
    drawn = apply(architecture.refine(), params, *seen)
    return drawn if architecture.refine_output == "image" else coarse + drawn


def draw(
    coarse_params: PyTree,
    refine_params: PyTree | None,
    source_image: jax.Array,
    target_keypoints: jax.Array,
    *,
    architecture: models.Architecture,
) -> dict[str, jax.Array]:
    """Draws the people of photos in new poses, as the networks give it.

    Args:
        coarse_params: weights of G1.
        refine_params: weights of G2, None for a model of G1 alone.
        source_image: [B, H, W, 3] uint8.
        target_keypoints: [B, 18, 3] float32, (x, y, visible) in pixels.
        architecture: of the weights.

    Returns:
        [B, H, W, 3] float32 images by kind, "coarse" and, with G2, "refined"; about
        [-1, 1].
    """
    source = images.from_uint8(source_image)
    pose = pose_input(target_keypoints, architecture)
    drawn = {"coarse": draw_coarse(coarse_params, source, pose, architecture)}
    if refine_params is not None:
        drawn["refined"] = draw_refined(
            refine_params, drawn["coarse"], source, pose, architecture
        )
    return drawn


def generate(
    coarse_params: PyTree,
    refine_params: PyTree | None,
    source_image: jax.Array,
    target_keypoints: jax.Array,
    *,
    architecture: models.Architecture,
) -> dict[str, jax.Array]:
    """`draw`, as uint8 images."""
    drawn = draw(
        coarse_params,
        refine_params,
        source_image,
        target_keypoints,
        architecture=architecture,
    )
    return {name: images.to_uint8(image) for name, image in drawn.items()}
