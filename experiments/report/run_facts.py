"""What was run: machine, data, versions and settings, a text for each run."""

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

from experiments.config import Config
from experiments.report.evaluated_run import Run
from pg2_jax import errors

UNKNOWN = "not recorded"
# A name, and a text for each run.
Rows = list[tuple[str, list[str]]]


def subtitles(runs: Sequence[Run]) -> list[str]:
    """How many pairs of which size were scored, in one text if it is so for all."""
    texts = [
        f"{errors.counted(run.content['pairs'], 'test pair')} of "
        f"{run.content['image_size']} pixels"
        for run in runs
    ]
    if len({*texts}) == 1:
        return texts[:1]
    return [f"{run.name}: {text}" for run, text in zip(runs, texts, strict=True)]


def facts(runs: Sequence[Run]) -> Rows:
    """What was run."""
    return _side_by_side([_facts(run) for run in runs], UNKNOWN)


def data_facts(runs: Sequence[Run]) -> Rows:
    """What the data sets say of themselves."""
    return _side_by_side([run.content.get("data", {}) for run in runs], "")


def settings(runs: Sequence[Run]) -> list[tuple[tuple[str, list[str]], bool]]:
    """Settings of the trainings, and whether each is the default in all runs."""
    rows = []
    for field in dataclasses.fields(Config):
        if field.metadata["may_change"] or not any(run.config for run in runs):
            continue
        values = [run.config.get(field.name, field.default) for run in runs]
        texts = [
            str(value) if run.config else ""
            for run, value in zip(runs, values, strict=True)
        ]
        default = all(value == field.default for value in values)
        rows.append(((f"--{field.name}", texts), default))
    return rows


def _side_by_side(of_runs: Sequence[dict[str, Any]], missing: str) -> Rows:
    names = dict.fromkeys(name for values in of_runs for name in values)
    return [(name, [str(v.get(name, missing)) for v in of_runs]) for name in names]


def _facts(run: Run) -> dict[str, str]:
    content = run.content
    if "generated_dir" in content:
        origin = {
            "Images": content["generated_dir"],
            "Targets": content["target_dir"],
            "Keypoints": content.get("annotations") or "none",
        }
    else:
        available = content.get("pairs_available", content["pairs"])
        origin = {
            "Scored checkpoint": f"step {content['step']:,}",
            "Training": _plan(run.config),
            "Time of training": _duration(run),
            "Trained on": _hardware(run),
            "Training code": str(run.stored.get("commit", UNKNOWN)),
            "Data set": content.get("data_dir", UNKNOWN),
            "Pairs in the data set": f"{available:,}",
        }
    versions = content.get("versions", {})
    return {
        "Folder": str(run.folder),
        **origin,
        "Pairs scored": f"{content['pairs']:,}",
        "Image size": f"{content['image_size']} (height x width)",
        "Scoring code": str(content.get("commit", UNKNOWN)),
        "Versions": ", ".join(f"{k} {v}" for k, v in versions.items()) or UNKNOWN,
        "Intervals": content.get("interval", UNKNOWN),
    }


def _plan(config: dict[str, Any]) -> str:
    coarse, refine = config.get("coarse_steps", 0), config.get("refine_steps", 0)
    stages = config.get("stages", "two_stage")
    steps = f"{coarse:,} + {refine:,}" if stages == "two_stage" else f"{coarse:,}"
    batch = config.get("batch_size", UNKNOWN)
    return f"{stages}, {steps} steps, batches of {batch}, seed {config.get('seed')}"


def _duration(run: Run) -> str:
    seconds = max((row.get("seconds", 0) for row in run.history), default=0)
    if not seconds:
        return UNKNOWN
    return str(datetime.timedelta(seconds=round(seconds))) + " (h:mm:ss)"


def _hardware(run: Run) -> str:
    machines = []
    for session in run.stored.get("sessions", []):
        machine = session.get("hardware", {})
        machines.append(
            f"{session.get('devices', '')}; {machine.get('processor', '')}, "
            f"{machine.get('cores', '?')} cores, {machine.get('memory_gib', '?')} GiB"
        )
    return " / ".join(dict.fromkeys(machines)) or UNKNOWN
