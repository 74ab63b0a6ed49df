"""The named variants of the networks; the first of each is the paper's full model.

Free of jax, because the flags need it before anything heavy is imported.
"""

from pg2_jax import errors

CHOICES: dict[str, tuple[str, ...]] = {
    "stages": ("two_stage", "one_stage", "coarse"),
    "pose_embedding": ("heatmap", "coordinate", "encoder", "view"),
    "coarse_network": ("bottleneck", "refinement"),
    "coarse_block": ("residual", "plain"),
    "refine_decoder": ("symmetric", "constant"),
    "refine_output": ("difference", "image"),
    "discriminator_input": ("pair", "triplet"),
    "heat_map_range": ("zero_one", "minus_one_one"),
    "precision": ("float32", "bfloat16"),
}


def require(name: str, value: str) -> None:
    """Checks that a variant is known.

    Raises:
        ValueError: it is not; names the argument and the choices.
    """
    if value not in CHOICES[name]:
        rule = f" must be one of {', '.join(CHOICES[name])}."
        raise errors.ArgumentError(name, value, rule)
