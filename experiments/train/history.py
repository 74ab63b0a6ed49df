"""What programs can read of a training: config.json, and history.jsonl, which has every
number that TensorBoard shows."""

import datetime
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jax

from experiments import results
from pg2_jax import errors, files

Row = dict[str, Any]  # "step", and numbers by the names that TensorBoard shows


def path(workdir: str) -> pathlib.Path:
    """Where a run keeps its history."""
    return pathlib.Path(workdir).expanduser() / "history.jsonl"


def read(workdir: str) -> list[Row]:
    """What a run has written, a row for each step that has an entry: "step", the number
    of finished steps; means since the last entry, such as "coarse/loss"; that step's
    "learning_rate"; "seconds" of all sessions. Not every row has every name."""
    rows: dict[int, Row] = {}
    for row in _rows(path(workdir)):
        # What comes later of the same step, such as a validation's, joins its row.
        rows.setdefault(row["step"], {}).update(row)
    return [rows[step] for step in sorted(rows)]


def begin(workdir: str, first_step: int) -> float:
    """Drops what the history of a run has of steps after `first_step`; returns the
    seconds of training until then. The run's folder exists."""
    kept = [row for row in _rows(path(workdir)) if row["step"] <= first_step]
    lines = "".join(json.dumps(row) + "\n" for row in kept)
    files.write_text(path(workdir), lines)
    return max((row.get("seconds", 0.0) for row in kept), default=0.0)


def add(workdir: str, step: int, values: Mapping[str, float]) -> None:
    """Adds a line to a history that has begun; it is on disk when this returns."""
    try:
        with path(workdir).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
    except OSError as error:
        raise OSError(
            f"the history cannot be written to {path(workdir)}: {error}. Free some "
            "space; the same command then resumes the run."
        ) from error


def write_config(workdir: str, config: dict[str, Any], first_step: int) -> None:
    """Writes config.json: the settings, versions, and each session, which is a start
    of the program with `first_step` finished steps."""
    file = pathlib.Path(workdir) / "config.json"
    before = results.read_json(file) if file.is_file() else {}
    session = {
        "begin": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "first_step": first_step,
        "hardware": results.hardware(),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }
    sessions = {"sessions": [*before.get("sessions", []), session]}
    results.write_json(file, {"config": config, **results.provenance(), **sessions})


def _rows(file: pathlib.Path) -> list[Row]:
    """The lines of a history; an incomplete last line is left out."""
    if not file.is_file():
        return []
    *lines, _unfinished = file.read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        with errors.said_of(f"{file}, line {number}: not JSON"):
            row = json.loads(line)
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise ValueError(f'{file}, line {number}: no number "step" in {line!r}.')
        # Version 0.1.0 called D the critic.
        renamed = (re.sub("^critic/", "discriminator/", name) for name in row)
        rows.append(dict(zip(renamed, row.values(), strict=True)))
    return rows
