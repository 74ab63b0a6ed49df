"""The training steps: pure functions, compiled by the caller.

Stage I trains G1 alone (`coarse_step`); stage II freezes G1 and updates G2, then D
(`adversarial_step`). The paper's G1+D has one stage (`one_stage_step`), which updates
G1, then D. Paper, sections 3 and 4.2; released code, trainer.py.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from pg2_jax import losses, models, prng
from pg2_jax.generation import apply, draw_coarse, draw_refined
from pg2_jax.inputs import Batch, Inputs, flip_at_random, prepare
from pg2_jax.train_state import Player, TrainState

PyTree = Any
Metrics = dict[str, jax.Array]


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
        ema_decay: of the averages of the generators' weights, where the state has them.
    """

    optimizer: optax.GradientTransformation
    seed: int
    flip: bool = True
    pose_mask_loss: bool = True
    l1_weight: float = 10.0
    critic_sees_coarse: bool = False
    adversarial_on_source: bool = False
    ema_decay: float = 0.0


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


def judge(
    params: PyTree,
    coarse: jax.Array | None,
    generated: jax.Array,
    inputs: Inputs,
    architecture: models.Architecture,
    objective: Objective,
) -> Metrics:
    """D's logits [B] for each kind of image, named as the image.

    One call for all kinds, because they share the statistics of the batch norm.

    Args:
        params: of D.
        coarse: G1's image, which D may see beside G2's; None in the one stage.
        generated: the image of the generator that plays against D.
        inputs: of the batch.
        architecture: of the networks.
        objective: says whether D sees `coarse`.
    """
    source = inputs["source"]
    kinds = {"target": inputs["target"], "generated": generated}
    if architecture.critic_input == "pair":
        kinds = {
            name: jnp.concatenate([source, image], axis=-1)
            for name, image in kinds.items()
        }
    else:
        kinds["source"] = source
        if objective.critic_sees_coarse:
            assert coarse is not None, "there is no second image in the one stage"
            kinds["coarse"] = coarse
    # Stacked beside the batch axis, so that each example stays on its device;
    # concatenating along axis 0 would move images between devices.
    stacked = jnp.stack(list(kinds.values()), axis=1)
    judged = stacked.reshape(-1, *stacked.shape[2:])
    logits = apply(architecture.discriminator(), params, judged)
    return dict(zip(kinds, logits.reshape(-1, len(kinds)).T, strict=True))


def generator_losses(
    logits: Metrics, generated: jax.Array, inputs: Inputs, objective: Objective
) -> tuple[jax.Array, Metrics]:
    """The loss of the generator that plays against D (Eq. 4), [], and its parts."""
    mask = inputs["mask"] if objective.pose_mask_loss else None
    l1 = losses.l1(generated, inputs["target"], mask)
    adversarial = losses.called_real(logits["generated"])
    if objective.adversarial_on_source:
        adversarial = 0.5 * (adversarial + losses.called_real(logits["source"]))
    loss = losses.generator_loss(adversarial, l1, objective.l1_weight).mean()
    parts = {"loss": loss, "l1": l1.mean(), "adversarial": adversarial.mean()}
    return loss, parts


def critic_losses(
    logits: Metrics, architecture: models.Architecture
) -> tuple[jax.Array, Metrics]:
    """D's loss (Eq. 2 or the released triplet), [], and how often D is right."""
    if architecture.critic_input == "pair":
        loss = losses.pair_critic_loss(logits["target"], logits["generated"])
    else:
        loss = losses.triplet_critic_loss(
            logits["target"], logits["generated"], logits["source"]
        )
    parts = {
        "loss": loss.mean(),
        "target_called_real": jnp.mean(logits["target"] > 0),
        "generated_called_real": jnp.mean(logits["generated"] > 0),
    }
    return parts["loss"], parts


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
    coarse = state.coarse.update(gradients, objective.optimizer, objective.ema_decay)
    state = dataclasses.replace(state, step=state.step + 1, coarse=coarse)
    return state, {"coarse/loss": loss}


