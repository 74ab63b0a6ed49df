"""What a report shows besides numbers: which pairs, and their pictures."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

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


# Of the template: a picture, and a pair of the gallery.
Shot = dict[str, Any]
Item = dict[str, Any]


class Samples:
    """Pairs that are chosen, their photos, and what each run makes of them."""

    def __init__(self, config: Config, runs: Sequence[Run]):
        self.items: list[Item] = []  # the pairs of the gallery
        # What is known of the pairs of each run, by its number.
        self.pairs: dict[int, dict[str, data_pairs.Pair]] = {}
        self.notes: list[str] = []  # what could not be shown, and why
        self._config = config
        # Runs that were scored on the same pairs share their photos.
        together: dict[int, dict[int, Run]] = {}
        for number, first in enumerate(comparable(runs)):
            together.setdefault(first, {})[number] = runs[number]
        for members in together.values():
            self._gather(members)

    def _gather(self, runs: Mapping[int, Run]) -> None:
        """Adds the pairs of some runs that were scored on the same ones, by number."""
        groups: dict[str, list[str]] = {}
        for number, run in runs.items():
            for group, rows in _chosen(run, self._config).items():
                for row in rows:
                    groups.setdefault(run.keys[row], []).append(f"{number}-{group}")
        if not groups:
            return
        pairs = self._read_pairs(runs.values(), groups)
        if pairs:
            self.pairs.update(dict.fromkeys(runs, pairs))
        # By pair and number of the run: the score of its result, and its rank.
        scores: dict[str, dict[int, tuple[float, int]]] = {key: {} for key in groups}
        for number, run in runs.items():
            values = run.scores_of(run.final)[self._config.report_metric]
            better = run.better(self._config.report_metric)
            for rank, row in enumerate(_ranked(values, better), start=1):
                if (key := run.keys[row]) in groups:
                    scores[key][number] = float(values[row]), rank
        first = next(iter(runs.values()))
        names = dict(zip(first.keys, first.scores.names, strict=True))
        shots = self._shots(runs, {key: names[key] for key in groups}, pairs)
        self.items += [
            {
                "order": order,  # in the data set
                "source": names[key][0],  # name of the photo; empty if not known
                "target": names[key][1],
                "known": pairs.get(key, data_pairs.Pair()),
                "scores": scores[key],
                "groups": groups[key],  # such as "0-worst", why the pair is shown
                "shots": shots[key],
            }
            for order, key in enumerate(first.keys)
            if key in groups
        ]

    def _note(self, run: Run, text: str) -> None:
        self.notes.append(f"{run.name}: {text.rstrip('.')}.")

    def _read_pairs(
        self, runs: Collection[Run], wanted: Collection[str]
    ) -> dict[str, data_pairs.Pair]:
        """What the data set that the runs were scored on knows, if it can be read."""
        run = next((run for run in runs if "data" in run.content), None)
        if run is None:
            return {}
        place = self._config.data_dir or run.content["data_dir"]
        try:
            dataset = pair_reader.PairDataset(place)
            if dataset.metadata != run.content["data"]:
                raise ValueError(
                    f"{place} is another data set than the one that was scored; "
                    "--data_dir says where that lies"
                )
        except ValueError as error:
            self._note(run, f"no photos and poses: {error}")
            return {}
        return data_pairs.read(dataset, wanted)

    def _shots(
        self,
        runs: Mapping[int, Run],
        names: Mapping[str, tuple[str, str]],
        pairs: Mapping[str, data_pairs.Pair],
    ) -> dict[str, list[Shot]]:
        """The pictures of each pair: what was given, and what each run made of it."""
        # The name of the source may not be known.
        said = {key: " to ".join(filter(None, pair)) for key, pair in names.items()}
        photos = {key: pair.photos for key, pair in pairs.items() if pair.photos}
        shots: dict[str, list[Shot]] = {key: [] for key in names}
        for key, given in photos.items():
            shots[key] = _given_shots(said[key], given)
        for number, run in runs.items():
            try:
                if "generated_dir" in run.content:
                    rows = {key: i for i, key in enumerate(run.keys) if key in names}
                    images = data_pairs.of_folder(run, rows)
                else:
                    images = data_pairs.of_run(run, photos)
            except ValueError as error:
                self._note(run, f"no generated images: {error}")
                continue
            for key, by_kind in images.items():
                target = by_kind.pop("target", None)
                if target is not None and not shots[key]:
                    alt = f"Target photo of {said[key]}"
                    shots[key].append(_shot("target", target, alt))
                for kind, image in by_kind.items():
                    alt = f"{kind} image of {said[key]} by {run.name}"
                    shots[key].append(_shot(kind, image, alt, run=number))
        return shots


def _ranked(values: np.ndarray, better: direction.Direction) -> list[int]:
    """Rows from the best to the worst; those without a finite value are left out."""
    rows = np.flatnonzero(np.isfinite(values))
    return rows[np.argsort(-better.merit(values[rows]), kind="stable")].tolist()


def best_and_worst(
    values: np.ndarray, better: direction.Direction
) -> dict[str, list[int]]:
    """The rows of each of `GROUPS`, at most twenty and none twice; the worst first."""
    order = _ranked(values, better)
    size = min(_MOST, len(order) // 3)
    middle = (len(order) - size) // 2
    rows = order[:size], order[middle : middle + size], order[::-1][:size]
    return dict(zip(GROUPS, rows, strict=True))


def _chosen(run: Run, config: Config) -> dict[str, list[int]]:
    """The rows of the pairs to show: best, median, worst and spread."""
    if not run.keys:
        return {}
    scores, metric = run.scores_of(run.final), config.report_metric
    if metric not in scores:
        raise ValueError(
            f"--report_metric={metric} is not in {run.folder / 'pairs.csv'}, which has "
            f"{', '.join(scores)}."
        )
    spread = sorted(pictures.spread_rows(len(run.keys), config.report_pairs))
    return {**best_and_worst(scores[metric], run.better(metric)), "spread": spread}


def _given_shots(name: str, photos: data_pairs.Photos) -> list[Shot]:
    source, target = photos["source_image"], photos["target_image"]
    dark, scale = np.full_like(target, _BACKGROUND), visualize.screen_scale(len(target))
    skeleton = visualize.draw_skeleton(dark, photos["target_keypoints"], scale=scale)
    height, width = target.shape[:2]
    alt = f"Target pose of {name}, as a skeleton"
    return [
        _shot("source", source, f"Source photo of {name}"),
        # Drawn larger than it is shown.
        {**_shot("target pose", skeleton, alt), "width": width, "height": height},
        _shot("target", target, f"Target photo of {name}"),
    ]


def _shot(title: str, image: np.ndarray, alt: str, run: int | None = None) -> Shot:
    """A picture; without the number of a run it is what was given."""
    height, width = image.shape[:2]
    encoded = pictures.to_base64(image, "WEBP", quality=_QUALITY, method=6)
    shot = {"title": title, "run": run, "alt": alt, "width": width, "height": height}
    return {**shot, "uri": f"data:image/webp;base64,{encoded}"}
