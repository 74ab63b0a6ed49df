"""What a report shows besides numbers: which pairs, and their pictures."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments import pictures
from experiments.config import Config
from experiments.report import data_pairs
from experiments.report.evaluated_run import Run, comparable
from pg2_jax import visualize
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.metrics import direction

GROUPS = ("best", "median", "worst")
_MOST = 20
_QUALITY = 90  # of WebP
_BACKGROUND = 24  # grey of a pose picture


class Shot(NamedTuple):
    """A picture of a pair, as a data URI, of a size in pixels; the run's number is None
    for what was given."""

    title: str
    run: int | None
    uri: str
    width: int
    height: int
    alt: str


class Score(NamedTuple):
    """The score of a run's result, with the rank from the best on."""

    run: int
    value: float
    rank: int


class Item(NamedTuple):
    """A pair of the gallery; what is not known is empty or None."""

    order: int  # its place in the data set
    source: str  # name of the photo
    target: str
    identity: str  # of the person
    difference: float | None  # of the poses, in torso lengths
    view: str  # such as "front to back"
    scores: list[Score]  # of each run that has one
    groups: list[str]  # such as "0-worst", why the pair is shown
    shots: list[Shot]


class Samples(NamedTuple):
    """What was gathered for the page."""

    items: list[Item]  # the pairs of the gallery
    data: dict[int, data_pairs.DataPairs]  # of the pairs of each run, by its number
    notes: list[str]  # what could not be shown, and why

    def note(self, run: Run, text: str) -> None:
        """Notes what a run lacks."""
        self.notes.append(f"{run.name}: {text.rstrip('.')}.")


def gather(config: Config, runs: Sequence[Run]) -> Samples:
    """Chooses pairs, reads their photos and generates them with each run."""
    together: dict[int, dict[int, Run]] = {}
    # Runs that were scored on the same pairs share their photos.
    for number, first in enumerate(comparable(runs)):
        together.setdefault(first, {})[number] = runs[number]
    samples = Samples([], {}, [])
    for members in together.values():
        _gather(members, config, samples)
    return samples


def _ranked(values: np.ndarray, better: direction.Direction) -> list[int]:
    """Rows from the best to the worst; those without a finite value are left out."""
    rows = np.flatnonzero(np.isfinite(values))
    return rows[np.argsort(-better.merit(values[rows]), kind="stable")].tolist()


