"""What training changes: arrays only. Networks and optimizers come from the config."""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

from pg2_jax import inputs, models, prng
from pg2_jax.architecture import Architecture

PyTree = Any


@struct.dataclass
class Average:
    """The exponential moving average of weights."""

    count: jax.Array  # [] int32, number of updates averaged over
    params: PyTree  # the average; without an update, the first weights

    def update(self, params: PyTree, decay: float) -> "Average":
        """Takes in new weights. Their share, (1 - decay) / (1 - decay^count), makes an
        average without bias, in which the random first weights have no part."""
        count = self.count + 1
        share = (decay - 1) / jnp.expm1(count * math.log(decay))
        mean = optax.incremental_update(params, self.params, share)
        return Average(count=count, params=mean)


@struct.dataclass
class Player:
    """One network: its weights, their average, if kept, and the optimizer's memory."""

    params: PyTree
    opt_state: optax.OptState
    average: Average | None = None

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(x.size for x in jax.tree.leaves(self.params))

    @property
    def drawing_params(self) -> PyTree:
        """The weights to generate with: the average where it is kept."""
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
    """The whole state of a run."""

    step: jax.Array  # [] int32, number of finished steps of both stages together
    coarse: Player  # G1
    # G2 and D, None where the stages do without; `Any` spares the steps a check.
    refine: Player | Any
    discriminator: Player | Any

    @property
    def players(self) -> dict[str, Player]:
        """The networks that there are, by their names in the paper."""
        players = {"G1": self.coarse, "G2": self.refine, "D": self.discriminator}
        return {name: player for name, player in players.items() if player}


def create(
    architecture: Architecture,
    optimizer: optax.GradientTransformation,
    seed: int | jax.Array,
    *,
    averaged: bool = False,
) -> TrainState:
    """The state of step 0, of random weights; with averages of G1's and G2's if
    wanted."""
    size = (1, *architecture.size)
    image = jnp.zeros((*size, 3))
    nobody = jnp.zeros((1, 18, 3))
    pose = inputs.pose_input(image, nobody, nobody, architecture)
    root = prng.key(seed, prng.Stream.INITIALIZE)
    keys = [jax.random.fold_in(root, i) for i in range(3)]

    def player(
        network: nn.Module, key: jax.Array, *seen: jax.Array, averaged: bool = averaged
    ) -> Player:
        params = network.init(key, *seen)["params"]
        average = average_of(params) if averaged else None
        return Player(params, optimizer.init(params), average)

    network = models.coarse_generator(architecture)
    coarse = player(network, keys[0], image, pose)
    refine = discriminator = None
    if architecture.stages == "two_stage":
        network = models.RefinementGenerator(architecture)
        seen = (image, image, pose) if architecture.refine_sees_pose else (image, image)
        refine = player(network, keys[1], *seen)
    if architecture.stages != "coarse":
        network = models.discriminator(architecture)
        channels = 6 if architecture.discriminator_input == "pair" else 3
        judged = [jnp.zeros((*size, channels))]
        if architecture.discriminator == "patch":
            judged = [pose, image]
        discriminator = player(network, keys[2], *judged, averaged=False)
    step = jnp.zeros((), jnp.int32)
    return TrainState(step, coarse, refine, discriminator)


def make_optimizer(
    learning_rate: optax.ScalarOrSchedule,
) -> optax.GradientTransformation:
    """Adam as in section 4.1 of the paper: beta1 0.5, beta2 0.999."""
    return optax.adam(learning_rate, b1=0.5, b2=0.999)


def learning_rate(
    peak: float,
    *,
    decay: str = "constant",
    stage_steps: int = 1,
    halve_every: int = 1,
    warmup_steps: int = 0,
) -> optax.ScalarOrSchedule:
    """The learning rate by the finished updates of a stage; a number if it is constant.
    Over the `warmup_steps` it grows in equal steps from peak / (warmup_steps + 1), then
    it is constant (paper), falls as a cosine to zero at the end of the stage, or is
    halved after every `halve_every` updates, which the released code computes and does
    not apply."""
    rate: optax.ScalarOrSchedule = peak
    if decay == "cosine":
        # Zero for what is left, should the warm-up fill the stage.
        left = max(1, stage_steps - warmup_steps)
        rate = optax.cosine_decay_schedule(peak, left)
    elif decay == "halving":
        rate = optax.exponential_decay(peak, halve_every, 0.5, staircase=True)
    if not warmup_steps:
        return rate
    after = rate if callable(rate) else optax.constant_schedule(rate)
    warmup = optax.linear_schedule(peak / (warmup_steps + 1), peak, warmup_steps)
    return optax.join_schedules([warmup, after], [warmup_steps])
