"""Work that XLA's CPU compiler must not merge with what follows it."""

import contextlib
from collections.abc import Callable

import jax
from jax.experimental import xla_metadata


def staged(function: Callable) -> Callable:
    """A function whose results are complete before they are used.

    On the CPU, XLA would fuse one pass over an image into the next and compute the 11
    rows of a window again for each of its 11 columns, ten times the work; it drops
    optimization barriers before it fuses. It would also run several metrics at once,
    whose arrays push each other out of the cache. Elsewhere its own choice is kept.
    """
    compiled = jax.jit(function)

    def call(*arguments):
        with contextlib.ExitStack() as stack:
            if jax.default_backend() == "cpu":
                stack.enter_context(xla_metadata.set_xla_metadata(inlineable="false"))
            return compiled(*arguments)

    return call
