"""All numbers of an evaluation, as its flags ask for them, batch by batch."""

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tqdm

from experiments.config import Config
from experiments.evaluate import (
    extracted_scores,
    fid_reference,
    inception_scores,
    metric_weights,
    protocol,
    statistics,
)
from pg2_jax.metrics import suite


class PairScores:
    """Accumulates the scores of each pair: those of the pixels, which come with the
    batch, and those of extractors, at most one for each metric."""

    def __init__(self, extractors: Sequence[extracted_scores.Extractor] = ()):
        self._extractors = {one.name: one for one in extractors}
        self._lacks: dict[str, str] = {}
        # Scores and weights of each batch, by kind and name.
        self._parts: dict[str, dict[str, list[list[np.ndarray]]]] = {}
        self._size = (0, 0)
        self.names: list[tuple[str, str]] = []

    def add(self, batch: protocol.Batch) -> None:
        """Takes in the scores of a batch."""
        self._size = batch.target.shape[1], batch.target.shape[2]
        # What comes out of jit is sorted by name, kinds as well as metrics.
        for kind in batch.images:
            scores = batch.pixel_scores.get(kind, {})
            for name in filter(scores.__contains__, suite.METRICS):
                self._keep(kind, name, batch, scores[name], np.ones(len(scores[name])))
        for name, metric in extracted_scores.METRICS.items():
            extractor = self._extractors.get(name)
            if extractor is None:
                self._lacks[name] = f"needs {metric.needs}"
            elif lack := extractor.lack(batch):
                self._lacks[name] = lack
            else:
                for kind, generated in batch.images.items():
                    scored = extractor.score(generated, batch, len(self.names))
                    self._keep(kind, name, batch, *scored)
        self.names += batch.names

    def _keep(
        self, kind: str, name: str, batch: protocol.Batch, *scored: np.ndarray
    ) -> None:
        kept = [np.asarray(x)[: len(batch.names)] for x in scored]
        self._parts.setdefault(kind, {}).setdefault(name, []).append(kept)

    def scores(self) -> protocol.Scores:
        """[N] by kind and metric."""
        return self._joined(0)

    def records(self, facts: protocol.Facts) -> protocol.Records:
        """The record of each number by kind and name, as metrics.json has it."""
        origins = {name: one.origin for name, one in self._extractors.items()}
        return statistics.records(self.scores(), facts, self._joined(1), origins)

    def not_computed(self, facts: protocol.Facts) -> dict[str, str]:
        """Why each number that `records` does not give is not there."""
        masks = frozenset(facts.masks)
        lacks = {n: suite.needs(m, self._size, masks) for n, m in suite.METRICS.items()}
        return {n: f"needs {lack}" for n, lack in lacks.items() if lack} | self._lacks

    def _joined(self, field: int) -> protocol.Scores:
        return {
            kind: {
                name: np.concatenate([part[field] for part in parts])
                for name, parts in by_name.items()
            }
            for kind, by_name in self._parts.items()
        }


class Numbers:
    """The numbers of pairs and those of sets. Loads what the flags name before any work
    is done; raises ValueError that names the flag of a file that is something else.

    `generated_poses` are [N, 18, 3] of the images, of --generated_annotations.
    """

    def __init__(self, config: Config, generated_poses: np.ndarray | None = None):
        weights = metric_weights.inception(config.inception)
        references = fid_reference.load(
            config.fid_reference, config.data_dir, weights, inception_scores.features
        )
        self._extractors: list[extracted_scores.Extractor] = []
        for trained in metric_weights.lpips(config.lpips):
            self._extractors += extracted_scores.by_lpips(trained)
        if config.detector:
            path = pathlib.Path(config.detector)
            self._extractors.append(extracted_scores.by_detector(path))
        if generated_poses is not None:
            given = generated_poses, config.generated_annotations
            self._extractors.append(extracted_scores.by_annotations(*given))
        elif config.estimator:
            # Last, because it has to be closed.
            named = config.estimator, config.model
            self._extractors.append(extracted_scores.by_estimator(*named))
        self.pairs = PairScores(self._extractors)
        self._sets = inception_scores.SetScores(weights, references)

    def close(self) -> None:
        """Lets go of the models; what was taken stays."""
        for extractor in self._extractors:
            extractor.close()

    def add(self, batch: protocol.Batch) -> None:
        """Takes in the scores of a batch."""
        self.pairs.add(batch)
        self._sets.add(batch)

    def content(self, facts: protocol.Facts) -> dict[str, Any]:
        """What metrics.json says of the numbers."""
        of_sets = self._sets.records(facts)
        return {
            "interval": statistics.INTERVAL,
            "definitions": statistics.DEFINITIONS,
            "not_computed": self.pairs.not_computed(facts) | self._sets.not_computed(),
            "metrics": {
                kind: by_name | of_sets.get(kind, {})
                for kind, by_name in self.pairs.records(facts).items()
            },
        }


def with_bar(
    batches: Iterable[protocol.Batch], total: int, *, shown: bool
) -> Iterator[protocol.Batch]:
    """The batches, and a bar over the `total` of their pairs while they are taken."""
    # None hides it where stderr is no terminal.
    with tqdm.tqdm(total=total, unit="pair", disable=None if shown else True) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch.names))
