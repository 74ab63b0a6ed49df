"""The table that an evaluation prints, and the notes below it."""

import functools
from typing import Any

import rich.console
import rich.table
import rich.text

from experiments.evaluate import protocol, statistics
from pg2_jax.errors import counted

# The scores that are put in words: the most telling ones of every model.
_IN_WORDS = {"masked_ssim_pg2": "mask-SSIM", "body_l1": "L1 on the body"}


def show(title: str, content: dict[str, Any], *, verbose: bool = False) -> None:
    """Prints the means and deviations of metrics.json, and notes: with ! what a reader
    must know; if `verbose` with - what names mean and with x why others are missing."""
    metrics, missing = content["metrics"], content["not_computed"]
    console = rich.console.Console()
    title = f"{title} of {content['image_size']}: mean (standard deviation)"
    console.print(title, markup=False, highlight=False)
    console.print(_table(metrics))
    lines = [("!", line) for line in content.get("remarks", ())]
    for kind, by_name in metrics.items():
        lines += [("!", line) for line in _remarks(kind, by_name)]
    if verbose:
        lines += _explanations(metrics, missing)
    elif missing:
        count = counted(len(missing), "more metric")
        lines.append(("-", f"{count} not computed; --verbose says what each needs"))
    notes = rich.table.Table.grid(padding=(0, 1))
    for mark, line in lines:
        # As text: rich would take the [pose] of a pip install for a colour.
        notes.add_row(f" {mark}", rich.text.Text(line))
    console.print(notes)


def in_words(metrics: protocol.Records, baseline: str) -> str:
    """The last kind compared with the kind `baseline` in words, if that is possible."""
    kind = list(metrics)[-1]
    parts, wins = [], []
    for name, title in _IN_WORDS.items():
        records = [metrics.get(k, {}).get(name, {}) for k in (kind, baseline)]
        own, base = (record.get("mean") for record in records)
        if own is None or base is None:
            continue
        better = statistics.METRICS[name].better
        wins.append(better.merit(own) > better.merit(base))
        own, base = (statistics.number(name, mean) for mean in (own, base))
        parts.append(f"{title} {own} against {base} ({better.words})")
    if not parts or kind == baseline:
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
        same = "the same, with everything except the target's body black"
        lines.append(("-", f"masked_...: {same}"))
    for reason in dict.fromkeys(missing.values()):
        lacking = ", ".join(name for name in missing if missing[name] == reason)
        lines.append(("x", f"{lacking}: not computed: {reason}"))
    return lines


def _table(metrics: protocol.Records) -> rich.table.Table:
    table = rich.table.Table()
    table.add_column("metric", no_wrap=True)
    interval = ["95 % interval"] if len(metrics) == 1 else []
    for column in [*metrics, *interval]:
        table.add_column(column, justify="right", no_wrap=True)
    for name in next(iter(metrics.values())):
        number, cells = functools.partial(statistics.number, name), []
        for by_name in metrics.values():
            mean, std = by_name[name]["mean"], by_name[name]["std"]
            spread = "" if std is None else f" ({number(std)})"
            cells.append("undefined" if mean is None else f"{number(mean)}{spread}")
            if interval:
                ends = by_name[name]["interval_95"] or ()
                cells.append(" to ".join(map(number, ends)) or "-")
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
