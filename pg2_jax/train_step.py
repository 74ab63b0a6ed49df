"""The training steps and generation: pure functions, compiled by the caller.

Stage I trains G1 alone (`coarse_step`); stage II freezes G1 and updates G2, then D
(`adversarial_step`). Paper, section 3; released code, trainer.py.
"""

import dataclasses
from typing import Any, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from pg2_jax import images, losses, models, pose, prng
from pg2_jax.train_state import TrainState

PyTree = Any
Metrics = dict[str, jax.Array]
Array = Any  # numpy on the host, jax.Array on the devices


class Batch(TypedDict):
    """What the input pipeline yields; everything else is derived on the device."""

    source_image: Array  # [B, H, W, 3] uint8
    target_image: Array  # [B, H, W, 3] uint8
    source_keypoints: Array  # [B, 18, 3] float32
    target_keypoints: Array  # [B, 18, 3] float32


class Inputs(TypedDict):
    """One batch as the networks and losses take it."""

    source: jax.Array  # [B, H, W, 3] in [-1, 1]
    target: jax.Array  # [B, H, W, 3] in [-1, 1]
    pose: jax.Array  # [B, H, W, 18] heat maps of the target pose
    mask: jax.Array  # [B, H, W, 1] in {0, 1}, the target's body


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective:
    """What is minimized, and how.

    Attributes:
        optimizer: makes the updates of all three networks.
        seed: root of the random left-right flips.
        flip: whether pairs are mirrored at random (paper, section 4.1).
        pose_mask_loss: whether the target's body counts twice in L1 (Eq. 1).
        l1_weight: lambda of Eq. 4.
        critic_sees_coarse: whether D also judges G1's image, which moves the batch
            norm's statistics only (released 128x64 code).
        adversarial_on_source: whether G2's adversarial loss averages over D's verdict
            on the source photo too (released 256x256 code).
    """

    optimizer: optax.GradientTransformation
    seed: int
    flip: bool = True
    pose_mask_loss: bool = True
    l1_weight: float = 10.0
    critic_sees_coarse: bool = False
    adversarial_on_source: bool = False


def prepare(batch: Batch, architecture: models.Architecture) -> Inputs:
    """Derives what the networks see from a batch: scaling, heat maps, body mask."""
    size = (architecture.image_height, architecture.image_width)
    return Inputs(
        source=images.from_uint8(batch["source_image"]),
        target=images.from_uint8(batch["target_image"]),
        pose=pose_input(batch["target_keypoints"], architecture),
        mask=pose.body_mask(batch["target_keypoints"], *size),
    )


def pose_input(keypoints: jax.Array, architecture: models.Architecture) -> jax.Array:
    """The heat maps [B, H, W, 18] of keypoints [B, 18, 3], in the range G1 was built
    for."""
    size = (architecture.image_height, architecture.image_width)
    maps = pose.heat_maps(keypoints, *size)
    return maps if architecture.heat_map_range == "zero_one" else 2.0 * maps - 1.0


def flip_at_random(batch: Batch, key: jax.Array) -> Batch:
    """Mirrors each pair, both photos and both poses, with probability one half."""
    size = batch["source_image"].shape[0]
    flipped = jax.random.bernoulli(key, 0.5, (size,))
    width = batch["source_image"].shape[2]

    def image(x: jax.Array) -> jax.Array:
        return jnp.where(flipped.reshape(-1, 1, 1, 1), x[:, :, ::-1], x)

    def keypoints(x: jax.Array) -> jax.Array:
        mirrored = pose.flip_keypoints(x, width)
        return jnp.where(flipped.reshape(-1, 1, 1), mirrored, x)

    return Batch(
        source_image=image(batch["source_image"]),
        target_image=image(batch["target_image"]),
        source_keypoints=keypoints(batch["source_keypoints"]),
        target_keypoints=keypoints(batch["target_keypoints"]),
    )


def _training_inputs(
    state: TrainState,
    batch: Batch,
    architecture: models.Architecture,
    objective: Objective,
) -> Inputs:
    """One training batch, mirrored at random by the key of this step."""
    if objective.flip:
        key = prng.key(objective.seed, prng.Stream.FLIP, state.step)
        batch = flip_at_random(batch, key)
    return prepare(batch, architecture)


def _apply(network: nn.Module, params: PyTree, *inputs: jax.Array) -> jax.Array:
    """The output of a network; none of them has state besides its weights."""
    output = network.apply({"params": params}, *inputs)
    assert isinstance(output, jax.Array), "no collection is mutable"
    return output


def draw_coarse(
    params: PyTree,
    source: jax.Array,
    pose_maps: jax.Array,
    architecture: models.Architecture,
) -> jax.Array:
    """G1's image [B, H, W, 3]."""
    coarse, _ = architecture.generators()
    return _apply(coarse, params, source, pose_maps)


def draw_difference(
    params: PyTree,
    coarse: jax.Array,
    source: jax.Array,
    architecture: models.Architecture,
) -> jax.Array:
    """G2's difference map [B, H, W, 3]; the refined image is coarse + difference."""
    _, refine = architecture.generators()
    return _apply(refine, params, coarse, source)


