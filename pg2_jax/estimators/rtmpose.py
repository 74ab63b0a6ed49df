"""People by RTMO or RTMPose, ONNX models of the RTM family, through rtmlib."""

import contextlib
import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pg2_jax.estimators import base
from pg2_jax.estimators.base import Person
from pg2_jax.keypoints import layouts

if TYPE_CHECKING:
    import onnxruntime


class RtmPose:
    """A body model through rtmlib: RTMO, which finds people by itself, or RTMPose, for
    photos that show one person and nothing else."""

    def __init__(self, settings: base.Settings) -> None:
        import onnxruntime
        import rtmlib

        options = onnxruntime.SessionOptions()
        # The photos are shared among processes already.
        options.intra_op_num_threads = 1
        path = os.fspath(settings.model)
        session = onnxruntime.InferenceSession(path, options)
        height, width = (int(side) for side in session.get_inputs()[0].shape[2:])
        load, size = rtmlib.RTMPose, (width, height)
        if _finds_people(session, height, width):
            load, size = rtmlib.RTMO, (height, width)
        # rtmlib says on stdout what it loads.
        with contextlib.redirect_stdout(io.StringIO()):
            self._model = load(path, size, backend="onnxruntime")
        self._model.session = session
        self._min_confidence = settings.min_confidence

    def __call__(self, image: np.ndarray) -> list[Person]:
        # rtmlib works on what OpenCV reads: blue first.
        keypoints, scores = self._model(np.ascontiguousarray(image[..., ::-1]))
        people = [
            from_coco_17(np.column_stack(person), image.shape[:2], self._min_confidence)
            for person in zip(keypoints, scores, strict=True)
        ]
        return [person for person in people if person.keypoints[:, 2].any()]

    def close(self) -> None:
        """Does nothing."""


def _finds_people(
    session: "onnxruntime.InferenceSession", height: int, width: int
) -> bool:
    """Whether it is RTMO, and not RTMPose; what is no body model is refused."""
    # A model file may leave the shapes of its outputs open; a black photo tells.
    black = np.zeros((1, 3, height, width), np.float32)
    outputs = session.run(None, {session.get_inputs()[0].name: black})
    ranks = [output.ndim for output in outputs]
    if ranks not in ([3, 4], [3, 3]):
        raise ValueError(f"its outputs have {ranks} axes, neither RTMO nor RTMPose")
    # Of COCO's body, or Halpe's and COCO-WholeBody's, which begin with it.
    if (count := outputs[1].shape[-2]) not in (17, 26, 133):
        rule = "expected COCO's 17, or 26 or 133 that begin with them"
        raise ValueError(f"it has {count} points, {rule}")
    return ranks == [3, 4]


def from_coco_17(
    points: np.ndarray, size: Sequence[int], min_confidence: float
) -> Person:
    """A person of COCO's 17 keypoints [17 or more, 3] = (x, y, confidence) in pixels of
    the photo of (height, width) `size`; those behind the first 17 are left out."""
    points = layouts.to_coco_18("the model", points[:17])
    return base.person(points, size, min_confidence)
