"""What a benchmark measured: repeats, ratios of work done side by side."""

import dataclasses
import pathlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments import results


@dataclasses.dataclass(frozen=True)
class Series:
    """One quantity with a value for each repeat."""

    name: str
    values: Sequence[float]
    unit: str

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def over(self, other: "Series", name: str) -> "Series":
        """The ratio to what was measured beside it, repeat by repeat."""
        pairs = zip(self.values, other.values, strict=True)
        return Series(name, [mine / its for mine, its in pairs], "")


@dataclasses.dataclass(frozen=True)
class Measurement:
    """All that one program measured; the facts say on what."""

    series: Sequence[Series]
    facts: dict[str, Any]

    def print(self) -> None:
        """Prints the medians with their spread."""
        hardware = {name: results.hardware()[name] for name in ("processor", "cores")}
        facts = self.facts | hardware
        table = Table(title=", ".join(f"{k}: {_number(v)}" for k, v in facts.items()))
        table.add_column("measured")
        for heading in ("median", "lowest", "highest"):
            table.add_column(heading, justify="right")
        table.add_column("unit")
        for one in self.series:
            values = one.median, min(one.values), max(one.values)
            table.add_row(one.name, *map(_number, values), one.unit)
        Console().print(table)


def save(
    measured: Sequence[Measurement], path: pathlib.Path, settings: dict[str, Any]
) -> None:
    """Writes all as JSON: one as it is, several as a list; the settings are what was
    asked for."""
    contents = [dataclasses.asdict(one) for one in measured]
    for series in (series for one in contents for series in one["series"]):
        series["median"] = statistics.median(series["values"])
    content = contents[0] if len(contents) == 1 else {"measurements": contents}
    origin = {"hardware": results.hardware(), **results.provenance()}
    results.write_json(path, {"settings": settings, **content, **origin})


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
