"""What training minimizes, and updates of a network by the gradient of a loss."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from pg2_jax import augmentation
from pg2_jax.train_state import Player

PyTree = Any
Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective(augmentation.Augmentation):
    """What is minimized, and how; what is changed at random is `Augmentation`'s."""

    optimizer: optax.GradientTransformation
    # D's own, if it has one.
    discriminator_optimizer: optax.GradientTransformation | None = None
    seed: int  # root of the random changes of training pairs
    pose_mask_loss: bool = True  # whether the target's body counts twice in L1 (Eq. 1)
    l1_weight: float = 10.0  # lambda of Eq. 4; of one network in both halves
    ssim_weight: float = 0.0  # of 1 - SSIM, of one network in both halves
    # What is no body is to be the "target"'s (paper), or as in the "source"; then
    # nothing is asked of where one person hid the other's background.
    background: str = "target"
    # In `patch_step`, beside L1: of the adversarial loss, the distance of D's features,
    # the perceptual distance, the penalty on D's gradient at real images.
    adversarial_weight: float = 1.0
    feature_matching_weight: float = 0.0
    perceptual_weight: float = 0.0
    r1_weight: float = 0.0
    # Two images in [-1, 1] -> [B], such as LPIPS.
    perceptual_distance: Callable[[jax.Array, jax.Array], jax.Array] | None = None
    # Whether D also judges G1's image, which moves the batch norm's statistics only
    # (released 128x64 code).
    discriminator_sees_coarse: bool = False
    # Whether G2's adversarial loss averages over D's verdict on the source photo too
    # (released 256x256 code).
    adversarial_on_source: bool = False
    ema_decay: float = 0.0  # of the averages of the generators' weights, if kept
    # Parts of the batch whose gradients are computed one after the other and averaged:
    # the generators learn as from the whole; D's batch norm sees one part at a time.
    grad_accumulation: int = 1

    @property
    def of_discriminator(self) -> "Objective":
        """The same with D's own optimizer, if it has one, in place of the others'."""
        own = self.discriminator_optimizer or self.optimizer
        return dataclasses.replace(self, optimizer=own)


def minimize(
    loss_of: Callable[[PyTree, PyTree], tuple[jax.Array, Metrics]],
    player: Player,
    examples: PyTree,
    objective: Objective,
) -> tuple[Player, Metrics]:
    """One update of a player by the gradient of its loss (params, examples) -> (loss
    [], metrics), means over the examples; and the metrics."""
    gradient_of = jax.grad(loss_of, has_aux=True)
    gradient_of = _mean_of_parts(gradient_of, objective.grad_accumulation)
    gradients, metrics = gradient_of(player.params, examples)
    updated = player.update(gradients, objective.optimizer, objective.ema_decay)
    return updated, metrics


def _mean_of_parts(
    function: Callable[[PyTree, PyTree], PyTree], parts: int
) -> Callable[[PyTree, PyTree], PyTree]:
    """(params, examples) -> mean over the batch, computed part by part."""
    if parts == 1:
        return function

    def mean(params: PyTree, examples: PyTree) -> PyTree:
        split = _split(examples, parts)
        shapes = jax.eval_shape(function, params, jax.tree.map(lambda x: x[0], split))
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def add(total: PyTree, part: PyTree) -> tuple[PyTree, None]:
            return jax.tree.map(jnp.add, total, function(params, part)), None

        total, _ = jax.lax.scan(add, zeros, split)
        return jax.tree.map(lambda x: x / parts, total)

    return mean


def map_parts(
    function: Callable[[PyTree], jax.Array], examples: PyTree, parts: int
) -> jax.Array:
    """The function of a batch, [B, ...] -> [B, ...], computed part by part."""
    if parts == 1:
        return function(examples)
    mapped = jax.lax.map(function, _split(examples, parts))
    return jnp.swapaxes(mapped, 0, 1).reshape(-1, *mapped.shape[2:])


def _split(examples: PyTree, parts: int) -> PyTree:
    """[B, ...] -> [parts, B / parts, ...]. A part takes every n-th example, so that
    each device has its share of every part and no example moves."""

    def split(x: jax.Array) -> jax.Array:
        x = x.reshape(x.shape[0] // parts, parts, *x.shape[1:])
        return jnp.swapaxes(x, 0, 1)

    return jax.tree.map(split, examples)
