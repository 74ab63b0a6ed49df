"""All numbers of an evaluation, as its flags ask for them, batch by batch."""

import pathlib
from collections.abc import Iterable, Sequence
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


class Numbers:
    """The numbers of pairs, by their pixels, which come with the batch, and by at most
    one extractor for each metric; and the numbers of sets."""

    def __init__(
        self,
        extractors: Sequence[extracted_scores.Extractor] = (),
        sets: inception_scores.SetScores | None = None,
    ):
        self._extractors = {one.name: one for one in extractors}
        self._sets = sets or inception_scores.SetScores([], {})
        # Of each batch, by kind and name.
        self._parts: dict[str, dict[str, list[extracted_scores.Scored]]] = {}
        self._size = (0, 0)
        self.names: list[tuple[str, str]] = []

    def close(self) -> None:
        """Lets go of the models; what was taken stays."""
        for extractor in self._extractors.values():
            extractor.close()

    def add(self, batch: protocol.Batch) -> None:
        """Takes in the scores of a batch."""
        self._sets.add(batch)
        self._size = batch.target.shape[1], batch.target.shape[2]
        bodies = [] if batch.keypoints is None else [suite.TARGET]
        for kind, generated in batch.images.items():
            pixels = batch.pixel_scores.get(kind, {})
            # What comes out of jit is sorted by name.
            for name in filter(pixels.__contains__, suite.METRICS):
                scored = np.asarray(pixels[name]), np.ones(len(pixels[name]))
                self._keep(kind, name, batch, scored)
            for name, metric in extracted_scores.METRICS.items():
                extractor = self._extractors.get(name)
                if extractor and not suite.needs(metric, self._size, bodies):
                    scored = extractor.score(generated, batch, len(self.names))
                    self._keep(kind, name, batch, scored)
        self.names += batch.names

    def _keep(
        self,
        kind: str,
        name: str,
        batch: protocol.Batch,
        scored: extracted_scores.Scored,
    ) -> None:
        values, counts = (x[: len(batch.names)] for x in scored)
        parts = self._parts.setdefault(kind, {}).setdefault(name, [])
        parts.append((values, counts))

    def scores(self) -> protocol.Scores:
        """The scores of the pairs, [N] by kind and metric."""
        return self._joined(0)

    def _joined(self, field: int) -> protocol.Scores:
        return {
            kind: {
                name: np.concatenate([part[field] for part in parts])
                for name, parts in by_name.items()
            }
            for kind, by_name in self._parts.items()
        }

    def content(self, facts: protocol.Facts) -> dict[str, Any]:
        """What metrics.json says of the numbers: the record of each by kind and name,
        or why it is not there."""
        lacks = {}
        for name, metric in {**suite.METRICS, **extracted_scores.METRICS}.items():
            if metric.needs and name not in self._extractors:
                lacks[name] = f"needs {metric.needs}"
            elif lack := suite.needs(metric, self._size, facts.masks):
                lacks[name] = f"needs {lack}"
        origins = {name: one.origin for name, one in self._extractors.items()}
        given = self.scores(), facts, self._joined(1), origins
        of_sets = self._sets.records(facts)
        return {
            "interval": statistics.INTERVAL,
            "definitions": statistics.DEFINITIONS,
            "not_computed": lacks | self._sets.not_computed(),
            "metrics": {
                kind: by_name | of_sets.get(kind, {})
                for kind, by_name in statistics.records(*given).items()
            },
        }


def numbers(config: Config, generated_poses: np.ndarray | None = None) -> Numbers:
    """Loads what the flags name before any work is done; raises ValueError that names
    the flag of a file that is something else. `generated_poses` are [N, 18, 3] of the
    images, of --generated_annotations."""
    weights = metric_weights.inception(config.inception)
    references = fid_reference.load(config.fid_reference, config.data_dir, weights)
    extractors: list[extracted_scores.Extractor] = []
    for trained in metric_weights.lpips(config.lpips):
        extractors += extracted_scores.by_lpips(trained)
    if config.detector:
        path = pathlib.Path(config.detector)
        extractors.append(extracted_scores.by_detector(path))
    if generated_poses is not None:
        file = config.generated_annotations
        extractors.append(extracted_scores.by_annotations(generated_poses, file))
    elif config.estimator:
        # Last, because it has to be closed.
        by_estimator = extracted_scores.by_estimator(config.estimator, config.model)
        extractors.append(by_estimator)
    return Numbers(extractors, inception_scores.SetScores(weights, references))


def take(
    batches: Iterable[protocol.Batch], takers: Sequence[Any], total: int, *, shown: bool
) -> None:
    """Lets each taker `add` the batches; shows a bar over the `total` of pairs."""
    # None hides it where stderr is no terminal.
    with tqdm.tqdm(total=total, unit="pair", disable=None if shown else True) as bar:
        for batch in batches:
            for taker in takers:
                taker.add(batch)
            bar.update(len(batch.names))
