"""What a report shows besides numbers: which pairs, and their pictures."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.config import Config
from experiments.evaluate import statistics
from experiments.report import (
    comparison,
    data_pairs,
    gallery,
    generated_images,
    selection,
)
from experiments.report.evaluated_run import Run, not_comparable


@dataclasses.dataclass
class Material:
    """What was gathered for the page.

    Attributes:
        items: the pairs of the gallery.
        data: what the data set knows of the pairs of each run, by its number.
        notes: what could not be shown, and why.
    """

    items: list[gallery.Item]
    data: dict[int, data_pairs.DataPairs]
    notes: list[str]


def gather(config: Config, runs: Sequence[Run]) -> Material:
    """Chooses pairs, reads their photos and draws them with each run.

    Args:
        config: says how many pairs, by which metric, and where the data set lies, if
            elsewhere than when it was scored.
        runs: of the report.

    Raises:
        ValueError: no score of pairs has the name --report_metric.
    """
    material = Material([], {}, [])
    for members in _same_pairs(runs):
        # Runs that were scored on the same pairs share their photos.
        _Gathering(config, {n: runs[n] for n in members}, material).run()
    return material


def chosen(run: Run, metric: str, spread: int) -> dict[str, list[str]]:
    """Why each pair of a run is shown, by its key: some of best, median, worst, spread.

    Raises:
        ValueError: the metric is not one of the run's pairs.
    """
    if not run.scores:
        return {}
    scores = run.scores.scores[run.final]
    if metric not in scores:
        raise ValueError(
            f"--report_metric={metric} is not in {run.folder / 'pairs.csv'}, which has "
            f"{', '.join(scores)}."
        )
    groups = selection.groups(scores[metric], comparison.higher_is_better(run, metric))
    groups["spread"] = selection.spread(len(run.keys), spread)
    found: dict[str, list[str]] = {}
    for group, rows in groups.items():
        for row in rows:
            found.setdefault(run.keys[row], []).append(group)
    return found


def _same_pairs(runs: Sequence[Run]) -> list[list[int]]:
    """Numbers of the runs, those together that can be compared."""
    found: list[list[int]] = []
    for number, run in enumerate(runs):
        for members in found:
            if not not_comparable(run, runs[members[0]]):
                members.append(number)
                break
        else:
            found.append([number])
    return found


class _Gathering:
    """The pairs of some runs that were scored on the same ones."""

    def __init__(self, config: Config, runs: Mapping[int, Run], material: Material):
        self._config, self._runs, self._material = config, runs, material
        self._why = {
            number: chosen(run, config.report_metric, config.report_pairs)
            for number, run in runs.items()
        }
        self._wanted = {key for groups in self._why.values() for key in groups}
        self._targets: generated_images.Images = {}

    def run(self) -> None:
        """Adds the pairs to the material."""
        if not self._wanted:
            return
        data = self._data()
        for number in self._runs if data else ():
            assert data
            self._material.data[number] = data
        drawn = {n: self._drawn(n, run, data) for n, run in self._runs.items()}
        scores = {number: self._scores(run) for number, run in self._runs.items()}
        first = next(iter(self._runs.values()))
        assert first.scores, "pairs were chosen by their scores"
        for order, names in enumerate(first.scores.names):
            key = first.keys[order]
            if key in self._wanted:
                self._material.items.append(
                    self._item(order, names, key, data, drawn, scores)
                )

    def _data(self) -> data_pairs.DataPairs | None:
        """The data set that one of the runs was scored on, if it can be read."""
        for run in self._runs.values():
            place = self._config.data_dir or run.content.get("data_dir")
            if not place or "data" not in run.content:
                continue
            try:
                dataset = _open(place)
            except (ValueError, ImportError) as error:
                self._note(run, f"no photos and poses: {error}")
                return None
            if dataset.metadata != run.content["data"]:
                self._note(
                    run,
                    f"no photos and poses: {place} is another data set than the one "
                    "that was scored; --data_dir says where that lies",
                )
                return None
            return data_pairs.read(dataset, self._wanted)
        return None

    def _drawn(
        self, number: int, run: Run, data: data_pairs.DataPairs | None
    ) -> generated_images.Images:
        try:
            if "generated_dir" in run.content:
                rows = {key: i for i, key in enumerate(run.keys) if key in self._wanted}
                images, targets = generated_images.of_folder(run, rows)
                self._targets |= targets
                return images
            return generated_images.of_run(run, data.photos if data else {})
        except ValueError as error:
            self._note(run, f"no generated images: {error}")
            return {}

    def _note(self, run: Run, text: str) -> None:
        self._material.notes.append(f"{run.name}: {text.rstrip('.')}.")

    def _scores(self, run: Run) -> dict[str, tuple[float, int]]:
        """Score and rank by key."""
        metric = self._config.report_metric
        assert run.scores, "only these have pairs"
        values = run.scores.scores[run.final][metric]
        order = selection.ranked(values, comparison.higher_is_better(run, metric))
        return {
            run.keys[row]: (float(values[row]), rank + 1)
            for rank, row in enumerate(order)
        }

    def _item(
        self,
        order: int,
        names: tuple[str, str],
        key: str,
        data: data_pairs.DataPairs | None,
        drawn: Mapping[int, generated_images.Images],
        scores: Mapping[int, Mapping[str, tuple[float, int]]],
    ) -> gallery.Item:
        said = f"{names[0]} to {names[1]}" if names[0] else names[1]
        metric = self._config.report_metric
        return gallery.Item(
            order,
            *names,
            gallery.facts(key, data),
            scores=[
                gallery.Score(n, statistics.number(metric, found[key][0]), *found[key])
                for n, found in scores.items()
                if key in found
            ],
            groups=[
                f"{n}-{group}"
                for n, why in self._why.items()
                for group in why.get(key, ())
            ],
            shots=[
                *self._given(said, key, data),
                *self._made(said, key, drawn),
            ],
        )

    def _given(
        self, said: str, key: str, data: data_pairs.DataPairs | None
    ) -> list[gallery.Shot]:
        if data and key in data.photos:
            return gallery.given_shots(said, data.photos[key])
        return [
            gallery.shot(kind, image, f"Target photo of {said}")
            for kind, image in self._targets.get(key, {}).items()
        ]

    def _made(
        self, said: str, key: str, drawn: Mapping[int, generated_images.Images]
    ) -> list[gallery.Shot]:
        return [
            gallery.shot(
                kind, image, f"{kind} image of {said} by {self._runs[n].name}", run=n
            )
            for n, images in drawn.items()
            for kind, image in images.get(key, {}).items()
        ]


def _open(data_dir: str) -> Any:
    # tensorflow is not installed everywhere, and a report of numbers needs none.
    from pg2_jax.input_pipeline import pair_reader

    return pair_reader.PairDataset(data_dir)
