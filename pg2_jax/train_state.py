"""What training changes: arrays only. Networks and optimizers come from the config."""

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
        refine: G2, (coarse image, source image, and the pose where it was built to see
            it) -> refined image; None without stage II.
        critic: D, image or pair of images -> logit; None where nothing is adversarial.
    """

    step: jax.Array
    coarse: Player
    refine: Player | None
    critic: Player | None


def make_optimizer(
    learning_rate: optax.ScalarOrSchedule,
) -> optax.GradientTransformation:
    """Adam as in section 4.1 of the paper: beta1 0.5, beta2 0.999.

    Args:
        learning_rate: constant (paper), or a schedule such as those of `schedules`.
    """
    return optax.adam(learning_rate, b1=0.5, b2=0.999)


def create(
    architecture: models.Architecture,
    optimizer: optax.GradientTransformation,
    seed: int,
) -> TrainState:
    """Draws the weights of the networks that the stages need; the state of step 0."""
    size = (1, architecture.image_height, architecture.image_width)
    image = jnp.zeros((*size, 3))
    pose = pose_input(jnp.zeros((1, 18, 3)), architecture)
    refined_from = (
        [image, image, pose] if architecture.refine_sees_pose else [image] * 2
    )
    judged = jnp.zeros((*size, 6 if architecture.critic_input == "pair" else 3))
    root = prng.key(seed, prng.Stream.INITIALIZE)

    def player(index: int, network: nn.Module, *inputs: jax.Array) -> Player:
        params = network.init(jax.random.fold_in(root, index), *inputs)["params"]
        return Player(params=params, opt_state=optimizer.init(params))

    has_refine = architecture.stages == "two_stage"
    has_critic = architecture.stages != "coarse"
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        coarse=player(0, architecture.coarse(), image, pose),
        refine=player(1, architecture.refine(), *refined_from) if has_refine else None,
        critic=player(2, architecture.discriminator(), judged) if has_critic else None,
    )
