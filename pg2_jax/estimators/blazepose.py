"""People by BlazePose, through mediapipe's PoseLandmarker."""

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from pg2_jax.estimators import base
from pg2_jax.estimators.base import Person
from pg2_jax.keypoints import layouts
from pg2_jax.keypoints.people import apart

_FACE = [0, 14, 15]  # nose and eyes of COCO-18
_NOSE, _EARS = 0, [8, 7]  # of BlazePose's landmarks
# Larger photos are reduced first: BlazePose looks at 256 pixels of a person.
_LONGEST_SIDE = 1280
# BlazePose wants room around a person: with a free quarter on each side, the points of
# 196 tight photos of 256x256 differ by 2.3 pixels from those it finds in the uncropped
# frames, instead of 4.2. A square, because turned people are distorted in any other
# shape. Where it finds nobody it looks again, with more room and with none.
_ROOMS = (0.25, 0.5, 0.0)
# About the points of a person, of the longer side of their box.
_PAINTED = 0.1
# Two poses of one person: their points are nearer than this share of its box.
_SAME_PERSON = 0.1


class BlazePose:
    """MediaPipe's PoseLandmarker, a `base.Estimator`."""

    def __init__(self, settings: base.Settings) -> None:
        with _quiet(), _without_tensorflow():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            self._image = lambda data: mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=data
            )
            options = vision.PoseLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=os.fspath(settings.model)),
                num_poses=base.MAX_PEOPLE,
            )
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        self._end = weakref.finalize(self, _quiet()(self._landmarker.close))
        # What nobody has closed, before Python ends the threads that this needs.
        self._end.atexit = False
        threading._register_atexit(self._end)  # type: ignore[attr-defined]
        self._min_confidence = settings.min_confidence
        self._everybody = settings.everybody

    def __call__(self, image: np.ndarray) -> list[Person]:
        for room in _ROOMS:
            people = self._look(image, room)
            if people:
                break
        people = _distinct(people)
        # Of a group it finds one person, as a rule: the others beside those it knows.
        while self._everybody and people and len(people) < base.MAX_PEOPLE:
            found = self._look(_without(image, people), _ROOMS[0])
            beside = [one for one in _distinct(found) if _is_beside(one, people)]
            if not beside:
                break
            people += beside
        return people

    def _look(self, image: np.ndarray, room: float) -> list[Person]:
        square, scale, corner = _with_room(image, room)
        with _quiet():
            poses = self._landmarker.detect(self._image(square)).pose_landmarks
        people = []
        for landmarks in poses:
            values = np.array([[p.x, p.y, p.z, p.visibility] for p in landmarks])
            values[:, :3] *= len(square)
            values[:, :2] = (values[:, :2] - corner) / scale
            people.append(from_landmarks(values, image.shape[:2], self._min_confidence))
        return people

    def close(self) -> None:
        """Ends the library's threads."""
        self._end()


def from_landmarks(
    landmarks: np.ndarray, size: Sequence[int], min_confidence: float
) -> Person:
    """A person of BlazePose's 33 landmarks [33, 4] = (x, y, depth, confidence), x and y
    in pixels of the photo of (height, width) `size`; a larger depth is farther away.
    BlazePose is sure of a face that it cannot see: when the nose lies behind the ears,
    the person is seen from behind, and nose and eyes are missing."""
    points = layouts.to_coco_18("BlazePose", landmarks[:, [0, 1, 3]])
    if landmarks[_NOSE, 2] > landmarks[_EARS, 2].mean():
        points[_FACE, 2] = 0
    return base.person(points, size, min_confidence)


def _with_room(
    image: np.ndarray, room: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photo, reduced when it is large, in the middle of a black square, with that
    share of its longer side free; the factors of (x, y), and where the photo begins."""
    photo = Image.fromarray(image)
    reduction = min(1.0, _LONGEST_SIDE / max(photo.size))
    if reduction < 1:
        # reducing_gap: a box filter first, many times faster and as good here.
        width, height = (max(1, round(side * reduction)) for side in photo.size)
        photo = photo.resize((width, height), reducing_gap=2.0)
    side = round(max(photo.size) * (1 + 2 * room))
    left, top = (side - photo.width) // 2, (side - photo.height) // 2
    square = Image.new("RGB", (side, side))
    square.paste(photo, (left, top))
    scale = np.array(photo.size) / [image.shape[1], image.shape[0]]
    return np.asarray(square), scale, np.array([left, top])


def _without(image: np.ndarray, people: Sequence[Person]) -> np.ndarray:
    """The photo with black boxes over these people."""
    painted = image.copy()
    for person in people:
        box = np.maximum(0, _with_margin(person))
        left, top = np.floor(box[:2]).astype(int)
        right, bottom = np.ceil(box[2:]).astype(int)
        painted[top:bottom, left:right] = 0
    return painted


def _is_beside(person: Person, others: Sequence[Person]) -> bool:
    """Whether half of a person lies outside the others; what is inside is made up."""
    points = person.seen
    boxes = np.array([_with_margin(other) for other in others])[:, None]
    inside = ((points >= boxes[..., :2]) & (points <= boxes[..., 2:])).all(axis=-1)
    return len(points) > 0 and bool(inside.any(axis=0).mean() <= 0.5)


def _with_margin(person: Person) -> np.ndarray:
    """The box of a person, and some room around it."""
    room = _PAINTED * person.length
    return person.box + np.array([-room, -room, room, room], np.float32)


def _distinct(people: list[Person]) -> list[Person]:
    """Leaves out the second of two poses of one person, which BlazePose may find."""
    kept: list[Person] = []
    for person in sorted(people, key=lambda person: -person.score):
        if not any(_same(person, other) for other in kept):
            kept.append(person)
    return kept


def _same(person: Person, other: Person) -> bool:
    gap = apart(person.keypoints, other.keypoints)
    size = np.sqrt(max(person.area, other.area))
    return gap is not None and bool(gap < _SAME_PERSON * size)


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Hides tensorflow, which mediapipe would import, for seconds, to open a file."""
    hidden = "tensorflow" not in sys.modules
    if hidden:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["tensorflow"]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Sends native code's stderr away, which would tear the progress bar apart."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