def best_and_worst(
    values: np.ndarray, better: direction.Direction
) -> dict[str, list[int]]:
    """The rows of each of `GROUPS`: at most twenty, fewer where they would overlap. The
    worst come from the worst on."""
    order = _ranked(values, better)
    size = min(_MOST, len(order) // 3)
    middle = (len(order) - size) // 2
    rows = order[:size], order[middle : middle + size], order[::-1][:size]
    return dict(zip(GROUPS, rows, strict=True))


def thirds(items: Sequence[Item]) -> list[float]:
    """The two pose differences that part the pairs in three; none for fewer pairs."""
    known = [item.difference for item in items if item.difference is not None]
    return np.quantile(known, [1 / 3, 2 / 3]).tolist() if len(known) >= 3 else []


def _gather(runs: Mapping[int, Run], config: Config, samples: Samples) -> None:
    """Adds the pairs of some runs that were scored on the same ones."""
    why = {number: _chosen(run, config) for number, run in runs.items()}
    wanted = {key for chosen in why.values() for key in chosen}
    if not wanted:
        return
    data = _read_data(runs, config, wanted, samples)
    if data:
        samples.data.update(dict.fromkeys(runs, data))
    first = next(iter(runs.values()))
    assert first.scores, "pairs were chosen by their scores"
    names = dict(zip(first.keys, first.scores.names, strict=True))
    shots = _shots(runs, {key: names[key] for key in wanted}, data, samples)
    scores = {}
    for number, run in runs.items():
        values = run.scores_of(run.final)[config.report_metric]
        ranked = enumerate(_ranked(values, run.better(config.report_metric)), 1)
        scores[number] = {run.keys[i]: (float(values[i]), rank) for rank, i in ranked}
    for order, key in enumerate(first.keys):
        if key not in wanted:
            continue
        who, apart, view = data.facts(key) if data else ("", None, "")
        ranks = [Score(n, *of[key]) for n, of in scores.items() if key in of]
        groups = [f"{n}-{group}" for n in runs for group in why[n].get(key, ())]
        samples.items.append(
            Item(order, *names[key], who, apart, view, ranks, groups, shots[key])
        )


def _chosen(run: Run, config: Config) -> dict[str, list[str]]:
    """Some of best, median, worst and spread, for the key of each pair to show."""
    if not run.scores:
        return {}
    scores, metric = run.scores_of(run.final), config.report_metric
    if metric not in scores:
        raise ValueError(
            f"--report_metric={metric} is not in {run.folder / 'pairs.csv'}, which has "
            f"{', '.join(scores)}."
        )
    rows = best_and_worst(scores[metric], run.better(metric))
    rows["spread"] = sorted(pictures.spread_rows(len(run.keys), config.report_pairs))
    chosen: dict[str, list[str]] = {}
    for group, members in rows.items():
        for row in members:
            chosen.setdefault(run.keys[row], []).append(group)
    return chosen


def _read_data(
    runs: Mapping[int, Run], config: Config, wanted: Collection[str], samples: Samples
) -> data_pairs.DataPairs | None:
    """The data set that the runs were scored on, if it can be read."""
    run = next((run for run in runs.values() if "data" in run.content), None)
    if run is None:
        return None
    place = config.data_dir or run.content["data_dir"]
    try:
        dataset = pair_reader.PairDataset(place)
        if dataset.metadata != run.content["data"]:
            raise ValueError(
                f"{place} is another data set than the one that was scored; --data_dir "
                "says where that lies"
            )
    except ValueError as error:
        samples.note(run, f"no photos and poses: {error}")
        return None
    return data_pairs.read(dataset, wanted)


def _shots(
    runs: Mapping[int, Run],
    pairs: Mapping[str, tuple[str, str]],
    data: data_pairs.DataPairs | None,
    samples: Samples,
) -> dict[str, list[Shot]]:
    """The pictures of each pair: what was given, and what each run made of it."""
    # The name of the source may not be known.
    names = {key: " to ".join(filter(None, pair)) for key, pair in pairs.items()}
    photos = data.photos if data else {}
    shots: dict[str, list[Shot]] = {key: [] for key in names}
    for key, given in photos.items():
        shots[key] = _given_shots(names[key], given)
    for number, run in runs.items():
        try:
            if "generated_dir" in run.content:
                rows = {key: i for i, key in enumerate(run.keys) if key in names}
                images, targets = data_pairs.of_folder(run, rows)
            else:
                images, targets = data_pairs.of_run(run, photos), {}
        except ValueError as error:
            samples.note(run, f"no generated images: {error}")
            continue
        for key, target in targets.items():
            if not shots[key]:
                alt = f"Target photo of {names[key]}"
                shots[key].append(_shot("target", target, alt))
        for key, by_kind in images.items():
            for kind, image in by_kind.items():
                alt = f"{kind} image of {names[key]} by {run.name}"
                shots[key].append(_shot(kind, image, alt, run=number))
    return shots


def _given_shots(name: str, photos: data_pairs.Photos) -> list[Shot]:
    dark = np.full_like(photos.target, _BACKGROUND)
    scale = visualize.screen_scale(len(dark))
    skeleton = visualize.draw_skeleton(dark, photos.keypoints, scale=scale)
    height, width = dark.shape[:2]
    alt = f"Target pose of {name}, as a skeleton"
    return [
        _shot("source", photos.source, f"Source photo of {name}"),
        _shot("target pose", skeleton, alt)._replace(width=width, height=height),
        _shot("target", photos.target, f"Target photo of {name}"),
    ]


def _shot(title: str, image: np.ndarray, alt: str, run: int | None = None) -> Shot:
    height, width = image.shape[:2]
    encoded = pictures.to_base64(image, "WEBP", quality=_QUALITY, method=6)
    uri = f"data:image/webp;base64,{encoded}"
    return Shot(title, run, uri, width, height, alt)
