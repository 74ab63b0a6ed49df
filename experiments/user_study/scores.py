"""--mode=user_study --answers: people's answers as R2G and G2R of the paper's Table 2.

R2G is the share of the real images that were rated as generated, G2R the share of the
generated images that were rated as real (section 4.4).
"""

import pathlib
from typing import Any

import numpy as np
import rich.console
import rich.table

from experiments import results
from experiments.config import Config
from experiments.evaluate import statistics
from experiments.user_study import answers
from experiments.user_study.answers import GENERATED, REAL, Rater
from pg2_jax import errors

SCORES = "user_study.json"
DEFINITIONS = {
    "R2G": "real images rated as generated / real images",
    "G2R": "generated images rated as real / generated images",
}
_KINDS = {"R2G": REAL, "G2R": GENERATED}
_INTERVAL = (
    f"95 % of {statistics.RESAMPLES} bootstrap resamples of the raters, seed "
    f"{statistics.SEED}; needs two"
)
# Table 2: 30 raters on Amazon Mechanical Turk for each data set.
PAPER = {
    "DeepFashion, G1+D": {"R2G": 0.078, "G2R": 0.093},
    "DeepFashion, G1+G2+D": {"R2G": 0.092, "G2R": 0.149},
    "Market-1501, G1+D": {"R2G": 0.171, "G2R": 0.111},
    "Market-1501, G1+G2+D": {"R2G": 0.112, "G2R": 0.055},
}


def score(config: Config) -> dict[str, Any]:
    """Scores the --answers to the study in --output; writes user_study.json there, and
    returns its content.

    Practice images do not count, nor trials during which the page was out of sight.
    """
    output = pathlib.Path(config.output)
    key = answers.read_key(output)
    raters = answers.read(config.answers, key)
    counts = {
        name: np.array([_count(rater, key, kind) for rater in raters])
        for name, kind in _KINDS.items()
    }
    content = {
        "study": key["study"],
        "raters": len(raters),
        **{name: _record(by_rater) for name, by_rater in counts.items()},
        "definitions": DEFINITIONS,
        "interval": _INTERVAL,
        **_timing(raters, key),
        "by_rater": [
            {"rater": rater.name, "file": str(rater.path)}
            | {name: float(x[i, 0] / x[i, 1]) for name, x in counts.items()}
            for i, rater in enumerate(raters)
        ],
        "paper": PAPER,
        "images": key["images"],
        **results.provenance(),
    }
    results.write_json(output / SCORES, content)
    _show(content)
    print(f"Wrote {output / SCORES}")
    return content


def _count(rater: Rater, key: dict[str, Any], kind: str) -> tuple[int, int]:
    """How many images of a kind one rater took for the other, and of how many."""
    shown = list(zip(key["trials"], rater.trials, strict=True))[key["practice"] :]
    answers = [
        trial["answer"]
        for image, trial in shown
        if image["kind"] == kind and not trial["interrupted"]
    ]
    if not answers:
        raise ValueError(
            f"--answers: {rater.path}: no {kind} image counts, every such trial was "
            "interrupted; leave this file out."
        )
    return sum(answer != kind for answer in answers), len(answers)


def _record(counts: np.ndarray) -> dict[str, Any]:
    """The rate over all raters; counts are [raters, 2], confused and shown."""
    confused, shown = (int(count) for count in counts.sum(axis=0))
    record = {"rate": confused / shown, "confused": confused, "shown": shown}
    rates, weights = counts[:, 0] / counts[:, 1], counts[:, 1]
    (interval,) = statistics.intervals([rates], [weights])
    return {**record, "interval_95": interval}


def _timing(raters: list[Rater], key: dict[str, Any]) -> dict[str, Any]:
    """How long images were shown and how long answers took, and what was left out."""
    counted = [t for rater in raters for t in rater.trials[key["practice"] :]]
    whole = [trial for trial in counted if not trial["interrupted"]]
    shown = [trial["shown_ms"] for trial in whole]
    return {
        "practice_images": key["practice"],
        "interrupted_trials": len(counted) - len(whole),
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
    for name in DEFINITIONS:
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("95 %", justify="right", no_wrap=True)
        limits = content[name]["interval_95"] or ()
        cells.append(f"{100 * content[name]['rate']:.1f} %")
        cells.append(" to ".join(f"{100 * x:.1f}" for x in limits) or "-")
    table.add_row("this study", *cells, end_section=True)
    for title, rates in PAPER.items():
        r2g, g2r = (f"{100 * rates[name]:.1f} %" for name in DEFINITIONS)
        table.add_row(f"paper: {title}", r2g, "", g2r)
    console = rich.console.Console()
    console.print(table)
    shown = content["shown_ms"]
    lines = [
        *(f"{name}: {text}" for name, text in DEFINITIONS.items()),
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
