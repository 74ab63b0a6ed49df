"""Numbers of whole sets of images: Inception Score and FID, with the weights given.

Unlike the metrics of pairs, they say nothing of a single image, so they have no
interval over pairs; the Inception Score's deviation is over its splits.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

import pg2_jax
from experiments.evaluate import metric_weights
from experiments.evaluate.fid_reference import Reference
from pg2_jax import pose
from pg2_jax.metrics import (
    fid,
    inception,
    inception_score,
    inception_weights,
    pixel,
    suite,
)

_2015 = "the Inception network of 2015"
_IMAGENET = "torchvision's Inception-v3 of ImageNet"
_TARGET = ""
_TARGETS = "the targets of the same pairs"
_REFERENCE = "what --fid_reference names (the field: all training photos)"
_PATHS = {
    inception.TF_2015: f"{_2015}: --inception with the path of "
    "pytorch-fid's pt_inception-2015-12-05 (.pth)",
    inception.TORCHVISION: f"{_IMAGENET}: --inception with the path of its "
    "inception_v3_google (.pth)",
}
_SEEN = {
    inception.TF_2015: "bilinear to 299x299 inside the network, TensorFlow 1's grid",
    inception.TORCHVISION: "bilinear to 299x299, half-pixel centres, then "
    "transform_input",
}


class SetMetric(NamedTuple):
    """One number of a set of images.

    Attributes:
        network: which Inception-v3 it needs.
        definition: one line.
        reference: whose arithmetic it is.
        higher_is_better: the direction.
        mask: "target" if all but the body is black, or empty.
        bias: whether the last layer's bias counts (Inception Score).
        reference_set: whether FID's other side is that of --fid_reference.
    """

    network: inception.InceptionV3
    definition: str
    reference: str
    higher_is_better: bool
    mask: str = ""
    bias: bool = False
    reference_set: bool = False

    def describe(self) -> str:
        """The definition and the direction."""
        direction = "higher" if self.higher_is_better else "lower"
        return f"{self.definition}; {direction} is better"


def _score_metric(*, masked: bool, bias: bool) -> SetMetric:
    definition = (
        f"Inception Score, {inception_score.SPLITS} splits in listing order, "
        f"{'with' if bias else 'without'} the last layer's bias"
    )
    return SetMetric(
        inception.TF_2015,
        definition + (", all but the target's body black" if masked else ""),
        "inception_score.py of improved-gan and PG2" + (", but with bias" * bias),
        higher_is_better=True,
        mask=suite.TARGET if masked else "",
        bias=bias,
    )


def _fid_metrics(
    variant: str, network: inception.InceptionV3, name: str, whose: str
) -> dict[str, SetMetric]:
    """FID to the targets, and to the set of --fid_reference."""
    to_targets = SetMetric(
        network,
        f"Frechet distance to {_TARGETS}, pool3 of {name}",
        whose,
        higher_is_better=False,
    )
    definition = f"{variant}, to {_REFERENCE}"
    to_reference = to_targets._replace(definition=definition, reference_set=True)
    return {variant: to_targets, f"{variant}_reference": to_reference}


METRICS = {
    "inception_score": _score_metric(masked=False, bias=False),
    "inception_score_with_bias": _score_metric(masked=False, bias=True),
    "masked_inception_score": _score_metric(masked=True, bias=False),
    "masked_inception_score_with_bias": _score_metric(masked=True, bias=True),
    **_fid_metrics("fid_tf", inception.TF_2015, _2015, "TTUR's fid.py"),
    **_fid_metrics(
        "fid_torchvision",
        inception.TORCHVISION,
        _IMAGENET,
        "FID of GFLA and its successors",
    ),
}
_NO_INTERVAL = "a number of the whole set; pairs are not resampled"
NEEDS = {name: f"needs {_PATHS[metric.network]}" for name, metric in METRICS.items()}


def load(flag: str) -> list[inception_weights.Weights]:
    """Reads the files of --inception.

    Args:
        flag: paths, or words of `published_weights`, with commas between; or empty.

    Raises:
        ValueError: a file is no weights of Inception-v3, or two are of one network.
    """
    found: list[inception_weights.Weights] = []
    for path in metric_weights.locate("inception", flag):
        try:
            weights = inception_weights.read(path)
        except (ValueError, OSError) as error:
            raise ValueError(f"--inception={flag}: {error}") from error
        for other in found:
            if other.network is weights.network:
                raise ValueError(
                    f"--inception={flag}: {other.file} and {weights.file} are of one "
                    "network; give one file of each."
                )
        found.append(weights)
    return found


class Collector:
    """Takes batches of pairs, and gives the numbers of the sets at the end."""

    def __init__(
        self,
        weights: Sequence[inception_weights.Weights],
        references: Mapping[inception.InceptionV3, Reference] | None = None,
    ):
        """Takes the networks, and what else FID compares with, by network."""
        self._references = references or {}
        self._weights = {one.network: one for one in weights}
        # By network and kind, the targets being the kind "".
        self._moments: dict[tuple[inception.InceptionV3, str], fid.Moments] = {}
        # Without bias, by kind and mask rule.
        self._logits: dict[tuple[str, str], list[np.ndarray]] = {}
        self._kinds: list[str] = []
        self._pairs = 0
        self._masked = False

    def add(
        self,
        images: Mapping[str, np.ndarray],
        target: np.ndarray,
        keypoints: np.ndarray | None,
        count: int,
    ) -> None:
        """Takes a batch; the rows from `count` on are padding.

        Args:
            images: [B, H, W, 3] uint8 by kind.
            target: [B, H, W, 3] uint8.
            keypoints: [B, 18, 3] of the targets, if they are known.
            count: at most B.
        """
        if not self._weights:
            return
        self._pairs += count
        self._masked = keypoints is not None
        self._kinds = list(images)
        for network in self._weights:
            for kind, batch in {_TARGET: target, **images}.items():
                output = self._apply(network, batch)
                key = network, kind
                moments = self._moments.setdefault(key, fid.Moments(inception.FEATURES))
                moments.add(np.asarray(output.features)[:count])
                if network is inception.TF_2015 and kind != _TARGET:
                    self._add_logits(kind, "", output, count)
        if keypoints is not None and inception.TF_2015 in self._weights:
            for kind, batch in images.items():
                output = self._apply(inception.TF_2015, _bodies(batch, keypoints))
                self._add_logits(kind, suite.TARGET, output, count)

    def _apply(self, network: inception.InceptionV3, images: Any) -> inception.Output:
        return _apply(network, self._weights[network].params, images)

    def _add_logits(
        self, kind: str, rule: str, output: inception.Output, count: int
    ) -> None:
        rows = np.asarray(output.logits_without_bias)[:count]
        self._logits.setdefault((kind, rule), []).append(rows)

    def not_computed(self) -> dict[str, str]:
        """Why each number that `records` does not give is not there."""
        return {name: lack for name in METRICS if (lack := self._lack(name))}

    def _lack(self, name: str) -> str:
        metric = METRICS[name]
        if metric.network not in self._weights:
            return NEEDS[name]
        if metric.mask and not self._masked:
            return "needs the keypoints of the target images"
        if metric.reference_set and metric.network not in self._references:
            return "needs what to compare with: --fid_reference=train, or a path"
        check = fid.check_count if name.startswith("fid") else _check_splits
        try:
            check(self._pairs)
        except ValueError as error:
            return f"needs more images: {error}"
        return ""

    def records(
        self, *, image_size: str, masks: Mapping[str, str]
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """The record of each number by kind and name, as metrics.json has it."""
        lacks = self.not_computed()
        return {
            kind: {
                name: self._record(name, kind, image_size, masks)
                for name in METRICS
                if name not in lacks
            }
            for kind in self._kinds
        }

    def _record(
        self, name: str, kind: str, image_size: str, masks: Mapping[str, str]
    ) -> dict[str, Any]:
        metric = METRICS[name]
        weights = self._weights[metric.network]
        std: float | None = None
        more: dict[str, Any] = {}
        if name.startswith("fid"):
            mean, more = self._distance(metric, kind)
            images = min(self._pairs, more["compared_images"] or self._pairs)
            remark = fid.remark(images, inception.FEATURES)
        else:
            rows = np.concatenate(self._logits[kind, metric.mask])
            if metric.bias:
                rows = rows + np.asarray(weights.params["fc_bias"])[None]
            mean, std = inception_score.inception_score(inception_score.softmax(rows))
            remark = inception_score.remark(len(rows), rows.shape[1])
        return {
            "variant": name,
            "definition": metric.describe(),
            "reference": metric.reference,
            "library": f"pg2_jax {pg2_jax.__version__} with jax {jax.__version__}",
            "extractor": _PATHS[metric.network].split(":")[0],
            "weights": weights.file,
            "weights_sha256": weights.sha256,
            "image_size": image_size,
            "resize": _SEEN[metric.network],
            "mask": masks[metric.mask] if metric.mask else "none",
            "pairs": self._pairs,
            "mean": mean,
            "std": std,
            "interval_95": None,
            "no_interval_because": _NO_INTERVAL,
            **more,
            **({"remark": remark} if remark else {}),
        }

    def _distance(self, metric: SetMetric, kind: str) -> tuple[float, dict[str, Any]]:
        """FID, and what the other side is."""
        if metric.reference_set:
            other, what, sha256 = self._references[metric.network]
            facts: dict[str, Any] = {"compared_with": what, "compared_sha256": sha256}
        else:
            other = self._moments[metric.network, _TARGET].gaussian()
            facts = {"compared_with": _TARGETS}
        # A foreign file of statistics does not say of how many images it is.
        facts["compared_images"] = other.images or None
        gaussian = self._moments[metric.network, kind].gaussian()
        return fid.frechet_distance(gaussian, other), facts


def remarks(records: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """What a reader must know of these numbers, each remark once."""
    found: dict[str, None] = {}
    for by_name in records.values():
        for record in by_name.values():
            if "remark" in record:
                found[record["remark"]] = None
    return list(found)


def _check_splits(images: int) -> None:
    inception_score.check_count(images)


def features(weights: inception_weights.Weights, images: np.ndarray) -> np.ndarray:
    """What a network sees in images [B, H, W, 3]: pool3, [B, 2048] float32."""
    return np.asarray(_apply(weights.network, weights.params, images).features)


@functools.partial(jax.jit, static_argnums=0)
def _apply(network: inception.InceptionV3, params: Any, images: Any):
    return network.apply({"params": params}, images)


@jax.jit
def _bodies(images: jax.Array, keypoints: jax.Array) -> jax.Array:
    """The images with all but the bodies of these keypoints black."""
    mask = pose.body_mask(keypoints, *images.shape[1:3])
    return pixel.body_on_black(images, mask)
