"""A run as a report sees it: what its folder holds, read and checked."""

import dataclasses
import functools
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments import results
from experiments.evaluate import pair_names, pairs_csv
from experiments.train import history
from pg2_jax import errors
from pg2_jax.metrics import direction

# As many as there are colours that can be told apart.
MOST_RUNS = 8


@dataclasses.dataclass(frozen=True)
class Run:
    """What one folder of --workdirs holds."""

    name: str  # tells the runs of a report apart
    folder: pathlib.Path
    content: dict[str, Any]  # of metrics.json
    stored: dict[str, Any]  # of config.json; empty where images of a folder were scored
    scores: pairs_csv.ScoredPairs  # empty where evaluate has left no pairs.csv
    history: list[history.Row]  # of the training; empty where it was not recorded

    @property
    def final(self) -> str:
        """The kind of image that is the run's result: the last that was scored."""
        return list(self.content["metrics"])[-1]

    @functools.cached_property
    def keys(self) -> list[str]:
        """What tells the scored pairs apart, see `pair_names.key`."""
        return [pair_names.key(*pair) for pair in self.scores.names]

    @property
    def config(self) -> dict[str, Any]:
        """Settings of the training; empty where images of a folder were scored."""
        return self.content.get("config", {})

    def scores_of(self, kind: str) -> dict[str, np.ndarray]:
        """Scores [N] of every pair by metric; empty without a pairs.csv."""
        return self.scores.scores.get(kind, {})

    def better(self, metric: str) -> direction.Direction:
        """The direction of a metric, as metrics.json defines it."""
        return direction.of(self.content["definitions"][metric])


def read_all(workdirs: str) -> list[Run]:
    """Reads the runs of --workdirs, FOLDER or NAME=FOLDER with commas between."""
    entries = []
    for text in filter(None, map(str.strip, workdirs.split(","))):
        name, equals, path = text.partition("=")
        # A folder may have = in its name, but then the slash of its parent comes first.
        if not equals or "/" in name:
            name, path = "", text
        if not path.strip():
            raise ValueError(f"--workdirs: {text} names no folder.")
        entries.append((name.strip(), pathlib.Path(path.strip()).expanduser()))
    if not entries:
        raise ValueError(f"--workdirs={workdirs} names no folder.")
    if len(entries) > MOST_RUNS:
        raise ValueError(
            f"--workdirs names {len(entries)} runs; a report shows at most {MOST_RUNS}."
        )
    places = [folder.resolve() for _, folder in entries]
    named: dict[str, pathlib.Path] = {}
    for (name, folder), place in zip(entries, places, strict=True):
        if places.count(place) > 1:
            raise ValueError(f"--workdirs names {folder} twice.")
        name = name or _short_name(place, places)
        if name in named:
            raise ValueError(f"--workdirs gives two runs the name {name}.")
        named[name] = folder
    return [_read(name, folder) for name, folder in named.items()]


def not_comparable(run: Run, other: Run) -> str:
    """Why scores of two runs cannot be compared pair by pair; empty if they can."""
    mine, theirs = run.content, other.content
    if mine["image_size"] != theirs["image_size"]:
        return f"images of {mine['image_size']} and of {theirs['image_size']}"
    if "data" in mine and "data" in theirs and mine["data"] != theirs["data"]:
        return f"another data set: {mine['data_dir']} and {theirs['data_dir']}"
    # Before there were two, it was tf_data.
    readers = [c.get("reader", "tf_data") for c in (mine, theirs) if "data" in c]
    if len(set(readers)) > 1:
        return (
            f"photos read with {readers[0]} and with {readers[1]}, which decode JPEG "
            "differently; evaluate again with one of them"
        )
    if not run.keys or not other.keys:
        lacks = " and ".join(r.name for r in (run, other) if not r.keys)
        return f"no {pairs_csv.FILE} of {lacks}; evaluate again"
    names, others = run.keys, other.keys
    if sorted(names) != sorted(others):
        common = len({*names} & {*others})
        return (
            f"other pairs: {len(names):,} and {len(others):,}, of which {common:,} "
            "are the same"
        )
    if names != others and len({*names}) < len(names):
        return "pairs in another order, and some pairs more than once"
    return ""


def comparable(runs: Sequence[Run]) -> list[int]:
    """For each run the number of the first that it can be compared with."""
    return [
        next(n for n in range(i + 1) if n == i or not not_comparable(run, runs[n]))
        for i, run in enumerate(runs)
    ]


def _short_name(place: pathlib.Path, places: list[pathlib.Path]) -> str:
    """The shortest end of a path that no other of the paths has."""
    for count in range(1, len(place.parts)):
        end = place.parts[-count:]
        if sum(other.parts[-count:] == end for other in places) == 1:
            return "/".join(end)
    return str(place)


def _read(name: str, folder: pathlib.Path) -> Run:
    if not folder.is_dir():
        raise ValueError(f"--workdirs: there is no folder {folder}.")
    file = folder / "metrics.json"
    if not file.is_file():
        raise ValueError(
            f"--workdirs: {folder} has no metrics.json. Score it first: python -m "
            f"experiments.main --mode=evaluate --data_dir=... "
            f"{shlex.quote(f'--workdir={folder}')}"
        )
    with errors.said_of("--workdirs"):
        content, stored = results.read_json(file), {}
        if (folder / "config.json").is_file():
            stored = results.read_json(folder / "config.json")
    for key in ("metrics", "pairs", "image_size", "definitions"):
        if not content.get(key):
            raise ValueError(
                f'--workdirs: {file} has no "{key}"; it is not what --mode=evaluate '
                "writes."
            )
    scores, file = pairs_csv.ScoredPairs([], {}), folder / pairs_csv.FILE
    if file.is_file():
        scores = pairs_csv.read(file)
        pairs, kinds = len(scores.names), scores.scores.keys()
        if pairs != content["pairs"] or kinds != content["metrics"].keys():
            raise ValueError(
                f"--workdirs: {file} and metrics.json are of two evaluations: "
                f"{pairs:,} pairs of {', '.join(kinds)}, and {content['pairs']:,} of "
                f"{', '.join(content['metrics'])}. Evaluate again."
            )
    return Run(name, folder, content, stored, scores, history.read(str(folder)))
