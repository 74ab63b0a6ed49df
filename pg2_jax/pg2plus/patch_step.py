"""The second half of training pg2plus: its one network against D of patches."""

from typing import Any

import jax
import jax.numpy as jnp

from pg2_jax import losses, models
from pg2_jax.architecture import Architecture
from pg2_jax.generation import generate_coarse
from pg2_jax.inputs import Batch, Inputs
from pg2_jax.objective import Metrics, Objective, map_parts, minimize
from pg2_jax.train_state import TrainState
from pg2_jax.train_step import named, training_inputs

PyTree = Any

_R1_EVERY = 8  # steps; the penalty changes slowly and costs as much as all of D


def patch_step(
    state: TrainState, batch: Batch, *, architecture: Architecture, objective: Objective
) -> tuple[TrainState, Metrics]:
    """One update of the generator by L1, hinge and feature matching, and one of D
    by the hinge loss, and now and then by R1, on the same images."""
    inputs = training_inputs(state.step, batch, architecture, objective)
    network = models.discriminator(architecture)

    def judge(params: PyTree, image: jax.Array, inputs: Inputs) -> Any:
        """D's logits [B, h, w] and features of an image beside the guide."""
        # Where nothing is asked of an image, nobody judges it.
        image = image * (inputs["mask"] >= 0)
        seen = jnp.concatenate([image, inputs["pose"]], axis=-1)
        return network.apply({"params": params}, seen)

    def generator_loss(params: PyTree, inputs: Inputs) -> tuple[jax.Array, Metrics]:
        source, pose, target = inputs["source"], inputs["pose"], inputs["target"]
        generated = generate_coarse(params, source, pose, architecture)
        judging = state.discriminator.params
        logits, features = judge(judging, generated, inputs)
        _, real = judge(judging, target, inputs)
        parts = {
            "l1": losses.l1(generated, target, inputs["mask"]).mean(),
            "adversarial": -logits.mean(),
            "feature_matching": losses.feature_matching(features, real).mean(),
        }
        loss = (
            objective.l1_weight * parts["l1"]
            + objective.adversarial_weight * parts["adversarial"]
            + objective.feature_matching_weight * parts["feature_matching"]
        )
        return loss, named("coarse", {"loss": loss, **parts})

    coarse, metrics = minimize(generator_loss, state.coarse, inputs, objective)

    def generate(inputs: Inputs) -> jax.Array:
        source, pose = inputs["source"], inputs["pose"]
        return generate_coarse(state.coarse.params, source, pose, architecture)

    # The generator's own images of above, which the compiler does not make twice.
    generated = map_parts(generate, inputs, objective.grad_accumulation)

    def discriminator_loss(
        params: PyTree, examples: PyTree
    ) -> tuple[jax.Array, Metrics]:
        inputs, generated = examples
        target = inputs["target"]
        real, _ = judge(params, target, inputs)
        fake, _ = judge(params, generated, inputs)
        loss = losses.hinge_discriminator_loss(real, fake).mean()
        parts = {
            "loss": loss,
            "target_called_real": jnp.mean(real > 0),
            "generated_called_real": jnp.mean(fake > 0),
        }

        def penalty() -> jax.Array:
            def score(image: jax.Array) -> jax.Array:
                return judge(params, image, inputs)[0].sum()

            gradient = jax.grad(score)(target)
            return jnp.sum(gradient**2) / len(target)

        if objective.r1_weight:
            due = state.step % _R1_EVERY == 0
            squared = jax.lax.cond(due, penalty, lambda: jnp.zeros(()))
            loss = loss + objective.r1_weight * _R1_EVERY / 2 * squared
        return loss, named("discriminator", parts)

    discriminator, more = minimize(
        discriminator_loss,
        state.discriminator,
        (inputs, generated),
        objective.of_discriminator,
    )
    state = TrainState(state.step + 1, coarse, state.refine, discriminator)
    return state, metrics | more
