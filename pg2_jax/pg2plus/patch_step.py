"""The second half of training pg2plus: its one network against D of patches."""

from typing import Any

import jax
import jax.numpy as jnp

from pg2_jax import losses
from pg2_jax.architecture import Architecture
from pg2_jax.generation import generate_coarse
from pg2_jax.inputs import Batch, Inputs
from pg2_jax.objective import Metrics, Objective, map_parts, minimize
from pg2_jax.pg2plus.part_transfer import PatchDiscriminator
from pg2_jax.train_state import TrainState
from pg2_jax.train_step import named, training_inputs

PyTree = Any

_R1_EVERY = 8  # steps; the penalty changes slowly and costs as much as all of D


def patch_step(
    state: TrainState, batch: Batch, *, architecture: Architecture, objective: Objective
) -> tuple[TrainState, Metrics]:
    """One update of the generator by L1, hinge, feature matching and, if asked for,
    SSIM and a perceptual distance; and on the same images one of D by hinge and R1."""
    inputs = training_inputs(state.step, batch, architecture, objective)
    network = PatchDiscriminator(architecture)

    def generate(params: PyTree, inputs: Inputs) -> jax.Array:
        return generate_coarse(params, inputs["source"], inputs["pose"], architecture)

    def generator_loss(params: PyTree, inputs: Inputs) -> tuple[jax.Array, Metrics]:
        """The weighted sum of the generator's losses, and each of them."""
        generated, judging = generate(params, inputs), state.discriminator.params
        parts = _generator_losses(network, judging, generated, inputs)
        if objective.ssim_weight:
            seen = inputs["target"], inputs["mask"]
            parts["ssim"] = losses.dissimilarity(generated, *seen).mean()
        if distance := objective.perceptual_distance:
            # Where nothing is asked of the image, nothing differs.
            asked = jnp.where(inputs["mask"] >= 0, generated, inputs["target"])
            parts["perceptual"] = distance(asked, inputs["target"]).mean()
        loss = sum(getattr(objective, f"{n}_weight") * x for n, x in parts.items())
        return loss, named("coarse", {"loss": loss, **parts})

    coarse, metrics = minimize(generator_loss, state.coarse, inputs, objective)
    # The images of above once more, which the compiler does not make twice.
    generated = map_parts(
        lambda inputs: generate(state.coarse.params, inputs),
        inputs,
        objective.grad_accumulation,
    )

    def discriminator_loss(
        params: PyTree, examples: PyTree
    ) -> tuple[jax.Array, Metrics]:
        """D's hinge loss, and where it is due the penalty."""
        inputs, generated = examples
        parts = _discriminator_losses(network, params, generated, inputs)
        loss = parts["loss"]
        if objective.r1_weight:
            squared = jax.lax.cond(
                state.step % _R1_EVERY == 0,
                lambda: _squared_gradient(network, params, inputs),
                lambda: jnp.zeros(()),
            )
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


def _judge(
    network: PatchDiscriminator, params: PyTree, inputs: Inputs, *images: jax.Array
) -> Any:
    """D's logits [B, h, w] and features, of each image beside the guide."""
    # Where nothing is asked of an image, nobody judges it.
    seen = [image * (inputs["mask"] >= 0) for image in images]
    return network.apply({"params": params}, inputs["pose"], *seen)


def _generator_losses(
    network: PatchDiscriminator, judging: PyTree, generated: jax.Array, inputs: Inputs
) -> Metrics:
    """L1, the adversarial loss and the distance of D's features; batch means."""
    (logits, features), (_, of_target) = _judge(
        network, judging, inputs, generated, inputs["target"]
    )
    return {
        "l1": losses.l1(generated, inputs["target"], inputs["mask"]).mean(),
        "adversarial": -logits.mean(),
        "feature_matching": losses.feature_matching(features, of_target).mean(),
    }


def _discriminator_losses(
    network: PatchDiscriminator, params: PyTree, generated: jax.Array, inputs: Inputs
) -> Metrics:
    """D's hinge loss, and which share of the patches it calls real."""
    (real, _), (fake, _) = _judge(network, params, inputs, inputs["target"], generated)
    return {
        "loss": losses.hinge_discriminator_loss(real, fake).mean(),
        "target_called_real": jnp.mean(real > 0),
        "generated_called_real": jnp.mean(fake > 0),
    }


def _squared_gradient(
    network: PatchDiscriminator, params: PyTree, inputs: Inputs
) -> jax.Array:
    """R1 (Mescheder et al., 2018): the squared gradient, by a target, of the sum of its
    patches' logits; the mean over the batch. It grows with the number of patches."""

    def score(image: jax.Array) -> jax.Array:
        ((logits, _),) = _judge(network, params, inputs, image)
        return logits.sum()

    gradient = jax.grad(score)(inputs["target"])
    return jnp.sum(gradient**2) / len(gradient)
