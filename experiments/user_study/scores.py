"""--mode=user_study --answers: people's answers as R2G and G2R of the paper's Table 2.

R2G is the share of the real images that were rated as generated, G2R the share of the
generated images that were rated as real (section 4.4). Practice images do not count,
nor trials during which the page was out of sight.
"""

import glob
import pathlib
from typing import Any, NamedTuple

import numpy as np
import rich.console
import rich.table

from experiments import results
from experiments.config import Config
from experiments.evaluate import statistics
from pg2_jax import errors, files

KEY = "key.json"
REAL, GENERATED = "real", "generated"
VERSION = 1
_KINDS = {"R2G": REAL, "G2R": GENERATED}
_DEFINITIONS = {
    "R2G": "real images rated as generated / real images",
    "G2R": "generated images rated as real / generated images",
}
_INTERVAL = (
    f"95 % of {statistics.RESAMPLES} bootstrap resamples of the raters, seed "
    f"{statistics.SEED}; needs two"
)
# Table 2: 30 raters on Amazon Mechanical Turk for each data set.
_PAPER = {
    "DeepFashion, G1+D": {"R2G": 0.078, "G2R": 0.093},
    "DeepFashion, G1+G2+D": {"R2G": 0.092, "G2R": 0.149},
    "Market-1501, G1+D": {"R2G": 0.171, "G2R": 0.111},
    "Market-1501, G1+G2+D": {"R2G": 0.112, "G2R": 0.055},
}


class Rater(NamedTuple):
    """What one person answered after the practice, each trial with the image's kind."""

    name: str
    path: pathlib.Path
    trials: list[dict[str, Any]]


def score(config: Config) -> dict[str, Any]:
    """Scores the --answers to the study in --output; writes user_study.json there."""
    output = pathlib.Path(config.output)
    key_file, file = output / KEY, output / "user_study.json"
    if not key_file.is_file():
        raise ValueError(
            f"--output={output}: there is no study ({KEY} is missing); --answers "
            "needs the folder that --mode=user_study made."
        )
    key = results.read_json(key_file)
    if key.get("version") != VERSION:
        raise ValueError(f"{key_file}: version {key.get('version')}, not {VERSION}.")
    raters = read(config.answers, key)
    counts = {
        name: np.array([_count(rater, kind) for rater in raters])
        for name, kind in _KINDS.items()
    }
    content = {
        "study": key["study"],
        "raters": len(raters),
        **{name: _record(by_rater) for name, by_rater in counts.items()},
        "definitions": _DEFINITIONS,
        "interval": _INTERVAL,
        **_timing(raters, key),
        "by_rater": [
            {"rater": rater.name, "file": str(rater.path)}
            | {name: float(x[i, 0] / x[i, 1]) for name, x in counts.items()}
            for i, rater in enumerate(raters)
        ],
        "paper": _PAPER,
        "images": key["images"],
        **results.provenance(),
    }
    results.write_json(file, content)
    _show(content)
    print(f"Wrote {file}")
    return content


def read(answers: str, key: dict[str, Any]) -> list[Rater]:
    """Reads and checks the answers to a study, one rater for each of the files that
    --answers names. The message on files that cannot be used names all of them."""
    raters: dict[str, Rater] = {}
    paths, problems = _paths(answers), []
    for path in paths:
        try:
            rater = _read_rater(path, key)
            other = raters.setdefault(rater.name, rater)
            if other is not rater:
                raise ValueError(
                    f"{path}: rater {rater.name} is that of {other.path}; keep one of "
                    "the two"
                )
        except (ValueError, OSError) as error:
            problems.append(f"  {error}")
    if problems:
        raise ValueError(
            f"--answers: nothing was scored; {len(problems)} of {len(paths)} files "
            "cannot be used:\n" + "\n".join(problems)
        )
    return list(raters.values())


def _paths(answers: str) -> list[pathlib.Path]:
    """The files that --answers speaks of, each once."""
    paths: dict[pathlib.Path, None] = {}
    for part in answers.split(","):
        path = pathlib.Path(part.strip()).expanduser()
        if path.is_dir():
            here = [x for x in path.glob("*.json") if not files.is_left_behind(x.name)]
        elif path.is_file():  # Its name may look like a pattern.
            here = [path]
        else:
            here = [pathlib.Path(name) for name in glob.glob(str(path), recursive=True)]
        if not part.strip() or not here:
            raise ValueError(f"--answers={answers}: no file of answers is at {part!r}.")
        paths |= dict.fromkeys(sorted(here))
    return list(paths)


