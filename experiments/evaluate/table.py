"""The table that an evaluation prints, and the notes below it."""

from collections.abc import Sequence
from typing import Any

import rich.console
import rich.table
import rich.text

from experiments.evaluate import protocol, statistics


def show(
    title: str,
    metrics: protocol.Records,
    missing: dict[str, str],
    remarks: Sequence[str] = (),
) -> None:
    """Prints a table of means and deviations, and notes: marked with - what the names
    mean, with ! what a reader must know, with x what is missing, and why."""
    console = rich.console.Console()
    console.print(title, markup=False, highlight=False)
    console.print(_table(metrics))
    notes = rich.table.Table.grid(padding=(0, 1))
    names = list(next(iter(metrics.values())))
    plain = [name for name in names if not name.startswith("masked_")]
    for name in plain:
        notes.add_row(" -", f"{name}: {statistics.METRICS[name].definition}")
    if len(plain) < len(names):
        notes.add_row(" -", "masked_...: the same, all but the target's body black")
    for kind, by_name in metrics.items():
        remarks = [*remarks, *_remarks(kind, by_name)]
    for line in remarks:
        notes.add_row(" !", rich.text.Text(line))
    for reason in dict.fromkeys(missing.values()):
        lacking = ", ".join(name for name in missing if missing[name] == reason)
        # As text: rich would take the [pose] of a pip install for a colour.
        notes.add_row(" x", rich.text.Text(f"{lacking}: not computed: {reason}"))
    console.print(notes)


def _table(metrics: protocol.Records) -> rich.table.Table:
    table = rich.table.Table()
    table.add_column("metric", no_wrap=True)
    for kind in metrics:
        table.add_column(kind, justify="right", no_wrap=True)
    if len(metrics) == 1:
        table.add_column("95 % interval", justify="right", no_wrap=True)
    for name in next(iter(metrics.values())):
        records = [by_name[name] for by_name in metrics.values()]
        cells = [_cell(name, record) for record in records]
        if len(metrics) == 1:
            limits = records[0]["interval_95"] or ()
            cells.append(" to ".join(statistics.number(name, x) for x in limits) or "-")
        arrow = statistics.METRICS[name].better.arrow
        table.add_row(f"{name} {arrow}", *cells)
    return table


def _cell(name: str, record: dict[str, Any]) -> str:
    mean, std = record["mean"], record["std"]
    if mean is None:
        return "undefined"
    spread = "" if std is None else f" ({statistics.number(name, std)})"
    return statistics.number(name, mean) + spread


def _remarks(kind: str, by_name: dict[str, dict[str, Any]]) -> list[str]:
    """What a reader of the table must know: pairs without a value, a single pair."""
    lines = []
    for name, record in by_name.items():
        if "pairs_left_out" in record:
            total = record["pairs"] + record["pairs_left_out"]
            lines.append(
                f"{name} of {kind}: {record['pairs_left_out']:,} of {total:,} pairs "
                f"left out, {record['left_out_because']}"
            )
    lines += dict.fromkeys(r["remark"] for r in by_name.values() if "remark" in r)
    if all(record["pairs"] <= 1 for record in by_name.values()):
        lines.append(f"{kind}: one pair has no deviation and no interval")
    return lines
