"""What the demo's tests share."""

import numpy as np
import pytest

from experiments.demo import model_queue
from pg2_jax import visualize
from pg2_jax.architecture import Architecture
from pg2_jax.inference import exported_model, pose_transfer


@pytest.fixture(scope="session")
def demo_queue():
    """A queue with 3 places to wait, before a model without networks: refined is the
    pose over the photo, coarse its negative."""

    def draw(photos, source_keypoints, keypoints):
        pictures = map(visualize.draw_skeleton, photos, keypoints)
        refined = np.stack(list(pictures))
        return {"coarse": 255 - refined, "refined": refined}

    architecture = Architecture(image_height=32, image_width=16)
    return _queue(architecture, draw)


@pytest.fixture(scope="session")
def plus_queue():
    """The same before one network that sees the source's pose, too: its picture shows
    both poses over the photo."""

    def draw(photos, source_keypoints, keypoints):
        pictures = map(visualize.draw_skeleton, photos, source_keypoints)
        both = map(visualize.draw_skeleton, pictures, keypoints)
        return {"coarse": np.stack(list(both))}

    architecture = Architecture(
        image_height=32,
        image_width=16,
        stages="one_network",
        coarse_network="part_transfer",
    )
    return _queue(architecture, draw)


def _queue(architecture, draw):
    program = exported_model.Program(4, architecture, {}, draw)
    model = pose_transfer.PoseTransfer(program)
    return model_queue.ModelQueue(model, max_waiting=3, finder=None)
