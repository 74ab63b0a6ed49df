"""The paper's form of the networks, losses and training held to recorded numbers.

The released form is held to the authors' own numbers
(tests/experiments/test_import_checkpoint.py). For the paper's form (D sees pairs, G2's
decoder mirrors its encoder) there is no code of theirs: these numbers were recorded
when the released form agreed with the authors'. A change of any layer, loss or update
moves them.
"""

import dataclasses
import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import train_state, train_step
from pg2_jax.architecture import Architecture

HEIGHT, WIDTH = 64, 32
PAPER = Architecture(
    image_height=HEIGHT,
    image_width=WIDTH,
    base_channels=4,
    bottleneck_size=8,
    discriminator_channels=4,
)
# For each step: the loss of stage I, then of G2 and of D in stage II.
RECORDED = {
    "coarse": [2.275802, 1.779407],
    "refine": [22.286, 21.15765],
    "discriminator": [1.658102, 1.271115],
}


def drawn_weights(params, player):
    """Weights that depend on their names alone, not on any library's initializers."""

    def draw(path, value):
        name = player + jax.tree_util.keystr(path)
        rng = np.random.RandomState(zlib.crc32(name.encode()))
        fan_in = max(1, int(np.prod(value.shape[:-1])))
        weights = rng.uniform(-1, 1, value.shape) * np.sqrt(3 / fan_in)
        if "scale" in name:
            weights = 1 + 0.25 * weights
        return jnp.asarray(weights, jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, params)


def make_state(optimizer):
    create = functools.partial(train_state.create, PAPER, optimizer, 0)
    shapes = jax.eval_shape(create)
    players = {}
    for name in ("coarse", "refine", "discriminator"):
        # The numbers were recorded when D was called the critic.
        seeds = {"discriminator": "critic"}.get(name, name)
        params = drawn_weights(getattr(shapes, name).params, seeds)
        players[name] = train_state.Player(
            params=params, opt_state=optimizer.init(params)
        )
    return train_state.TrainState(step=jnp.zeros((), jnp.int32), **players)


def make_batch():
    rng = np.random.RandomState(7)
    keypoints = np.ones((2, 4, 18, 3), np.float32)
    keypoints[..., 0] = rng.randint(0, WIDTH, keypoints.shape[:-1])
    keypoints[..., 1] = rng.randint(0, HEIGHT, keypoints.shape[:-1])
    keypoints[rng.uniform(size=keypoints.shape[:-1]) < 0.2] = 0
    photos = rng.randint(0, 256, (2, 4, HEIGHT, WIDTH, 3)).astype(np.uint8)
    return train_step.Batch(
        source_image=photos[0],
        target_image=photos[1],
        source_keypoints=keypoints[0],
        target_keypoints=keypoints[1],
    )


@pytest.mark.parametrize(
    ("precision", "bound"),
    [("float32", 1e-4), pytest.param("bfloat16", 0.02, marks=pytest.mark.slow)],
)
def test_losses_follow_the_record(precision, bound):
    """Two steps of stage I, then two of stage II, at a rate that shows."""
    architecture = dataclasses.replace(PAPER, precision=precision)
    optimizer = train_state.make_optimizer(1e-3)
    objective = train_step.Objective(optimizer=optimizer, seed=0, flip=False)
    options = {"architecture": architecture, "objective": objective}
    coarse_step = jax.jit(functools.partial(train_step.coarse_step, **options))
    stage_two = jax.jit(functools.partial(train_step.adversarial_step, **options))
    state, batch = make_state(optimizer), make_batch()
    found = {name: [] for name in RECORDED}
    for take_step in (coarse_step, coarse_step, stage_two, stage_two):
        state, metrics = take_step(state, batch)
        for name, values in found.items():
            if f"{name}/loss" in metrics:
                values.append(float(metrics[f"{name}/loss"]))
    for name, values in RECORDED.items():
        np.testing.assert_allclose(found[name], values, rtol=bound, err_msg=name)
