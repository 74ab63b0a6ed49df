"""What an evaluation computes besides the metrics of pixels, as its flags ask for."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.config import Config
from experiments.evaluate import (
    extracted_scores,
    fid_reference,
    generated_keypoints,
    inception_scores,
    lpips_files,
    statistics,
)
from experiments.evaluate.detector import Detector
from pg2_jax import downloads


class Collectors:
    """The numbers of pairs that take an extractor, and the numbers of sets."""

    def __init__(
        self,
        config: Config,
        open_data: Callable[[str], fid_reference.DataSet],
        generated_poses: Sequence[np.ndarray] | None = None,
    ):
        """Loads what the flags name, before any work is done.

        Args:
            config: has the flags.
            open_data: opens a data set for --fid_reference.
            generated_poses: [18, 3] of each generated image, of
                --generated_annotations.

        Raises:
            ValueError: a file is not there or something else; names its flag.
        """
        extractors = [
            extracted_scores.by_lpips(weights)
            for weights in lpips_files.load(config.lpips)
        ]
        self._poses = _drawn_poses(config, generated_poses)
        if self._poses:
            extractors.append(extracted_scores.by_pckh(self._poses))
        if config.detector:
            path = pathlib.Path(config.detector)
            model = Detector(path)
            sha256 = downloads.sha256(path)
            extractors.append(extracted_scores.by_detector(model, path.name, sha256))
        weights = inception_scores.load(config.inception)
        references = fid_reference.load(
            config.fid_reference,
            config.data_dir,
            open_data,
            weights,
            inception_scores.features,
        )
        self._pairs = extracted_scores.Collector(extractors)
        self._sets = inception_scores.Collector(weights, references)

    def close(self) -> None:
        """Lets go of the estimator; what was taken stays."""
        if self._poses:
            self._poses.close()

    def add(self, *batch: Any) -> None:
        """Takes a batch, as `inception_scores.Collector.add` does."""
        self._pairs.add(*batch)
        self._sets.add(*batch)

    def merged(self, scores: statistics.Scores) -> statistics.Scores:
        """The scores of pixels and those of the extractors, by kind and metric."""
        return statistics.merged(scores, self._pairs.scores())

    def records(self, scores: statistics.Scores, **facts: Any) -> statistics.Records:
        """The record of each number of pairs and of sets.

        Args:
            scores: of `merged`.
            **facts: of `scoring.records`.
        """
        of_pairs = statistics.records(
            scores, self._pairs.weights(), self._pairs.origins(), **facts
        )
        of_sets = self._sets.records(
            image_size=facts["image_size"], masks=facts["masks"]
        )
        return statistics.joined_records(of_pairs, of_sets)

    def not_computed(self) -> dict[str, str]:
        """Why each number that is not there is not."""
        return {**self._pairs.not_computed(), **self._sets.not_computed()}


def _drawn_poses(
    config: Config, given: Sequence[np.ndarray] | None
) -> generated_keypoints.DrawnPoses | None:
    if given is not None:
        return generated_keypoints.given(given, config.generated_annotations)
    if config.estimator:
        return generated_keypoints.estimated(config.estimator, config.model)
    return None
