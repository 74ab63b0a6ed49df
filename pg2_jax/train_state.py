"""What training changes: arrays only. Networks and optimizers come from the config."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct

from pg2_jax import models, prng

PyTree = Any


@struct.dataclass
class Player:
    """One network of the game: its weights and its optimizer's memory."""

    params: PyTree
    opt_state: optax.OptState

    def update(
        self, gradients: PyTree, optimizer: optax.GradientTransformation
    ) -> "Player":
        """Takes one optimizer step."""
        updates, opt_state = optimizer.update(gradients, self.opt_state, self.params)
        params = optax.apply_updates(self.params, updates)
        return Player(params=params, opt_state=opt_state)


@struct.dataclass
class TrainState:
    """The whole state of a run.

    Attributes:
        step: [] int32, number of finished steps of both stages together.
        coarse: G1, (source image, target pose) -> coarse image.
        refine: G2, (coarse image, source image) -> difference map.
        critic: D, image or pair of images -> logit.
    """

    step: jax.Array
    coarse: Player
    refine: Player
    critic: Player


def make_optimizer(
    learning_rate: float, cosine_steps: int = 0
) -> optax.GradientTransformation:
    """Adam as in section 4.1 of the paper: beta1 0.5, beta2 0.999.

    Args:
        learning_rate: of the first step.
        cosine_steps: steps after which the rate has fallen to zero along a cosine;
            0 for a constant rate (paper).
    """
    rate: optax.ScalarOrSchedule = learning_rate
    if cosine_steps:
        rate = optax.cosine_decay_schedule(learning_rate, cosine_steps)
    return optax.adam(rate, b1=0.5, b2=0.999)


def create(
    architecture: models.Architecture,
    optimizer: optax.GradientTransformation,
    seed: int,
) -> TrainState:
    """Draws the weights of all three networks; the state of step 0."""
    size = (1, architecture.image_height, architecture.image_width)
    image = jnp.zeros((*size, 3))
    pose = jnp.zeros((*size, 18))
    judged = jnp.zeros((*size, 6 if architecture.critic_input == "pair" else 3))
    coarse, refine = architecture.generators()
    root = prng.key(seed, prng.Stream.INITIALIZE)

    def player(index: int, network: nn.Module, *inputs: jax.Array) -> Player:
        params = network.init(jax.random.fold_in(root, index), *inputs)["params"]
        return Player(params=params, opt_state=optimizer.init(params))

    return TrainState(
        step=jnp.zeros((), jnp.int32),
        coarse=player(0, coarse, image, pose),
        refine=player(1, refine, image, image),
        critic=player(2, architecture.discriminator(), judged),
    )
