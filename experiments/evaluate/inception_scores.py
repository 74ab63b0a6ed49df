"""Metrics of whole sets of images: Inception Score and FID. They say nothing of a
single image, so they have no interval over pairs; the Inception Score's deviation is
over its splits.
"""

import collections
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from experiments.evaluate import fid_reference, protocol
from pg2_jax.metrics import direction, fid, inception, inception_score, suite


class _Network(NamedTuple):
    name: str
    file: str  # of its weights
    resize: str


_NETWORKS = {
    inception.TF_2015: _Network(
        "the Inception network of 2015",
        "pytorch-fid's pt_inception-2015-12-05",
        "bilinear to 299x299 inside the network, TensorFlow 1's grid",
    ),
    inception.TORCHVISION: _Network(
        "torchvision's Inception-v3 of ImageNet",
        "its inception_v3_google",
        "bilinear to 299x299, half-pixel centres, then transform_input",
    ),
}
_TARGETS = "the targets of the same pairs"
# Beside the kinds of images.
_TARGET = ""


@dataclasses.dataclass(frozen=True)
class SetMetric(suite.Metric):
    """One number of a set of images: FID, or else the Inception Score."""

    network: inception.InceptionV3 = inception.TF_2015
    bias: bool = False  # whether that of the last layer counts
    is_fid: bool = False
    reference_set: bool = False  # whether FID's other side is that of --fid_reference


def _needs(network: inception.InceptionV3) -> str:
    of = _NETWORKS[network]
    return f"{of.name}: --inception with the path of {of.file} (.pth)"


def _inception_score(*, masked: bool, bias: bool) -> SetMetric:
    return SetMetric(
        f"Inception Score, {inception_score.SPLITS} splits in listing order, "
        f"{'with' if bias else 'without'} the last layer's bias"
        + (", with everything except the target's body black" if masked else ""),
        "inception_score.py of improved-gan and PG2" + (", but with bias" * bias),
        needs=_needs(inception.TF_2015),
        mask=suite.TARGET if masked else "",
        bias=bias,
    )


def _fids(
    variant: str, network: inception.InceptionV3, reference: str
) -> dict[str, SetMetric]:
    to_targets = SetMetric(
        f"Frechet distance to {_TARGETS}, pool3 of {_NETWORKS[network].name}",
        reference,
        needs=_needs(network),
        better=direction.LOWER,
        network=network,
        is_fid=True,
    )
    to_reference = dataclasses.replace(
        to_targets,
        definition=f"{variant}, to what --fid_reference names (the field: all training "
        "photos)",
        reference_set=True,
    )
    return {variant: to_targets, f"{variant}_reference": to_reference}


METRICS = {
    "inception_score": _inception_score(masked=False, bias=False),
    "inception_score_with_bias": _inception_score(masked=False, bias=True),
    "masked_inception_score": _inception_score(masked=True, bias=False),
    "masked_inception_score_with_bias": _inception_score(masked=True, bias=True),
    **_fids("fid_tf", inception.TF_2015, "TTUR's fid.py"),
    **_fids("fid_torchvision", inception.TORCHVISION, "FID of GFLA and its successors"),
}


class SetScores:
    """Accumulates what networks see; `references` are what else FID compares with."""

    def __init__(
        self,
        weights: Sequence[inception.Weights],
        references: Mapping[inception.InceptionV3, fid_reference.Reference],
    ):
        self._references = references
        self._weights = {one.network: one for one in weights}
        # By network and kind.
        self._moments: dict[tuple[inception.InceptionV3, str], fid.Moments] = (
            collections.defaultdict(lambda: fid.Moments(inception.FEATURES))
        )
        # Of the network of 2015 without bias, by kind and mask rule.
        self._logits: dict[tuple[str, str], list[np.ndarray]] = collections.defaultdict(
            list
        )
        self._kinds: list[str] = []
        self._pairs = 0
        self._masked = False

    def add(self, batch: protocol.Batch) -> None:
        """Takes in what the networks see in the images of a batch."""
        count = len(batch.names)
        self._pairs += count
        self._kinds = list(batch.images)
        self._masked = batch.keypoints is not None
        for network, weights in self._weights.items():
            see = functools.partial(protocol.applied(network), weights.params)
            for kind, images in {_TARGET: batch.target, **batch.images}.items():
                outputs = {"": see(images)}
                features = np.asarray(outputs[""].features)[:count]
                self._moments[network, kind].add(features)
                if network is not inception.TF_2015 or kind == _TARGET:
                    continue
                if self._masked:
                    bodies = protocol.bodies(images, batch.keypoints)
                    outputs[suite.TARGET] = see(bodies)
                for rule, output in outputs.items():
                    rows = np.asarray(output.logits_without_bias)[:count]
                    self._logits[kind, rule].append(rows)

    def not_computed(self) -> dict[str, str]:
        """Why each number that `records` does not give is not there."""
        lacks = {name: self._lack(metric) for name, metric in METRICS.items()}
        return {name: lack for name, lack in lacks.items() if lack}

    def _lack(self, metric: SetMetric) -> str:
        if metric.network not in self._weights:
            return f"needs {metric.needs}"
        if metric.mask and not self._masked:
            return "needs the keypoints of the target images"
        if metric.reference_set and metric.network not in self._references:
            return "needs a reference: --fid_reference=train, or a path"
        try:
            (fid if metric.is_fid else inception_score).check_count(self._pairs)
        except ValueError as error:
            return f"needs more images: {error}"
        return ""

    def records(self, facts: protocol.Facts) -> protocol.Records:
        """The record of each number by kind and name, as metrics.json has it."""
        return {
            kind: {
                name: self._record(name, metric, kind, facts)
                for name, metric in METRICS.items()
                if not self._lack(metric)
            }
            for kind in self._kinds
        }

    def _record(
        self, name: str, metric: SetMetric, kind: str, facts: protocol.Facts
    ) -> dict[str, Any]:
        of, weights = _NETWORKS[metric.network], self._weights[metric.network]
        of_network = {
            "extractor": of.name,
            "weights": weights.file,
            "weights_sha256": weights.sha256,
            "resize": of.resize,
        }
        measure = self._distance if metric.is_fid else self._score
        return {
            **protocol.origin(name, metric, facts, **of_network),
            "pairs": self._pairs,
            "interval_95": None,
            "no_interval_because": "a number of the whole set; pairs are not resampled",
            **{k: v for k, v in measure(metric, kind).items() if v != ""},
        }

    def _score(self, metric: SetMetric, kind: str) -> dict[str, Any]:
        rows = np.concatenate(self._logits[kind, metric.mask])
        if metric.bias:
            rows += np.asarray(self._weights[metric.network].params["fc_bias"])[None]
        probabilities = special.softmax(rows.astype(np.float64), axis=-1)
        mean, std = inception_score.inception_score(probabilities)
        return {"mean": mean, "std": std, "remark": inception_score.remark(*rows.shape)}

    def _distance(self, metric: SetMetric, kind: str) -> dict[str, Any]:
        if metric.reference_set:
            other, what, sha256 = self._references[metric.network]
        else:
            other, what = self._moments[metric.network, _TARGET].gaussian(), _TARGETS
            sha256 = ""
        images = min(self._pairs, other.images or self._pairs)
        gaussian = self._moments[metric.network, kind].gaussian()
        return {
            "mean": fid.frechet_distance(gaussian, other),
            "std": None,
            "compared_with": what,
            "compared_sha256": sha256,
            # A foreign file of statistics does not say of how many images it is.
            "compared_images": other.images or None,
            "remark": fid.remark(images, inception.FEATURES),
        }
