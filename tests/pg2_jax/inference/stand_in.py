"""A model without networks and an estimator without a model: their results are
known."""

import numpy as np

from pg2_jax.architecture import Architecture
from pg2_jax.estimators.base import Person
from pg2_jax.estimators.person_finder import PersonFinder
from pg2_jax.inference import exported_model, pose_transfer

HEIGHT, WIDTH = 32, 16


class NoFinder(PersonFinder):
    """As where no estimator is installed."""

    @staticmethod
    def is_installed():
        return False


class Finder(PersonFinder):
    """Finds the people that it was given, in every photo."""

    @staticmethod
    def is_installed():
        return True

    def __init__(self, *people):
        super().__init__()
        self._estimator = lambda _: [Person(np.asarray(p), 0.9) for p in people]


def figure(height=20.0, left=4.0, top=4.0):
    """A person of four visible joints: neck, hips, an ankle; half of it is torso."""
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[1] = left + 2, top, 1
    keypoints[[8, 11]] = [[left, top + height / 2, 1], [left + 4, top + height / 2, 1]]
    keypoints[10] = left, top + height, 1
    return keypoints


def make_model(finder=None, **changes):
    """Draws the photo and, refined, its negative; `calls` are the batch sizes."""
    calls = []

    def draw(photos, source_keypoints, keypoints):
        calls.append(len(photos))
        assert len(photos) == len(source_keypoints) == len(keypoints)
        return {"coarse": np.array(photos), "refined": 255 - np.array(photos)}

    architecture = Architecture(image_height=HEIGHT, image_width=WIDTH, **changes)
    config = {"image_height": HEIGHT, "image_width": WIDTH, "base_channels": 2}
    program = exported_model.Program(7, architecture, config, draw)
    model = pose_transfer.PoseTransfer(program, finder=finder)
    return model, calls


def make_photo(height=HEIGHT, width=WIDTH, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
