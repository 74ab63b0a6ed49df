"""What a part has measured so far, on the disk after each measurement; and all parts as
text for people."""

import contextlib
import pathlib
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from experiments import results
from experiments.benchmark.accelerator import plan

_LONGEST = 400  # characters of an error


class Report:
    """Facts by name, tables of rows, and what has failed; a JSON file that is whole at
    any time."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._content: dict[str, Any] = {"facts": {}, "tables": {}, "failures": []}

    def fact(self, name: str, value: Any) -> None:
        """Notes one value by its name."""
        self._content["facts"][name] = value
        self._write()

    def row(self, table: str, **cells: Any) -> None:
        """Adds a row to a table: values by the headings of their columns, in which _
        stands for a space."""
        row = {name.replace("_", " "): value for name, value in cells.items()}
        self._content["tables"].setdefault(table, []).append(row)
        self._write()

    def end(self, state: str, error: str = "") -> None:
        """Notes how the part has ended."""
        self._content |= {"state": state, "error": error}
        self._write()

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Lets one measurement fail without the others: notes what and why."""
        try:
            yield
        except plan.LeftOut:
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._content["failures"].append(f"{what}: {in_short(error)}")
            self._write()

    def _write(self) -> None:
        results.write_json(self._path, self._content)


def read(path: pathlib.Path) -> dict[str, Any]:
    """What a part has written, as far as it has come."""
    if not path.is_file():
        return {}
    return results.read_json(path)


def in_short(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())[:_LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text(content: Mapping[str, Any]) -> str:
    """All results as Markdown."""
    lines = [f"# {content['title']}", ""]
    lines += [f"- {name}: {value}" for name, value in content["about"].items()]
    for name, part in content["parts"].items():
        lines += ["", f"## {plan.PARTS[name][0]}", "", state_of(part)]
        lines += [f"- failed: {failure}" for failure in part.get("failures", ())]
        if part.get("facts"):
            lines += ["", *(f"- {n}: {_cell(v)}" for n, v in part["facts"].items())]
        for title, rows in part.get("tables", {}).items():
            lines += ["", f"### {title}", "", *_table(rows)]
    return "\n".join(lines) + "\n"


def state_of(part: Mapping[str, Any]) -> str:
    """How a part has ended, in one line."""
    words = part["state"]
    if "seconds" in part:
        words += f", {part['seconds']:.0f} s of at most {part['limit']:.0f}"
    return f"{words}: {part['error']}" if part.get("error") else words


def _table(rows: list[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    bodies = [columns, ["---"] * len(columns), *cells]
    return [f"| {' | '.join(body)} |" for body in bodies]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