def adversarial_step(
    state: TrainState,
    batch: Batch,
    *,
    architecture: models.Architecture,
    objective: Objective,
) -> tuple[TrainState, Metrics]:
    """Stage II: one update of G2, then one of D against the new G2; G1 is frozen.

    Where averages are kept, G2 refines what the average of G1 draws, as it will after
    training.
    """
    assert state.refine and state.critic, "the state has no G2 or D"
    inputs = _training_inputs(state, batch, architecture, objective)
    source, pose = inputs["source"], inputs["pose"]
    coarse = draw_coarse(state.coarse.drawing_params, source, pose, architecture)

    def draw(params: PyTree) -> jax.Array:
        return draw_refined(params, coarse, source, pose, architecture)

    def judge_drawn(params: PyTree, generated: jax.Array) -> Metrics:
        return judge(params, coarse, generated, inputs, architecture, objective)

    refine, metrics = _play(
        state.refine, state.critic, draw, judge_drawn, inputs, objective
    )
    critic, critic_metrics = _answer(
        state.critic, draw(refine.params), judge_drawn, architecture, objective
    )
    state = dataclasses.replace(
        state, step=state.step + 1, refine=refine, critic=critic
    )
    return state, _named(refine=metrics, critic=critic_metrics)


def one_stage_step(
    state: TrainState,
    batch: Batch,
    *,
    architecture: models.Architecture,
    objective: Objective,
) -> tuple[TrainState, Metrics]:
    """The paper's G1+D: one update of G1 by Eq. 4, then one of D against the new G1."""
    assert state.critic, "the state has no D"
    inputs = _training_inputs(state, batch, architecture, objective)

    def draw(params: PyTree) -> jax.Array:
        return draw_coarse(params, inputs["source"], inputs["pose"], architecture)

    def judge_drawn(params: PyTree, generated: jax.Array) -> Metrics:
        return judge(params, None, generated, inputs, architecture, objective)

    coarse, metrics = _play(
        state.coarse, state.critic, draw, judge_drawn, inputs, objective
    )
    critic, critic_metrics = _answer(
        state.critic, draw(coarse.params), judge_drawn, architecture, objective
    )
    state = dataclasses.replace(
        state, step=state.step + 1, coarse=coarse, critic=critic
    )
    return state, _named(coarse=metrics, critic=critic_metrics)


# Weights of a generator -> its images; weights of D and images -> logits by kind.
_Draw = Callable[[PyTree], jax.Array]
_Judge = Callable[[PyTree, jax.Array], Metrics]


def _play(
    generator: Player,
    critic: Player,
    draw: _Draw,
    judge_drawn: _Judge,
    inputs: Inputs,
    objective: Objective,
) -> tuple[Player, Metrics]:
    """One update of the generator against a fixed D."""

    def loss_of(params: PyTree) -> tuple[jax.Array, Metrics]:
        generated = draw(params)
        logits = judge_drawn(critic.params, generated)
        return generator_losses(logits, generated, inputs, objective)

    gradients, metrics = jax.grad(loss_of, has_aux=True)(generator.params)
    updated = generator.update(gradients, objective.optimizer, objective.ema_decay)
    return updated, metrics


def _answer(
    critic: Player,
    generated: jax.Array,
    judge_drawn: _Judge,
    architecture: models.Architecture,
    objective: Objective,
) -> tuple[Player, Metrics]:
    """One update of D against fixed images."""

    def loss_of(params: PyTree) -> tuple[jax.Array, Metrics]:
        return critic_losses(judge_drawn(params, generated), architecture)

    gradients, metrics = jax.grad(loss_of, has_aux=True)(critic.params)
    return critic.update(gradients, objective.optimizer), metrics


def _named(**metrics_of: Metrics) -> Metrics:
    """{"refine": {"loss": x}} -> {"refine/loss": x}."""
    return {
        f"{player}/{name}": value
        for player, metrics in metrics_of.items()
        for name, value in metrics.items()
    }
