"""What the device can do at best: copy, and multiply matrices."""

import functools

import jax
import jax.numpy as jnp

from experiments.benchmark.accelerator import plan, rates
from experiments.benchmark.accelerator.report import Report

_COPIED = 2**30  # bytes
_SIDE = 8192  # of the matrices


def measure(settings: plan.Settings, report: Report) -> None:
    """Notes the rates; each fact has its unit in its name."""
    scale = min(1.0, settings.scale)
    count = max(2**16, round(_COPIED / 4 * scale))
    with report.attempt("copy"):
        numbers = jax.random.normal(jax.random.key(0), (count,), jnp.float32)
        # Reads all and writes all; the addition keeps XLA from dropping it.
        copy = functools.partial(jax.jit(lambda x: x + 1), numbers)
        rate = 2 * numbers.nbytes / rates.timed(copy, settings)
        report.fact("copy, GB/s, bytes read and written", rate / 1e9)
    side = max(256, round(_SIDE * scale))
    report.fact("side of the matrices", side)
    for precision in rates.TRAINED:
        with report.attempt(f"matrix product, {precision}"):
            # Random numbers: of zeros a GPU computes faster than of any others.
            keys = jax.random.split(jax.random.key(1))
            matrices = (
                jax.random.normal(key, (side, side), jnp.dtype(precision))
                for key in keys
            )
            product = functools.partial(jax.jit(jnp.matmul), *matrices)
            rate = 2 * side**3 / rates.timed(product, settings)
            report.fact(rates.rate_name(precision), rate / 1e12)
