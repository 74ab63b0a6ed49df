"""Pose estimators: a photo in, people with 18 keypoints and a score out.

mediapipe runs Google's BlazePose, rtmlib an ONNX model of the RTMO or RTMPose family.
Both are extras (`pip install 'pg2_jax[pose]'`, `'pg2_jax[rtmlib]'`) and are imported
only when asked for. Another estimator is another class here and in `open_estimator`.
"""

import contextlib
import importlib.util
import io
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

NAMES = ("mediapipe", "rtmlib")
# Below it a point is missing: what MediaPipe and the field's drawings take, too.
MIN_CONFIDENCE = 0.5
# People looked for in one photo.
MAX_PEOPLE = 6

# Where COCO-18 finds its points, the neck left out, which neither order has: in
# BlazePose's 33 landmarks, and in COCO's 17 keypoints.
_BLAZEPOSE = (0, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)
_COCO_17 = (0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_NECK, _SHOULDERS, _FACE, _EARS = 1, [2, 5], [0, 14, 15], [16, 17]
# Larger photos are reduced first: BlazePose looks at 256 pixels of a person.
_LONGEST_SIDE = 1280
# BlazePose wants room around a person: in a square with a free quarter on each side
# the points of the 256x256 sample photos are off by 2.3 pixels instead of 4.2, and a
# turned person is not distorted, as happens to it in photos that are not square. Where
# it finds nobody it looks again, with more room and with none.
_ROOMS = (0.25, 0.5, 0.0)
# Two poses of one person: their points are nearer than this share of its box.
_SAME_PERSON = 0.1


class Person(NamedTuple):
    """A person in a photo.

    Attributes:
        keypoints: float32 [18, 3] = (x, y, visible) in pixels of the photo, COCO-18.
        score: mean confidence of the 18 points, a missing one counted as 0; in [0, 1].
    """

    keypoints: np.ndarray
    score: float

    @property
    def area(self) -> float:
        """Of the box around the visible points, in pixels."""
        seen = self.keypoints[self.keypoints[:, 2] > 0, :2]
        return float(np.prod(np.ptp(seen, axis=0))) if len(seen) else 0.0


class Estimator(Protocol):
    """What finds people."""

    def __call__(self, image: np.ndarray) -> list[Person]:
        """Returns the people in a photo, uint8 [H, W, 3] RGB, in any order."""

    def close(self) -> None:
        """Lets go of the model."""


class Settings(NamedTuple):
    """Which estimator, and how it is asked.

    Attributes:
        name: one of `NAMES`.
        model: the model file.
        min_confidence: a point below it is missing; in [0, 1].
    """

    name: str
    model: pathlib.Path
    min_confidence: float = MIN_CONFIDENCE


def check_installed(name: str) -> None:
    """Raises a ValueError that says what to install, if an estimator is not there."""
    needed = {"mediapipe": ["mediapipe"], "rtmlib": ["rtmlib", "onnxruntime"]}[name]
    missing = [module for module in needed if not importlib.util.find_spec(module)]
    if missing:
        raise ValueError(
            f"--estimator={name}: {' and '.join(missing)} is not installed; "
            f"{_install(name)}"
        )


def open_estimator(settings: Settings) -> Estimator:
    """Loads an estimator with its model.

    Raises:
        ValueError: it is not installed, or the model file is not one.
    """
    check_installed(settings.name)
    try:
        if settings.name == "mediapipe":
            return BlazePose(settings)
        return RtmPose(settings)
    except ImportError as error:
        raise ValueError(
            f"--estimator={settings.name} cannot be imported: {error}; "
            f"{_install(settings.name)}"
        ) from error
    except Exception as error:
        # A damaged model file makes these libraries raise nearly anything.
        raise ValueError(
            f"--model={settings.model} is not a pose model that {settings.name} reads: "
            f"{_first_line(error)}"
        ) from error


def _install(name: str) -> str:
    extra = {"mediapipe": "pose", "rtmlib": "rtmlib"}[name]
    return f"pip install 'pg2_jax[{extra}]' (in a checkout: pip install '.[{extra}]')"


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


class BlazePose:
    """MediaPipe's PoseLandmarker."""

    def __init__(self, settings: Settings) -> None:
        """Loads the model."""
        with _quiet(), _without_tensorflow():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            self._image = lambda data: mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=data
            )
            options = vision.PoseLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=os.fspath(settings.model)),
                num_poses=MAX_PEOPLE,
            )
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        self._min_confidence = settings.min_confidence

    def __call__(self, image: np.ndarray) -> list[Person]:
        """Returns the people in a photo, uint8 [H, W, 3] RGB."""
        for room in _ROOMS:
            people = self._look(image, room)
            if people:
                break
        return _distinct(people)

    def _look(self, image: np.ndarray, room: float) -> list[Person]:
        square, scale, left, top = _with_room(image, room)
        with _quiet():
            found = self._landmarker.detect(self._image(square)).pose_landmarks
        people = []
        for landmarks in found:
            values = np.array([[p.x, p.y, p.z, p.visibility] for p in landmarks])
            values[:, :3] *= len(square)
            values[:, :2] = (values[:, :2] - [left, top]) / scale
            people.append(from_blazepose(values, image.shape[:2], self._min_confidence))
        return people

    def close(self) -> None:
        """Ends the library's threads."""
        self._landmarker.close()


