"""What a part is told, and what it has measured so far: on the disk after each
measurement, and as text for people."""

import contextlib
import dataclasses
import pathlib
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from experiments import results
from experiments.benchmark.measurement import cell

RESULTS, TEXT = "results.json", "results.md"
BEGUN = "interrupted"  # the state of a part until it says how it has ended
# What is trained and multiplied with, the faster first.
PRECISIONS = ("bfloat16", "float32")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured: `scale` of the networks' widths and of the work, 1 for the
    paper's and below it for a rehearsal; HEIGHTxWIDTH of the images; how often; within
    how many minutes; with a folder for temporary files."""

    scale: float
    image_size: str
    repeats: int
    minutes: float
    folder: str

    @property
    def steps_per_call(self) -> int:
        """Of the calls of several steps."""
        return self.scaled(20, least=2)

    def scaled(self, full: int, least: int = 1) -> int:
        """So much of the full work, rounded."""
        return max(least, round(full * self.scale))


class Report:
    """What a part is told and says, in the output's results.json, whole at any time."""

    def __init__(self, output: pathlib.Path, part: str):
        self.output = output
        self._content = results.read_json(output / RESULTS)
        self.settings = Settings(**self._content["settings"])
        self._part = self._content["parts"][part]
        self._part |= {"facts": {}, "tables": {}, "failures": []}

    def known(self, part: str, fact: str) -> Any:
        """A fact of a part before; None where it was not measured."""
        return self._content["parts"][part].get("facts", {}).get(fact)

    def fact(self, name: str, value: Any) -> None:
        """Notes one value by its name."""
        self._part["facts"][name] = value
        self._write()

    def row(self, table: str, cells: Mapping[str, Any]) -> None:
        """Adds a row to a table: values by the headings of their columns."""
        self._part["tables"].setdefault(table, []).append(cells)
        self._write()

    def end(self, state: str, error: str = "") -> None:
        """Notes how the part has ended, unless that is known."""
        if self._part["state"] == BEGUN:
            self._part |= {"state": state, "error": error}
            self._write()

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Lets one measurement fail without the others: notes what and why."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self._part["failures"].append(f"{what}: {in_short(error)}")
            self._write()

    def _write(self) -> None:
        results.write_json(self.output / RESULTS, self._content)


def in_short(error: BaseException) -> str:
    """An error in one line of some 400 characters at most."""
    text = " ".join(str(error).split())[:400]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text(content: Mapping[str, Any]) -> str:
    """All results as Markdown."""
    lines = ["# pg2_jax on an accelerator", "", f"- commit: {content['commit']}"]
    versions = ", ".join(f"{n} {v}" for n, v in content["versions"].items())
    lines.append(f"- versions: {versions}")
    lines += [f"- {n}: {v}" for n, v in content["settings"].items() if n != "folder"]
    if content["settings"]["scale"] < 1:
        lines.append("- rehearsal: smaller networks; no time says anything of the real")
    for part in content["parts"].values():
        lines += ["", f"## {part['title']}", "", state_of(part)]
        lines += [f"- failed: {failure}" for failure in part.get("failures", ())]
        if part.get("facts"):
            lines += ["", *(f"- {n}: {cell(v)}" for n, v in part["facts"].items())]
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
    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    bodies = [columns, ["---"] * len(columns), *cells]
    return [f"| {' | '.join(body)} |" for body in bodies]
