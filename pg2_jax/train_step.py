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

from pg2_jax import accumulation, losses, models, prng
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
        discriminator_sees_coarse: whether D also judges G1's image, which moves the
            batch norm's statistics only (released 128x64 code).
        adversarial_on_source: whether G2's adversarial loss averages over D's verdict
            on the source photo too (released 256x256 code).
        ema_decay: of the averages of the generators' weights, where the state has them.
        grad_accumulation: parts of the batch whose gradients are computed one after
            the other and averaged. The generators learn as from the whole batch at
            once; D's batch norm sees one part at a time.
    """

    optimizer: optax.GradientTransformation
    seed: int
    flip: bool = True
    pose_mask_loss: bool = True
    l1_weight: float = 10.0
    discriminator_sees_coarse: bool = False
    adversarial_on_source: bool = False
    ema_decay: float = 0.0
    grad_accumulation: int = 1


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
    if architecture.discriminator_input == "pair":
        kinds = {
            name: jnp.concatenate([source, image], axis=-1)
            for name, image in kinds.items()
        }
    else:
        kinds["source"] = source
        if objective.discriminator_sees_coarse:
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


def discriminator_losses(
    logits: Metrics, architecture: models.Architecture
) -> tuple[jax.Array, Metrics]:
    """D's loss (Eq. 2 or the released triplet), [], and how often D is right."""
    if architecture.discriminator_input == "pair":
        loss = losses.pair_discriminator_loss(logits["target"], logits["generated"])
    else:
        loss = losses.triplet_discriminator_loss(
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

    def loss_of(params: PyTree, inputs: Inputs) -> tuple[jax.Array, Metrics]:
        mask = inputs["mask"] if objective.pose_mask_loss else None
        coarse = draw_coarse(params, inputs["source"], inputs["pose"], architecture)
        loss = losses.l1(coarse, inputs["target"], mask).mean()
        return loss, {"loss": loss}

    coarse, metrics = _minimize(loss_of, state.coarse, inputs, objective)
    state = dataclasses.replace(state, step=state.step + 1, coarse=coarse)
    return state, _named(coarse=metrics)


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
    assert state.refine and state.discriminator, "the state has no G2 or D"
    inputs = _training_inputs(state, batch, architecture, objective)

    def draw_first(inputs: Inputs) -> jax.Array:
        source, pose = inputs["source"], inputs["pose"]
        return draw_coarse(state.coarse.drawing_params, source, pose, architecture)

    def draw(params: PyTree, seen: _Seen) -> jax.Array:
        inputs, coarse = seen
        assert coarse is not None, "stage II has an image of G1"
        source, pose = inputs["source"], inputs["pose"]
        return draw_refined(params, coarse, source, pose, architecture)

    coarse = accumulation.mapped(draw_first, inputs, objective.grad_accumulation)
    game = _Game(draw, (inputs, coarse), architecture, objective)
    refine, metrics = game.play(state.refine, state.discriminator)
    discriminator, discriminator_metrics = game.answer(state.discriminator, refine)
    state = dataclasses.replace(
        state, step=state.step + 1, refine=refine, discriminator=discriminator
    )
    return state, _named(refine=metrics, discriminator=discriminator_metrics)


def one_stage_step(
    state: TrainState,
    batch: Batch,
    *,
    architecture: models.Architecture,
    objective: Objective,
) -> tuple[TrainState, Metrics]:
    """The paper's G1+D: one update of G1 by Eq. 4, then one of D against the new G1."""
    assert state.discriminator, "the state has no D"
    inputs = _training_inputs(state, batch, architecture, objective)

    def draw(params: PyTree, seen: _Seen) -> jax.Array:
        inputs, _ = seen
        return draw_coarse(params, inputs["source"], inputs["pose"], architecture)

    game = _Game(draw, (inputs, None), architecture, objective)
    coarse, metrics = game.play(state.coarse, state.discriminator)
    discriminator, discriminator_metrics = game.answer(state.discriminator, coarse)
    state = dataclasses.replace(
        state, step=state.step + 1, coarse=coarse, discriminator=discriminator
    )
    return state, _named(coarse=metrics, discriminator=discriminator_metrics)


# What a generator sees of a batch, and the image of G1 where there is a G2.
_Seen = tuple[Inputs, jax.Array | None]


@dataclasses.dataclass(frozen=True)
class _Game:
    """A generator against D on one batch.

    Attributes:
        draw: weights of the generator -> its images.
        seen: what it is drawn from.
        architecture: of the networks.
        objective: what is minimized.
    """

    draw: Callable[[PyTree, _Seen], jax.Array]
    seen: _Seen
    architecture: models.Architecture
    objective: Objective

    def play(self, generator: Player, discriminator: Player) -> tuple[Player, Metrics]:
        """One update of the generator against a fixed D."""

        def loss_of(params: PyTree, seen: _Seen) -> tuple[jax.Array, Metrics]:
            generated = self.draw(params, seen)
            logits = self._judge(discriminator.params, generated, seen)
            return generator_losses(logits, generated, seen[0], self.objective)

        return _minimize(loss_of, generator, self.seen, self.objective)

    def answer(
        self, discriminator: Player, generator: Player
    ) -> tuple[Player, Metrics]:
        """One update of D against a fixed generator."""

        def loss_of(params: PyTree, seen: _Seen) -> tuple[jax.Array, Metrics]:
            logits = self._judge(params, self.draw(generator.params, seen), seen)
            return discriminator_losses(logits, self.architecture)

        return _minimize(loss_of, discriminator, self.seen, self.objective)

    def _judge(self, params: PyTree, generated: jax.Array, seen: _Seen) -> Metrics:
        inputs, coarse = seen
        return judge(
            params, coarse, generated, inputs, self.architecture, self.objective
        )


def _minimize(
    loss_of: Callable[[PyTree, Any], tuple[jax.Array, Metrics]],
    player: Player,
    examples: PyTree,
    objective: Objective,
) -> tuple[Player, Metrics]:
    """One update of a player by the gradient of its loss, and the parts of the loss."""
    gradients, metrics = accumulation.mean_gradients(
        loss_of, player.params, examples, objective.grad_accumulation
    )
    updated = player.update(gradients, objective.optimizer, objective.ema_decay)
    return updated, metrics


def _named(**metrics_of: Metrics) -> Metrics:
    """{"refine": {"loss": x}} -> {"refine/loss": x}."""
    return {
        f"{player}/{name}": value
        for player, metrics in metrics_of.items()
        for name, value in metrics.items()
    }
