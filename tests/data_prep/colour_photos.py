"""An estimator that reads the colour of a photo, and photos for it."""

import numpy as np
from PIL import Image

from pg2_jax.estimators.base import Person


def person(x, size, score=0.9):
    """Eighteen points on the diagonal from (x, x) to (x + size, x + size)."""
    keypoints = np.ones((18, 3), np.float32)
    keypoints[:, :2] = np.linspace(x, x + size, 18)[:, None]
    return Person(keypoints, score)


class ByColour:
    """Finds as many people as the photo is red, the largest second; the score is how
    blue it is; a green photo breaks it."""

    def __init__(self, settings=None):
        self.looked, self.closed = [], False

    def __call__(self, image):
        red, green, blue = image[0, 0].tolist()
        self.looked.append(red)
        if green:
            raise RuntimeError("out of luck") if green == 1 else KeyError
        sizes = [10, 20, 5][:red]
        return [person(i, size, blue / 100) for i, size in enumerate(sizes)]

    def close(self):
        self.closed = True


def write_colour(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (30, 40), colour).save(path)
