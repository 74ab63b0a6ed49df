"""How a device multiplies what jax calls float32, and the names of it."""

from collections.abc import Mapping
from typing import Any

import jax

# What is trained and multiplied with, the faster first.
TRAINED = ("bfloat16", "float32")


def title(precision: str) -> str:
    """A precision of training as tables name it on this platform."""
    means = {"gpu": "TF32", "tpu": "float32 by bfloat16 passes"}
    if precision == "float32":
        return means.get(jax.default_backend(), "float32")
    return precision


def rate_name(precision: str) -> str:
    """The name of the fact that holds the rate of a matrix product."""
    return f"matrix product, {precision} of jax, TFLOP/s"


def share(
    facts: Mapping[str, Mapping[str, Any]], precision: str, flops: float, seconds: float
) -> float | None:
    """The operations a second as a share of the rate that was measured of a matrix
    product; None where that was not measured."""
    rate = facts.get("ceilings", {}).get(rate_name(precision))
    return rate and flops / seconds / (rate * 1e12)
