"""What training changes: arrays only. Networks and optimizers come from the config."""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

from pg2_jax import models, prng
from pg2_jax.inputs import pose_input

PyTree = Any


@struct.dataclass
class Average:
    """The exponential moving average of weights.

    Attributes:
        count: [] int32, number of updates averaged over.
        params: the average; without an update, the first weights.
    """

    count: jax.Array
    params: PyTree

    def update(self, params: PyTree, decay: float) -> "Average":
        """Takes in new weights.

        The share of the new is (1 - decay) / (1 - decay^count), which makes of the
        recursion what Adam makes of its moments: an average without bias, in which the
        first weights, drawn at random, have no part.
        """
        count = self.count + 1
        share = (decay - 1) / jnp.expm1(count * math.log(decay))
        mean = optax.incremental_update(params, self.params, share)
        return Average(count=count, params=mean)


@struct.dataclass
class Player:
    """One network of the game.

    Attributes:
        params: its weights.
        opt_state: its optimizer's memory.
        average: of its weights; None where it is not kept.
    """

    params: PyTree
    opt_state: optax.OptState
    average: Average | None = None

    @property
    def drawing_params(self) -> PyTree:
        """The weights to draw with: the average where it is kept."""
        return self.params if self.average is None else self.average.params

    def update(
        self,
        gradients: PyTree,
        optimizer: optax.GradientTransformation,
        ema_decay: float = 0.0,
    ) -> "Player":
        """Takes one optimizer step; `ema_decay` is that of the average, if any."""
        updates, opt_state = optimizer.update(gradients, self.opt_state, self.params)
        params = optax.apply_updates(self.params, updates)
        average = self.average and self.average.update(params, ema_decay)
        return Player(params=params, opt_state=opt_state, average=average)

    def with_weights(self, params: PyTree) -> "Player":
        """The same player with other weights, which an average begins with."""
        average = self.average and average_of(params)
        return dataclasses.replace(self, params=params, average=average)


def average_of(params: PyTree) -> Average:
    """The average of weights before the first update."""
    # A copy: the steps give the memory of the old state away, each buffer once.
    copy = jax.tree.map(jnp.copy, params)
    return Average(count=jnp.zeros((), jnp.int32), params=copy)


@struct.dataclass
class TrainState:
    """The whole state of a run.

    Attributes:
        step: [] int32, number of finished steps of both stages together.
        coarse: G1, (source image, target pose) -> coarse image.
        refine: G2, (coarse image, source image, and the pose where it was built to see
            it) -> refined image; None without stage II.
        discriminator: D, image or pair of images -> logit; None where nothing is
            adversarial.
    """

    step: jax.Array
    coarse: Player
    refine: Player | None
    discriminator: Player | None


def make_optimizer(
    learning_rate: optax.ScalarOrSchedule,
) -> optax.GradientTransformation:
    """Adam as in section 4.1 of the paper: beta1 0.5, beta2 0.999.

    Args:
        learning_rate: constant (paper), or a schedule such as those of `schedules`.
    """
    return optax.adam(learning_rate, b1=0.5, b2=0.999)


_DISCRIMINATOR = 2  # which of the networks D is, in the order of their keys


def create(
    architecture: models.Architecture,
    optimizer: optax.GradientTransformation,
    seed: int | jax.Array,
    *,
    averaged: bool = False,
) -> TrainState:
    """Draws the weights of the networks that the stages need; the state of step 0.

    Args:
        architecture: of the networks.
        optimizer: of all of them.
        seed: of the weights.
        averaged: whether averages of G1's and G2's weights are kept.
    """
    size = (1, architecture.image_height, architecture.image_width)
    image = jnp.zeros((*size, 3))
    pose = pose_input(jnp.zeros((1, 18, 3)), architecture)
    refined_from = (
        [image, image, pose] if architecture.refine_sees_pose else [image] * 2
    )
    judged = jnp.zeros((*size, 6 if architecture.discriminator_input == "pair" else 3))
    root = prng.key(seed, prng.Stream.INITIALIZE)

    def player(index: int, network: nn.Module, *inputs: jax.Array) -> Player:
        params = network.init(jax.random.fold_in(root, index), *inputs)["params"]
        average = average_of(params) if averaged and index != _DISCRIMINATOR else None
        return Player(params, optimizer.init(params), average)

    has_refine = architecture.stages == "two_stage"
    has_discriminator = architecture.stages != "coarse"
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        coarse=player(0, architecture.coarse(), image, pose),
        refine=player(1, architecture.refine(), *refined_from) if has_refine else None,
        discriminator=player(_DISCRIMINATOR, architecture.discriminator(), judged)
        if has_discriminator
        else None,
    )
