"""What a benchmark measured: repeats, ratios of work done side by side."""

import dataclasses
import importlib
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from experiments import results

# Wall and processor seconds of every repeat.
Clocks = tuple[list[float], list[float]]


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
        hardware = results.hardware()
        facts = self.facts | {name: hardware[name] for name in ("processor", "cores")}
        table = Table(title=", ".join(f"{k}: {cell(v)}" for k, v in facts.items()))
        table.add_column("measured")
        for heading in ("median", "lowest", "highest"):
            table.add_column(heading, justify="right")
        table.add_column("unit")
        for one in self.series:
            values = one.median, min(one.values), max(one.values)
            table.add_row(one.name, *map(cell, values), one.unit)
        Console().print(table)


def save(
    measured: Sequence[Measurement], path: pathlib.Path, settings: dict[str, Any]
) -> None:
    """Writes all as JSON: one as it is, several as a list."""
    contents = [dataclasses.asdict(one) for one in measured]
    for series in (series for one in contents for series in one["series"]):
        series["median"] = statistics.median(series["values"])
    content = contents[0] if len(contents) == 1 else {"measurements": contents}
    origin = {"hardware": results.hardware(), **results.provenance()}
    results.write_json(path, {"settings": settings, **content, **origin})


def imported(module: str, needed: str) -> Any:
    """A module to compare with; without it a ValueError says what is needed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(needed) from error


def seconds(call: Callable[[], object], times: int = 1) -> tuple[float, float]:
    """Wall and CPU seconds of a call, the mean of so many in a row."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    return (time.perf_counter() - wall) / times, (time.process_time() - cpu) / times


def take_once(programs: Mapping[Any, Callable[[], Any]]) -> dict[Any, Any]:
    """The results of all programs, which the first call compiles or sets up."""
    calls = tqdm(programs.items(), desc="first calls", disable=None)
    return {name: program() for name, program in calls}


def take_turns(
    programs: Mapping[Any, Callable[[], object]],
    repeats: int,
    calls: int = 1,
    untimed: int = 0,
) -> dict[Any, Clocks]:
    """Times so many `calls` of each program, one after the other, `repeats` times; in
    each turn after `untimed` ones, because the memory that a program gives back is
    handed out anew after another has run."""
    times: dict[Any, Clocks] = {name: ([], []) for name in programs}
    for _ in tqdm(range(repeats), desc="measuring", unit="turn", disable=None):
        for name, program in programs.items():
            for _ in range(untimed):
                program()
            wall, cpu = seconds(program, calls)
            times[name][0].append(wall)
            times[name][1].append(cpu)
    return times


def compare(times: Mapping[str, Clocks], of: str = "", pairs: int = 0) -> list[Series]:
    """A series for each program: its wall seconds or, of so many `pairs`, its rate;
    after all but the first the ratios of the first to it."""

    def series(name: str, clock: list[float]) -> Series:
        if not pairs:
            return Series(of + name, clock, "s")
        return Series(of + name, [pairs / x for x in clock], "pairs/s")

    (first, (wall, cpu)), *others = times.items()
    ours, our_cpu = series(first, wall), series(first, cpu)
    compared = [ours]
    for name, (wall, cpu) in others:
        theirs = series(name, wall)
        ratio = ours.over(theirs, f"{of}{first} / {name}")
        by_cpu = our_cpu.over(series(name, cpu), "the same by CPU time")
        compared += [theirs, ratio, by_cpu]
    return compared


def cell(value: Any) -> str:
    """A value as tables show it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
