"""Which pairs are shown: the best, the middle and the worst of a run, and a spread."""

import numpy as np

from experiments import pictures

GROUPS = ("best", "median", "worst")
_MOST = 20


def ranked(values: np.ndarray, higher_is_better: bool) -> list[int]:
    """Rows from the best to the worst; those without a finite value are left out."""
    rows = np.flatnonzero(np.isfinite(values))
    signed = -values[rows] if higher_is_better else values[rows]
    return [int(row) for row in rows[np.argsort(signed, kind="stable")]]


def groups(values: np.ndarray, higher_is_better: bool) -> dict[str, list[int]]:
    """The rows of each of `GROUPS`: at most twenty, fewer where they would overlap.

    Args:
        values: [N] scores of one metric.
        higher_is_better: its direction.

    Returns:
        The best from the best on, those about the median in order, the worst from the
        worst on.
    """
    order = ranked(values, higher_is_better)
    size = min(_MOST, len(order) // 3)
    middle = (len(order) - size) // 2
    return {
        "best": order[:size],
        "median": order[middle : middle + size],
        "worst": order[::-1][:size],
    }


def spread(total: int, count: int) -> list[int]:
    """At most `count` rows of `total`, evenly spread."""
    return sorted(pictures.spread_rows(total, count)) if total and count else []
