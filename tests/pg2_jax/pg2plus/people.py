"""People in images of 48x32, and small networks, for the tests of pg2plus."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from pg2_jax import inputs, pose, train_state
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.pg2plus import parsing
from tests.pg2_jax import drawn_state

HEIGHT, WIDTH = 48, 32
# Seen from the front: (x, y) of each joint.
STANDING = np.array(
    [
        *[(16, 6), (16, 11), (12, 12), (10, 18), (9, 24), (20, 12), (22, 18), (23, 24)],
        *[(13, 25), (13, 33), (13, 41), (19, 25), (19, 33), (19, 41)],
        *[(15, 5), (17, 5), (14, 6), (18, 6)],
    ],
    np.float32,
)


def person(points=STANDING, **moved):
    """[18, 3] with every joint visible; `moved` gives joints other places, or None."""
    keypoints = np.column_stack([points, np.ones(18)]).astype(np.float32)
    for name, place in moved.items():
        keypoints[pose.JOINTS.index(name)] = (0, 0, 0) if place is None else (*place, 1)
    return keypoints


WALKING = person(
    right_knee=(9, 32),
    right_ankle=(5, 39),
    left_knee=(22, 32),
    left_ankle=(21, 41),
    right_elbow=(7, 16),
    right_wrist=(4, 20),
    left_wrist=(27, 15),
)
# In profile, to the left in the image; its left ear is seen.
TO_THE_LEFT = person(
    **dict(nose=(13, 6), left_eye=(14, 5), right_eye=None, left_ear=(16, 6)),
    **dict(right_ear=None, right_shoulder=(15, 12), left_shoulder=(17, 12)),
    **dict(right_hip=(16, 25), left_hip=(16, 25), right_knee=(12, 33)),
    **dict(right_ankle=(11, 41), left_elbow=(19, 18), left_wrist=(20, 24)),
)


def make_batch(count=4, seed=0, height=HEIGHT, width=WIDTH):
    """Noise, and people who stand and walk a little differently in each pair."""
    rng = np.random.default_rng(seed)
    photos = rng.integers(0, 256, (2, count, height, width, 3)).astype(np.uint8)
    moves = rng.uniform(-2, 2, (2, count, 18, 2)).astype(np.float32)
    moves = np.pad(moves, ((0, 0), (0, 0), (0, 0), (0, 1)))
    scale = np.array([width / WIDTH, height / HEIGHT, 1], np.float32)
    return {
        "source_image": photos[0],
        "target_image": photos[1],
        "source_keypoints": (person() + moves[0]) * scale,
        "target_keypoints": (WALKING + moves[1]) * scale,
    }


ARCHITECTURE = Architecture(
    image_height=HEIGHT,
    image_width=WIDTH,
    stages="one_network",
    coarse_network="part_transfer",
    discriminator="patch",
    base_channels=2,
    discriminator_channels=2,
)


def source_photo():
    return inputs.from_uint8(jnp.asarray(make_batch(1)["source_image"]))


def middle(likely=1.0):
    """A mask of which the middle columns are somebody, so likely."""
    mask = np.zeros((1, HEIGHT, WIDTH, 1), np.float32)
    mask[:, :, 10:23] = likely
    return mask


def found(mask, arms=1.0):
    """What a photo shows: the person, whose hair is all over, and perhaps arms."""
    return parsing.Parsed(mask, mask, arms * jnp.ones_like(mask))


@jax.jit
def told_of(source, mask, *poses):
    """The guide, by how likely each pixel is the person."""
    return inputs.pose_input(source, *poses, ARCHITECTURE, found(mask))


@functools.cache
def weights():
    """Of the generator and of the discriminator, at random."""
    state = drawn_state.of(ARCHITECTURE, train_state.make_optimizer(1e-3))
    state = jax.device_put(state)
    return state.coarse.params, state.discriminator.params


def generators():
    """A model with those weights."""
    return restore.Generators(3, ARCHITECTURE, {}, weights()[0], None)