def _read_rater(path: pathlib.Path, key: dict[str, Any]) -> Rater:
    content = results.read_json(path)
    name, trials = content.get("rater"), content.get("trials")
    with errors.said_of(path):
        if not (isinstance(name, str) and name and isinstance(trials, list)):
            raise ValueError("not the answers of a user study (rater, trials)")
        for field in ("study", "version"):
            given, wanted = content.get(field), key[field]
            if given != wanted:
                raise ValueError(
                    f"{field} {given!r}, but that of --output is {wanted!r}"
                )
        for number, trial in enumerate(trials, 1):
            with errors.said_of(f"trial {number}"):
                _check_trial(trial)
        _check_order([x["id"] for x in trials], [x["id"] for x in key["trials"]])
    shown = zip(key["trials"], trials, strict=True)
    with_kinds = [{**trial, "kind": image["kind"]} for image, trial in shown]
    return Rater(name, path, with_kinds[key["practice"] :])


def _check_trial(trial: Any) -> None:
    if not isinstance(trial, dict) or not isinstance(trial.get("id"), str):
        raise ValueError("no id")
    answer, interrupted = trial.get("answer"), trial.get("interrupted")
    if answer not in (REAL, GENERATED):
        raise ValueError(f"answer {answer!r} is neither {REAL} nor {GENERATED}")
    for field in ("shown_ms", "answer_ms"):
        value = trial.get(field)
        # A bool is an int too; NaN fails every comparison.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{field} {value!r} is no number")
        if not 0 <= value < float("inf"):
            raise ValueError(f"{field} {value!r} is no time")
    if not isinstance(interrupted, bool):
        raise ValueError(f"interrupted {interrupted!r} is neither true nor false")


def _check_order(ids: list[str], wanted: list[str]) -> None:
    for one in ids:
        if one not in wanted:
            raise ValueError(f"{one} is no image of this study")
        if ids.count(one) > 1:
            raise ValueError(f"{one} is answered {ids.count(one)} times")
    if len(ids) < len(wanted):
        answered = f"{len(ids)} of {len(wanted)} images are answered"
        raise ValueError(f"incomplete, {answered}")
    if ids != wanted:
        raise ValueError("the images are not in the order of the study")


def _count(rater: Rater, kind: str) -> tuple[int, int]:
    """How many images of a kind one rater took for the other, and of how many."""
    answers = [
        trial["answer"]
        for trial in rater.trials
        if trial["kind"] == kind and not trial["interrupted"]
    ]
    if not answers:
        raise ValueError(
            f"--answers: {rater.path}: no {kind} image counts, every such trial was "
            "interrupted; leave this file out."
        )
    return sum(answer != kind for answer in answers), len(answers)


def _record(counts: np.ndarray) -> dict[str, Any]:
    """The rate over all raters; counts are [raters, 2], confused and shown."""
    confused, shown = counts.sum(axis=0).tolist()
    (interval,) = statistics.intervals([counts[:, 0] / counts[:, 1]], [counts[:, 1]])
    record = {"rate": confused / shown, "confused": confused, "shown": shown}
    return {**record, "interval_95": interval}


def _timing(raters: list[Rater], key: dict[str, Any]) -> dict[str, Any]:
    """How long images were shown and how long answers took, and what was left out."""
    trials = [trial for rater in raters for trial in rater.trials]
    whole = [trial for trial in trials if not trial["interrupted"]]
    shown = [trial["shown_ms"] for trial in whole]
    return {
        "practice_images": key["practice"],
        "interrupted_trials": len(trials) - len(whole),
        "asked_ms": 1000 * key["seconds"],
        "shown_ms": {
            "median": float(np.median(shown)),
            "lowest": min(shown),
            "highest": max(shown),
        },
        "answer_ms": {"median": float(np.median([t["answer_ms"] for t in whole]))},
    }


def _show(content: dict[str, Any]) -> None:
    raters = errors.counted(content["raters"], "rater")
    title = f"User study {content['study']}, {raters}"
    table = rich.table.Table(title=title, title_justify="left")
    table.add_column("images", no_wrap=True)
    cells = []
    for name in _KINDS:
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("95 %", justify="right", no_wrap=True)
        limits = content[name]["interval_95"] or ()
        cells.append(f"{100 * content[name]['rate']:.1f} %")
        cells.append(" to ".join(f"{100 * x:.1f}" for x in limits) or "-")
    table.add_row("this study", *cells, end_section=True)
    for title, rates in _PAPER.items():
        r2g, g2r = (f"{100 * rates[name]:.1f} %" for name in _KINDS)
        table.add_row(f"paper: {title}", r2g, "", g2r)
    console = rich.console.Console()
    console.print(table)
    shown = content["shown_ms"]
    lines = [
        *(f"{name}: {text}" for name, text in _DEFINITIONS.items()),
        f"practice, {errors.counted(content['practice_images'], 'image')} of each "
        "rater, does not count",
        f"interval: {content['interval']}",
        f"shown for {shown['median']:.0f} ms (median; {shown['lowest']:.0f} to "
        f"{shown['highest']:.0f}), {content['asked_ms']:.0f} asked for",
        "the paper's raters saw other images: its rows are for reference",
    ]
    if content["interrupted_trials"]:
        count = errors.counted(content["interrupted_trials"], "trial")
        lines.append(f"{count} left out: the page was out of sight")
    for line in lines:
        console.print(f"  {line}", highlight=False, markup=False)
