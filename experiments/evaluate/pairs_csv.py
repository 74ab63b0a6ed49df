"""pairs.csv: the scores of every single pair, for people, reports and statistics."""

import csv
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pg2_jax import files

FILE = "pairs.csv"
_KEYS = ("source", "target", "kind")


class ScoredPairs(NamedTuple):
    """What pairs.csv holds."""

    names: list[tuple[str, str]]  # (source, target), source empty where it is unknown
    # [N] float64 by kind of image and by metric, NaN or infinite without a value.
    scores: dict[str, dict[str, np.ndarray]]


def write(
    path: pathlib.Path,
    names: Sequence[tuple[str, str]],
    scores: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Writes a row for each pair, kind by kind; all kinds have the same metrics."""
    rows = [[*_KEYS, *next(iter(scores.values()))]]
    for kind, by_name in scores.items():
        for pair, *values in zip(names, *by_name.values(), strict=True):
            # str, the shortest text that gives the same float32 again.
            rows.append([*pair, kind, *(str(value) for value in values)])
    files.write_csv(path, rows)


def read(path: pathlib.Path) -> ScoredPairs:
    """Reads what `write` has written; the message on a damaged row names its line."""
    names: dict[str, list[tuple[str, str]]] = {}
    values: dict[str, list[list[float]]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        if tuple(header[: len(_KEYS)]) != _KEYS or len(header) == len(_KEYS):
            raise ValueError(
                f"{path}:1: must begin with {','.join(_KEYS)} and metrics."
            )
        for row in rows:
            try:
                source, target, kind, *cells = row
                numbers = [float(cell) for cell in cells]
                if len(row) != len(header):
                    raise ValueError(f"{len(row)} columns, expected {len(header)}")
            except ValueError as error:
                raise ValueError(f"{path}:{rows.line_num}: {error}.") from error
            names.setdefault(kind, []).append((source, target))
            values.setdefault(kind, []).append(numbers)
    if not names:
        raise ValueError(f"{path} holds no pairs.")
    first, *others = names
    for kind in others:
        if names[kind] != names[first]:
            raise ValueError(f"{path}: {kind} has other pairs than {first}.")
    scores = {
        kind: dict(zip(header[len(_KEYS) :], np.array(rows).T, strict=True))
        for kind, rows in values.items()
    }
    return ScoredPairs(names[first], scores)
