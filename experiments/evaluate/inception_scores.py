"""Metrics of whole sets of images: Inception Score and FID, with the weights given.

Unlike the metrics of pairs, they say nothing of a single image, so they have no
interval over pairs; the Inception Score's deviation is over its splits.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.evaluate import fid_reference, protocol
from pg2_jax.metrics import (
    direction,
    fid,
    inception,
    inception_score,
    inception_weights,
    suite,
)

_NAMES = {
    inception.TF_2015: "the Inception network of 2015",
    inception.TORCHVISION: "torchvision's Inception-v3 of ImageNet",
}
_NEEDS = {
    network: f"{_NAMES[network]}: --inception with the path of {file} (.pth)"
    for network, file in (
        (inception.TF_2015, "pytorch-fid's pt_inception-2015-12-05"),
        (inception.TORCHVISION, "its inception_v3_google"),
    )
}
_RESIZE = {
    inception.TF_2015: "bilinear to 299x299 inside the network, TensorFlow 1's grid",
    inception.TORCHVISION: "bilinear to 299x299, half-pixel centres, then "
    "transform_input",
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


def _score_metric(*, masked: bool, bias: bool) -> SetMetric:
    return SetMetric(
        f"Inception Score, {inception_score.SPLITS} splits in listing order, "
        f"{'with' if bias else 'without'} the last layer's bias"
        + (", with everything except the target's body black" if masked else ""),
        "inception_score.py of improved-gan and PG2" + (", but with bias" * bias),
        _NEEDS[inception.TF_2015],
        mask=suite.TARGET if masked else "",
        bias=bias,
    )


def _fid_metrics(
    variant: str, network: inception.InceptionV3, reference: str
) -> dict[str, SetMetric]:
    to_targets = SetMetric(
        f"Frechet distance to {_TARGETS}, pool3 of {_NAMES[network]}",
        reference,
        _NEEDS[network],
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
    "inception_score": _score_metric(masked=False, bias=False),
    "inception_score_with_bias": _score_metric(masked=False, bias=True),
    "masked_inception_score": _score_metric(masked=True, bias=False),
    "masked_inception_score_with_bias": _score_metric(masked=True, bias=True),
    **_fid_metrics("fid_tf", inception.TF_2015, "TTUR's fid.py"),
    **_fid_metrics(
        "fid_torchvision", inception.TORCHVISION, "FID of GFLA and its successors"
    ),
}


class SetScores:
    """Accumulates what the networks see in the images; `references` is what else FID
    compares with, by network."""

    def __init__(
        self,
        weights: Sequence[inception_weights.Weights],
        references: Mapping[inception.InceptionV3, fid_reference.Reference],
    ):
        self._references = references
        self._weights = {one.network: one for one in weights}
        # By network and kind.
        self._moments: dict[tuple[inception.InceptionV3, str], fid.Moments] = {}
        # Of the network of 2015 without bias, by kind and mask rule.
        self._logits: dict[tuple[str, str], list[np.ndarray]] = {}
        self._kinds: list[str] = []
        self._pairs = 0
        self._masked = False

    def add(self, batch: protocol.Batch) -> None:
        """Takes in what the networks see in the images of a batch."""
        if not self._weights:
            return
        count = len(batch.names)
        self._pairs += count
        self._kinds = list(batch.images)
        self._masked = batch.keypoints is not None
        for network, weights in self._weights.items():
            for kind, images in {_TARGET: batch.target, **batch.images}.items():
                see = functools.partial(protocol.applied(network), weights.params)
                outputs = {"": see(images)}
                new = fid.Moments(inception.FEATURES)
                moments = self._moments.setdefault((network, kind), new)
                moments.add(np.asarray(outputs[""].features)[:count])
                if network is not inception.TF_2015 or kind == _TARGET:
                    continue
                if self._masked:
                    bodies = protocol.bodies(images, batch.keypoints)
                    outputs[suite.TARGET] = see(bodies)
                for rule, output in outputs.items():
                    rows = np.asarray(output.logits_without_bias)[:count]
                    self._logits.setdefault((kind, rule), []).append(rows)

    def not_computed(self) -> dict[str, str]:
        """Why each number that `records` does not give is not there."""
        return {
            n: lack for n, metric in METRICS.items() if (lack := self._lack(metric))
        }

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
        weights = self._weights[metric.network]
        of_network = {
            "extractor": _NAMES[metric.network],
            "weights": weights.file,
            "weights_sha256": weights.sha256,
            "resize": _RESIZE[metric.network],
        }
        measure = self._distance if metric.is_fid else self._inception_score
        return {
            **protocol.origin(name, metric, facts, **of_network),
            "pairs": self._pairs,
            "interval_95": None,
            "no_interval_because": "a number of the whole set; pairs are not resampled",
            **{k: v for k, v in measure(metric, kind).items() if v != ""},
        }

    def _inception_score(self, metric: SetMetric, kind: str) -> dict[str, Any]:
        rows = np.concatenate(self._logits[kind, metric.mask])
        if metric.bias:
            rows += np.asarray(self._weights[metric.network].params["fc_bias"])[None]
        mean, std = inception_score.inception_score(inception_score.softmax(rows))
        return {"mean": mean, "std": std, "remark": inception_score.remark(*rows.shape)}

    def _distance(self, metric: SetMetric, kind: str) -> dict[str, Any]:
        compared: dict[str, Any] = {"compared_with": _TARGETS}
        if metric.reference_set:
            other, what, sha256 = self._references[metric.network]
            compared = {"compared_with": what, "compared_sha256": sha256}
        else:
            other = self._moments[metric.network, _TARGET].gaussian()
        images = min(self._pairs, other.images or self._pairs)
        gaussian = self._moments[metric.network, kind].gaussian()
        return {
            "mean": fid.frechet_distance(gaussian, other),
            "std": None,
            **compared,
            # A foreign file of statistics does not say of how many images it is.
            "compared_images": other.images or None,
            "remark": fid.remark(images, inception.FEATURES),
        }


def features(weights: inception_weights.Weights, images: np.ndarray) -> np.ndarray:
    """What a network sees in images [B, H, W, 3]: pool3, [B, 2048] float32."""
    return np.asarray(
        protocol.applied(weights.network)(weights.params, images).features
    )