def from_blazepose(
    landmarks: np.ndarray, size: Sequence[int], min_confidence: float
) -> Person:
    """Turns BlazePose's 33 landmarks into a person.

    BlazePose is sure of a face that it cannot see: when the nose lies behind the ears,
    the person is seen from behind, and nose and eyes are missing.

    Args:
        landmarks: [33, 4] = (x, y, depth, confidence), x and y in pixels of the photo;
            a larger depth is farther away.
        size: (height, width) of the photo.
        min_confidence: a point below it is missing.
    """
    points = with_neck(landmarks[list(_BLAZEPOSE)])
    if points[0, 2] > points[_EARS, 2].mean():
        points[_FACE, 3] = 0
    return _person(points[:, :2], points[:, 3], size, min_confidence)


def with_neck(points: np.ndarray) -> np.ndarray:
    """Inserts the neck, the midpoint of the shoulders, and as sure as the less sure of
    them; [17, C] with the confidence last -> [18, C]."""
    points = np.insert(points, _NECK, 0, axis=0)
    points[_NECK] = points[_SHOULDERS].mean(axis=0)
    points[_NECK, -1] = points[_SHOULDERS, -1].min()
    return points


def _with_room(image: np.ndarray, room: float) -> tuple[np.ndarray, float, int, int]:
    """Puts a photo, reduced when it is large, into the middle of a black square, with
    that share of its longer side free on each side."""
    photo = Image.fromarray(image)
    scale = min(1.0, _LONGEST_SIDE / max(photo.size))
    if scale < 1:
        # reducing_gap: a box filter first, many times faster and as good here.
        width, height = (max(1, round(side * scale)) for side in photo.size)
        photo = photo.resize((width, height), reducing_gap=2.0)
    side = round(max(photo.size) * (1 + 2 * room))
    left, top = (side - photo.width) // 2, (side - photo.height) // 2
    square = Image.new("RGB", (side, side))
    square.paste(photo, (left, top))
    return np.asarray(square), scale, left, top


def _distinct(people: list[Person]) -> list[Person]:
    """Leaves out the second of two poses of one person, which BlazePose may find."""
    kept: list[Person] = []
    for person in sorted(people, key=lambda person: -person.score):
        if not any(_same(person, other) for other in kept):
            kept.append(person)
    return kept


def _same(person: Person, other: Person) -> bool:
    both = (person.keypoints[:, 2] > 0) & (other.keypoints[:, 2] > 0)
    if not both.any():
        return False
    gaps = person.keypoints[both, :2] - other.keypoints[both, :2]
    gap = np.hypot(*gaps.T).mean()
    return bool(gap < _SAME_PERSON * np.sqrt(max(person.area, other.area)))


class RtmPose:
    """A body model of 17 points through rtmlib: RTMO, which finds people by itself, or
    RTMPose, for photos that show one person and nothing else."""

    def __init__(self, settings: Settings) -> None:
        """Loads the model; its outputs tell which of the two it is."""
        import onnxruntime
        import rtmlib

        options = onnxruntime.SessionOptions()
        # The photos are shared among processes already.
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(os.fspath(settings.model), options)
        height, width = (int(side) for side in session.get_inputs()[0].shape[2:])
        ranks = [len(output.shape) for output in session.get_outputs()]
        if ranks not in ([3, 4], [3, 3]):
            raise ValueError(f"its outputs have {ranks} axes, neither RTMO nor RTMPose")
        load = rtmlib.RTMO if ranks == [3, 4] else rtmlib.RTMPose
        size = (height, width) if ranks == [3, 4] else (width, height)
        # rtmlib says on stdout what it loads.
        with contextlib.redirect_stdout(io.StringIO()):
            self._model = load(os.fspath(settings.model), size, backend="onnxruntime")
        self._model.session = session
        self._min_confidence = settings.min_confidence

    def __call__(self, image: np.ndarray) -> list[Person]:
        """Returns the people in a photo, uint8 [H, W, 3] RGB."""
        # rtmlib works on what OpenCV reads: blue first.
        keypoints, scores = self._model(np.ascontiguousarray(image[..., ::-1]))
        people = [
            from_coco_17(np.column_stack(person), image.shape[:2], self._min_confidence)
            for person in zip(keypoints, scores, strict=True)
        ]
        return [person for person in people if person.keypoints[:, 2].any()]

    def close(self) -> None:
        """Does nothing."""


def from_coco_17(
    points: np.ndarray, size: Sequence[int], min_confidence: float
) -> Person:
    """Turns COCO's 17 keypoints into a person.

    Args:
        points: [17, 3] = (x, y, confidence) in pixels of the photo.
        size: (height, width) of the photo.
        min_confidence: a point below it is missing.
    """
    points = with_neck(points[list(_COCO_17)])
    return _person(points[:, :2], points[:, 2], size, min_confidence)


def _person(
    places: np.ndarray, confidence: np.ndarray, size: Sequence[int], least: float
) -> Person:
    """Rounds to tenths of a pixel, and drops what is unsure or outside the photo."""
    places = np.round(np.nan_to_num(places, nan=-1.0), 1)
    height, width = size
    confidence = np.clip(np.nan_to_num(confidence), 0, 1)
    visible = (confidence >= least) & (places >= 0).all(axis=1)
    visible &= (places[:, 0] < width) & (places[:, 1] < height)
    visible[_NECK] &= visible[_SHOULDERS].all()
    keypoints = np.where(visible[:, None], np.column_stack([places, visible]), 0)
    score = float(np.where(visible, confidence, 0).mean())
    return Person(keypoints.astype(np.float32), score)


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Hides tensorflow, which mediapipe imports where it is, for seconds, to open files
    that are on this disk anyway."""
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Sends away what native code writes to stderr, which would tear the progress bar
    apart; its errors come as exceptions."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
