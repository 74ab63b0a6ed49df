"""The training steps: pure functions, compiled by the caller.

Stage I trains G1 alone (`coarse_step`); stage II freezes G1 and updates G2, then D
(`adversarial_step`). The paper's G1+D has one stage (`one_stage_step`), which updates
G1, then D. Paper, sections 3 and 4.2; released code, trainer.py.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from pg2_jax import augmentation, inputs, losses, models
from pg2_jax.architecture import Architecture
from pg2_jax.generation import apply, generate_coarse, generate_refined
from pg2_jax.inputs import Batch, Inputs
from pg2_jax.objective import Objective, map_parts, minimize
from pg2_jax.train_state import TrainState

PyTree = Any
Metrics = dict[str, jax.Array]


def coarse_step(
    state: TrainState, batch: Batch, *, architecture: Architecture, objective: Objective
) -> tuple[TrainState, Metrics]:
    """Stage I: one update of G1 by the masked L1 loss (Eq. 1); and the first half of
    one network's training, where the losses, SSIM among them if asked for, have the
    weights of the second."""
    inputs = training_inputs(state.step, batch, architecture, objective)

    def coarse_loss(params: PyTree, inputs: Inputs) -> tuple[jax.Array, Metrics]:
        source, pose, target = inputs["source"], inputs["pose"], inputs["target"]
        coarse = generate_coarse(params, source, pose, architecture)
        loss = losses.l1(coarse, target, inputs["mask"]).mean()
        parts = {}
        if architecture.stages == "one_network":
            # Adam's memory of the gradients goes on into the second half, where L1 has
            # this weight: without it the first steps there are ten times too long.
            loss = objective.l1_weight * loss
        if objective.ssim_weight:
            seen = target, inputs["mask"]
            parts["ssim"] = losses.dissimilarity(coarse, *seen).mean()
            loss = loss + objective.ssim_weight * parts["ssim"]
        return loss, named("coarse", {"loss": loss, **parts})

    coarse, metrics = minimize(coarse_loss, state.coarse, inputs, objective)
    return dataclasses.replace(state, step=state.step + 1, coarse=coarse), metrics


def adversarial_step(
    state: TrainState, batch: Batch, *, architecture: Architecture, objective: Objective
) -> tuple[TrainState, Metrics]:
    """Stage II: one update of G2, then one of D against the new G2; G1 is frozen. G2
    refines what G1's average generates, where it is kept, as it will after training."""
    inputs = training_inputs(state.step, batch, architecture, objective)

    def coarse_image(inputs: Inputs) -> jax.Array:
        source, pose = inputs["source"], inputs["pose"]
        params = state.coarse.drawing_params
        return generate_coarse(params, source, pose, architecture)

    coarse = map_parts(coarse_image, inputs, objective.grad_accumulation)
    examples = (inputs, coarse)

    def refine_loss(params: PyTree, examples: PyTree) -> tuple[jax.Array, Metrics]:
        inputs, coarse = examples
        source, pose = inputs["source"], inputs["pose"]
        refined = generate_refined(params, coarse, source, pose, architecture)
        judging = state.discriminator.params
        logits = judge(judging, coarse, refined, inputs, architecture, objective)
        loss, parts = generator_losses(logits, refined, inputs, objective)
        return loss, named("refine", parts)

    refine, metrics = minimize(refine_loss, state.refine, examples, objective)

    def discriminator_loss(
        params: PyTree, examples: PyTree
    ) -> tuple[jax.Array, Metrics]:
        inputs, coarse = examples
        source, pose = inputs["source"], inputs["pose"]
        refined = generate_refined(refine.params, coarse, source, pose, architecture)
        logits = judge(params, coarse, refined, inputs, architecture, objective)
        loss, parts = discriminator_losses(logits, architecture)
        return loss, named("discriminator", parts)

    discriminator, more = minimize(
        discriminator_loss, state.discriminator, examples, objective.of_discriminator
    )
    state = TrainState(state.step + 1, state.coarse, refine, discriminator)
    return state, metrics | more


