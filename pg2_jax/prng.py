"""Random keys as a function of (seed, stream, step): never stored, never reused."""

import enum

import jax


class Stream(enum.IntEnum):
    """What a key is for. Append only: renumbering changes every past run."""

    INITIALIZE = 0
    FLIP = 1
    COLOURS = 2
    GEOMETRY = 3
    KEYPOINT_NOISE = 4
    SOURCE_POSE = 5


def key(seed: int | jax.Array, stream: Stream, step: int | jax.Array = 0) -> jax.Array:
    """Returns the key of one stream at one step; a resumed run draws the same."""
    if isinstance(seed, int):
        # Known before a step is compiled, which need not compute it then.
        with jax.ensure_compile_time_eval():
            root = jax.random.fold_in(jax.random.key(seed), stream)
    else:
        root = jax.random.fold_in(jax.random.key(seed), stream)
    return jax.random.fold_in(root, step)