def judge(
    params: PyTree,
    coarse: jax.Array,
    refined: jax.Array,
    inputs: Inputs,
    architecture: models.Architecture,
    objective: Objective,
) -> Metrics:
    """D's logits [B] for each kind of image, named as the image.

    One call for all kinds, because they share the statistics of the batch norm.
    """
    source = inputs["source"]
    kinds = {"target": inputs["target"], "refined": refined}
    if architecture.critic_input == "pair":
        kinds = {
            name: jnp.concatenate([source, image], axis=-1)
            for name, image in kinds.items()
        }
    else:
        kinds["source"] = source
        if objective.critic_sees_coarse:
            kinds["coarse"] = coarse
    # Stacked beside the batch axis, so that each example stays on its device;
    # concatenating along axis 0 would move images between devices.
    stacked = jnp.stack(list(kinds.values()), axis=1)
    judged = stacked.reshape(-1, *stacked.shape[2:])
    logits = _apply(architecture.discriminator(), params, judged)
    return dict(zip(kinds, logits.reshape(-1, len(kinds)).T, strict=True))


def refine_losses(
    logits: Metrics, refined: jax.Array, inputs: Inputs, objective: Objective
) -> tuple[jax.Array, Metrics]:
    """G2's loss (Eq. 4), [], and its parts."""
    mask = inputs["mask"] if objective.pose_mask_loss else None
    l1 = losses.l1(refined, inputs["target"], mask)
    adversarial = losses.called_real(logits["refined"])
    if objective.adversarial_on_source:
        adversarial = 0.5 * (adversarial + losses.called_real(logits["source"]))
    loss = losses.refine_loss(adversarial, l1, objective.l1_weight).mean()
    parts = {"loss": loss, "l1": l1.mean(), "adversarial": adversarial.mean()}
    return loss, {f"refine/{name}": value for name, value in parts.items()}


def critic_losses(
    logits: Metrics, architecture: models.Architecture
) -> tuple[jax.Array, Metrics]:
    """D's loss (Eq. 2 or the released triplet), [], and how often D is right."""
    if architecture.critic_input == "pair":
        loss = losses.pair_critic_loss(logits["target"], logits["refined"])
    else:
        loss = losses.triplet_critic_loss(
            logits["target"], logits["refined"], logits["source"]
        )
    metrics = {
        "critic/loss": loss.mean(),
        "critic/target_called_real": jnp.mean(logits["target"] > 0),
        "critic/refined_called_real": jnp.mean(logits["refined"] > 0),
    }
    return metrics["critic/loss"], metrics


def coarse_step(
    state: TrainState,
    batch: Batch,
    *,
    architecture: models.Architecture,
    objective: Objective,
) -> tuple[TrainState, Metrics]:
    """Stage I: one update of G1 by the masked L1 loss (Eq. 1)."""
    inputs = _training_inputs(state, batch, architecture, objective)
    mask = inputs["mask"] if objective.pose_mask_loss else None

    def loss_of(params: PyTree) -> jax.Array:
        coarse = draw_coarse(params, inputs["source"], inputs["pose"], architecture)
        return losses.l1(coarse, inputs["target"], mask).mean()

    loss, gradients = jax.value_and_grad(loss_of)(state.coarse.params)
    coarse = state.coarse.update(gradients, objective.optimizer)
    state = dataclasses.replace(state, step=state.step + 1, coarse=coarse)
    return state, {"coarse/loss": loss}


def adversarial_step(
    state: TrainState,
    batch: Batch,
    *,
    architecture: models.Architecture,
    objective: Objective,
) -> tuple[TrainState, Metrics]:
    """Stage II: one update of G2, then one of D against the new G2; G1 is frozen."""
    inputs = _training_inputs(state, batch, architecture, objective)
    coarse = draw_coarse(
        state.coarse.params, inputs["source"], inputs["pose"], architecture
    )

    def refine_loss_of(params: PyTree) -> tuple[jax.Array, Metrics]:
        refined = coarse + draw_difference(
            params, coarse, inputs["source"], architecture
        )
        logits = judge(
            state.critic.params, coarse, refined, inputs, architecture, objective
        )
        return refine_losses(logits, refined, inputs, objective)

    gradients, metrics = jax.grad(refine_loss_of, has_aux=True)(state.refine.params)
    refine = state.refine.update(gradients, objective.optimizer)

    refined = coarse + draw_difference(
        refine.params, coarse, inputs["source"], architecture
    )

    def critic_loss_of(params: PyTree) -> tuple[jax.Array, Metrics]:
        logits = judge(params, coarse, refined, inputs, architecture, objective)
        return critic_losses(logits, architecture)

    gradients, critic_metrics = jax.grad(critic_loss_of, has_aux=True)(
        state.critic.params
    )
    critic = state.critic.update(gradients, objective.optimizer)
    state = dataclasses.replace(
        state, step=state.step + 1, refine=refine, critic=critic
    )
    return state, metrics | critic_metrics


class Generated(TypedDict):
    """The pictures of one batch, unbounded floats meant to be in [-1, 1]."""

    coarse: jax.Array  # [B, H, W, 3], G1's image
    difference: jax.Array  # [B, H, W, 3], G2's difference map
    refined: jax.Array  # [B, H, W, 3], coarse + difference


def generate(
    coarse_params: PyTree,
    refine_params: PyTree,
    source_image: jax.Array,
    target_keypoints: jax.Array,
    *,
    architecture: models.Architecture,
) -> Generated:
    """Draws the people of photos in new poses.

    Args:
        coarse_params: weights of G1.
        refine_params: weights of G2.
        source_image: [B, H, W, 3] uint8.
        target_keypoints: [B, 18, 3] float32, (x, y, visible) in pixels.
        architecture: of the weights.

    Returns:
        The coarse image, the difference map and the refined image.
    """
    source = images.from_uint8(source_image)
    maps = pose_input(target_keypoints, architecture)
    coarse = draw_coarse(coarse_params, source, maps, architecture)
    difference = draw_difference(refine_params, coarse, source, architecture)
    return Generated(coarse=coarse, difference=difference, refined=coarse + difference)
