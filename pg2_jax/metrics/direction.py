"""In which direction a metric gets better."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Direction(NamedTuple):
    """One of `HIGHER`, `LOWER` and `NEAR_1`."""

    words: str  # the end of a described definition
    arrow: str
    # Values of a metric, an array or a number -> as many, higher where better.
    merit: Callable[[Any], Any]


HIGHER = Direction("higher is better", "↑", lambda values: values)
LOWER = Direction("lower is better", "↓", lambda values: -values)
# Of shares of what the target has: neither too little nor too much.
NEAR_1 = Direction("nearer to 1 is better", "→1", lambda values: -abs(values - 1))


def of(described: str) -> Direction:
    """The direction that the end of a described definition says."""
    known = {one.words: one for one in (HIGHER, LOWER, NEAR_1)}
    return known[described.rpartition("; ")[2]]