def one_stage_step(
    state: TrainState, batch: Batch, *, architecture: Architecture, objective: Objective
) -> tuple[TrainState, Metrics]:
    """The paper's G1+D: one update of G1 by Eq. 4, then one of D against the new G1."""
    inputs = training_inputs(state.step, batch, architecture, objective)

    def coarse_loss(params: PyTree, inputs: Inputs) -> tuple[jax.Array, Metrics]:
        source, pose = inputs["source"], inputs["pose"]
        coarse = generate_coarse(params, source, pose, architecture)
        judging = state.discriminator.params
        logits = judge(judging, None, coarse, inputs, architecture, objective)
        loss, parts = generator_losses(logits, coarse, inputs, objective)
        return loss, named("coarse", {**parts, "loss": loss})

    coarse, metrics = minimize(coarse_loss, state.coarse, inputs, objective)

    def discriminator_loss(params: PyTree, inputs: Inputs) -> tuple[jax.Array, Metrics]:
        source, pose = inputs["source"], inputs["pose"]
        generated = generate_coarse(coarse.params, source, pose, architecture)
        logits = judge(params, None, generated, inputs, architecture, objective)
        loss, parts = discriminator_losses(logits, architecture)
        return loss, named("discriminator", parts)

    discriminator, more = minimize(
        discriminator_loss, state.discriminator, inputs, objective.of_discriminator
    )
    state = TrainState(state.step + 1, coarse, state.refine, discriminator)
    return state, metrics | more


def training_inputs(
    step: jax.Array,
    batch: Batch,
    architecture: Architecture,
    objective: Objective,
) -> Inputs:
    """One training batch, changed at random by the keys of this step."""
    keys = objective.seed, step
    batch = augmentation.augmented(batch, objective, *keys)
    hidden = augmentation.hide_source_poses(batch, objective, *keys)
    seen = inputs.prepare(hidden, architecture)
    if objective.background == "source":
        seen = inputs.with_background_of_source(seen, batch)
    if not objective.pose_mask_loss:
        seen = {**seen, "mask": jnp.minimum(seen["mask"], 0.0)}
    return seen


def judge(
    params: PyTree,
    coarse: jax.Array | None,
    generated: jax.Array,
    inputs: Inputs,
    architecture: Architecture,
    objective: Objective,
) -> Metrics:
    """D's logits [B] for each kind of image, named as the image: of the target, and of
    what plays against D, `generated`; D may see G1's image `coarse` beside G2's. One
    call for all kinds, because they share the statistics of the batch norm."""
    source = inputs["source"]
    kinds = {"target": inputs["target"], "generated": generated}
    if architecture.discriminator_input == "pair":
        for name, image in kinds.items():
            kinds[name] = jnp.concatenate([source, image], axis=-1)
    else:
        kinds["source"] = source
        if coarse is not None and objective.discriminator_sees_coarse:
            kinds["coarse"] = coarse
    # Stacked beside the batch axis, so that each example stays on its device;
    # concatenating along axis 0 would move images between devices.
    stacked = jnp.stack(list(kinds.values()), axis=1)
    judged = stacked.reshape(-1, *stacked.shape[2:])
    logits = apply(models.Discriminator(architecture), params, judged)
    return dict(zip(kinds, logits.reshape(-1, len(kinds)).T, strict=True))


def generator_losses(
    logits: Metrics, generated: jax.Array, inputs: Inputs, objective: Objective
) -> tuple[jax.Array, Metrics]:
    """The loss of the generator that plays against D (Eq. 4), [], and its parts."""
    l1 = losses.l1(generated, inputs["target"], inputs["mask"])
    adversarial = losses.cross_entropy(logits["generated"], 1.0)
    if objective.adversarial_on_source:
        on_source = losses.cross_entropy(logits["source"], 1.0)
        adversarial = 0.5 * (adversarial + on_source)
    loss = losses.generator_loss(adversarial, l1, objective.l1_weight).mean()
    parts = {"loss": loss, "l1": l1.mean(), "adversarial": adversarial.mean()}
    return loss, parts


def discriminator_losses(
    logits: Metrics, architecture: Architecture
) -> tuple[jax.Array, Metrics]:
    """D's loss (Eq. 2 or the released triplet), [], and how often D is right."""
    if architecture.discriminator_input == "pair":
        loss = losses.pair_discriminator_loss(logits["target"], logits["generated"])
    else:
        judged = (logits[name] for name in ("target", "generated", "source"))
        loss = losses.triplet_discriminator_loss(*judged)
    parts = {
        "loss": loss.mean(),
        "target_called_real": jnp.mean(logits["target"] > 0),
        "generated_called_real": jnp.mean(logits["generated"] > 0),
    }
    return parts["loss"], parts


def named(player: str, metrics: Metrics) -> Metrics:
    """{"loss": x} of "refine" -> {"refine/loss": x}."""
    return {f"{player}/{name}": value for name, value in metrics.items()}
