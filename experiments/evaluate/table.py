"""The table that an evaluation prints, and the notes below it."""

import functools
from collections.abc import Sequence
from typing import Any

import rich.console
import rich.table
import rich.text

from experiments.evaluate import protocol, statistics
from pg2_jax.errors import counted

# The scores that are put in words: the most telling ones of every model.
_IN_WORDS = {"masked_ssim_pg2": "mask-SSIM", "body_l1": "L1 on the body"}


def show(
    title: str,
    metrics: protocol.Records,
    missing: dict[str, str],
    remarks: Sequence[str] = (),
    *,
    verbose: bool = False,
) -> None:
    """Prints a table of means and deviations, and notes: marked with ! what a reader
    must know; with - what the names mean, and with x what is missing and why, each in
    one line unless `verbose`."""
    console = rich.console.Console()
    console.print(title, markup=False, highlight=False)
    console.print(_table(metrics))
    notes = rich.table.Table.grid(padding=(0, 1))
    for kind, by_name in metrics.items():
        remarks = [*remarks, *_remarks(kind, by_name)]
    for line in remarks:
        notes.add_row(" !", rich.text.Text(line))
    count = counted(len(missing), "more metric")
    short = ("-", f"{count} not computed; --verbose says what each needs")
    lines = _explanations(metrics, missing) if verbose else [short] * bool(missing)
    for mark, line in lines:
        # As text: rich would take the [pose] of a pip install for a colour.
        notes.add_row(f" {mark}", rich.text.Text(line))
    console.print(notes)


def in_words(metrics: protocol.Records, baseline: str) -> str:
    """The scores of the last kind in one sentence, compared with those of the kind
    `baseline`, the source photos; empty if nothing can be compared."""
    kind = list(metrics)[-1]
    parts, wins = [], []
    for name, title in _IN_WORDS.items():
        own, base = (
            metrics.get(which, {}).get(name, {}).get("mean")
            for which in (kind, baseline)
        )
        if kind == baseline or own is None or base is None:
            continue
        better = statistics.METRICS[name].better
        wins.append(better.merit(own) > better.merit(base))
        own, base = (statistics.number(name, mean) for mean in (own, base))
        parts.append(f"{title} {own} against {base} ({better.words})")
    if not parts:
        return ""
    much = "" if all(wins) else "partly " if any(wins) else "not "
    return (
        f"The {kind} images are {much}closer to the targets than the source is: "
        f"{', '.join(parts)}."
    )


def _explanations(
    metrics: protocol.Records, missing: dict[str, str]
) -> list[tuple[str, str]]:
    names = list(next(iter(metrics.values())))
    plain = [name for name in names if not name.startswith("masked_")]
    lines = [("-", f"{n}: {statistics.METRICS[n].definition}") for n in plain]
    if len(plain) < len(names):
        masked = "masked_...: the same, with everything except the target's body black"
        lines.append(("-", masked))
    for reason in dict.fromkeys(missing.values()):
        lacking = ", ".join(name for name in missing if missing[name] == reason)
        lines.append(("x", f"{lacking}: not computed: {reason}"))
    return lines


def _table(metrics: protocol.Records) -> rich.table.Table:
    table = rich.table.Table()
    table.add_column("metric", no_wrap=True)
    for kind in metrics:
        table.add_column(kind, justify="right", no_wrap=True)
    if len(metrics) == 1:
        table.add_column("95 % interval", justify="right", no_wrap=True)
    for name in next(iter(metrics.values())):
        records = [by_name[name] for by_name in metrics.values()]
        number = functools.partial(statistics.number, name)
        cells = []
        for record in records:
            mean, std = record["mean"], record["std"]
            spread = "" if std is None else f" ({number(std)})"
            cells.append("undefined" if mean is None else f"{number(mean)}{spread}")
        if len(metrics) == 1:
            cells.append(
                " to ".join(map(number, records[0]["interval_95"] or ())) or "-"
            )
        table.add_row(f"{name} {statistics.METRICS[name].better.arrow}", *cells)
    return table


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
