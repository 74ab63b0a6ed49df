"""The step of one network against D of patches: losses and updates by hand."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pg2_jax import generation, inputs, losses, train_step
from pg2_jax.objective import Objective
from pg2_jax.pg2plus import guides, patch_step
from tests.pg2_jax import drawn_state
from tests.pg2_jax.pg2plus.people import ARCHITECTURE, make_batch

RATE, RATE_OF_D = 0.1, 0.02
WEIGHTS = {
    "l1_weight": 3.0,
    "ssim_weight": 0.6,
    "adversarial_weight": 0.7,
    "feature_matching_weight": 2.0,
    "perceptual_weight": 1.5,
    "r1_weight": 0.4,
}


def squares(generated, target):
    """A distance that stands for LPIPS."""
    return jnp.mean((generated - target) ** 2, axis=(1, 2, 3))


def make_objective(**changes):
    # Plain gradient descent: an update shows the gradient.
    options = {
        "optimizer": optax.sgd(RATE),
        "discriminator_optimizer": optax.sgd(RATE_OF_D),
        "seed": 0,
        "flip": False,
        "background": "source",
        "perceptual_distance": squares,
        **WEIGHTS,
    }
    return Objective(**(options | changes))


@functools.cache
def make_state():
    return jax.device_put(drawn_state.of(ARCHITECTURE, optax.sgd(RATE)))


@functools.cache
def compiled(**changes):
    options = {"architecture": ARCHITECTURE, "objective": make_objective(**changes)}
    return jax.jit(functools.partial(patch_step.patch_step, **options))


def take(batch, step=0, **changes):
    """The state after the step of that number, and the metrics."""
    state = dataclasses.replace(make_state(), step=jnp.int32(step))
    return compiled(**changes)(state, batch)


def judged(params, image, seen):
    """D's logits and features of an image where something is asked of it, by the
    definition: each layer convolves the image beside the guide."""
    image = jnp.where(seen["mask"] < 0, 0.0, image)
    guide = seen["pose"][..., : guides.CHANNELS]
    x, features = jnp.concatenate([image, guide], axis=-1), []
    for i, stride in enumerate((2, 2, 1)):
        x = convolved(x, params[f"conv{i}"], stride)
        x = jnp.where(x > 0, x, 0.2 * x)
        features.append(x)
    return convolved(x, params["logits"], 1)[..., 0], features


def convolved(x, layer, stride):
    form = ("NHWC", "HWIO", "NHWC")
    strides = (stride, stride)
    return layer["bias"].reshape(1, 1, 1, -1) + jax.lax.conv_general_dilated(
        x, layer["kernel"], strides, "SAME", dimension_numbers=form
    )


def by_hand(batch):
    """The losses, and gradients of the generator's and of D's."""
    return _by_hand(make_state(), batch)


@jax.jit
def _by_hand(state, batch):
    seen = inputs.prepare(batch, ARCHITECTURE)
    seen = inputs.with_background_of_source(seen, batch)
    target = seen["target"]

    def drawn(params):
        source, pose = seen["source"], seen["pose"]
        return generation.generate_coarse(params, source, pose, ARCHITECTURE)

    def generator(params):
        image = drawn(params)
        logits, features = judged(state.discriminator.params, image, seen)
        _, real = judged(state.discriminator.params, target, seen)
        l1 = (jnp.abs(image - target) * (1 + seen["mask"])).mean()
        matching = sum(
            jnp.abs(a - b).mean() for a, b in zip(features, real, strict=True)
        )
        parts = {"l1": l1, "adversarial": -logits.mean()}
        parts["feature_matching"] = matching / 3
        # Nothing is asked of the hole, and all of the rest alike.
        asked = jnp.where(seen["mask"] < 0, 0.0, image - target)
        parts["perceptual"] = (asked**2).mean()
        parts["ssim"] = losses.dissimilarity(image, target, seen["mask"]).mean()
        loss = 3.0 * l1 + 0.7 * parts["adversarial"] + 2.0 * matching / 3
        loss += 0.6 * parts["ssim"] + 1.5 * parts["perceptual"]
        return loss, {"loss": loss, **parts}

    def hinge(params):
        real, _ = judged(params, target, seen)
        fake, _ = judged(params, drawn(state.coarse.params), seen)
        return jnp.mean(jnp.maximum(0, 1 - real)) + jnp.mean(jnp.maximum(0, 1 + fake))

    def penalty(params):
        def score(image):
            return judged(params, image, seen)[0].sum()

        gradient = jax.grad(score)(target)
        return jnp.mean(jnp.sum(gradient**2, axis=(1, 2, 3)))

    gradient, parts = jax.grad(generator, has_aux=True)(state.coarse.params)
    loss_of_d, gradient_of_d = jax.value_and_grad(hinge)(state.discriminator.params)
    penalized = jax.grad(penalty)(state.discriminator.params)
    return parts, gradient, loss_of_d, gradient_of_d, penalized


def assert_moved(new, old, rate, gradient):
    """Each array by minus the rate times its gradient, which is not 0 everywhere."""

    def check(after, before, slope):
        want = -rate * slope
        np.testing.assert_allclose(
            after - before, want, atol=1e-6 + 1e-3 * np.abs(want).max()
        )

    jax.tree.map(check, new, old, gradient)
    assert max(np.abs(x).max() for x in jax.tree.leaves(gradient)) > 1e-3


@pytest.mark.slow
def test_losses_and_updates_are_those_of_the_definition():
    batch = make_batch()
    parts, gradient, loss_of_d, gradient_of_d, _ = by_hand(batch)
    old = make_state()
    new, metrics = take(batch, step=1)  # no penalty is due
    for name, want in parts.items():
        np.testing.assert_allclose(metrics[f"coarse/{name}"], want, rtol=1e-4)
    np.testing.assert_allclose(metrics["discriminator/loss"], loss_of_d, rtol=1e-4)
    assert_moved(new.coarse.params, old.coarse.params, RATE, gradient)
    before, after = old.discriminator.params, new.discriminator.params
    assert_moved(after, before, RATE_OF_D, gradient_of_d)
    assert int(new.step) == 2 and new.refine is None


def test_every_eighth_step_pays_for_the_gradient_at_real_images():
    """R1 / 2 times its weight, and times 8, because it is due so seldom."""
    batch = make_batch()
    *_, gradient_of_d, penalized = by_hand(batch)
    old = make_state().discriminator.params
    want = jax.tree.map(lambda x, y: x + 0.4 * 8 / 2 * y, gradient_of_d, penalized)
    for step in (0, 8):
        new, _ = take(batch, step)
        assert_moved(new.discriminator.params, old, RATE_OF_D, want)


def test_l1_and_ssim_have_one_weight_in_both_halves():
    """Adam, which remembers the first half's gradients, gets no larger ones later."""
    batch = make_batch()
    parts, *_ = by_hand(batch)
    options = {"architecture": ARCHITECTURE, "objective": make_objective()}

    @jax.jit
    def metrics_of(state, batch):
        # Without the update, which need not be compiled.
        return train_step.coarse_step(state, batch, **options)[1]

    metrics = metrics_of(make_state(), batch)
    want = 3 * parts["l1"] + 0.6 * parts["ssim"]
    np.testing.assert_allclose(metrics["coarse/loss"], want, rtol=1e-5)
    np.testing.assert_allclose(metrics["coarse/ssim"], parts["ssim"], rtol=1e-5)


@pytest.mark.slow
def test_gradients_in_parts_are_those_of_the_whole_batch():
    """D's too: it has no batch norm."""
    batch = make_batch()
    whole, metrics = take(batch)
    parts, same = take(batch, grad_accumulation=2)
    for name, value in metrics.items():
        np.testing.assert_allclose(same[name], value, rtol=1e-4, err_msg=name)
    for name in ("coarse", "discriminator"):
        old = getattr(make_state(), name).params
        moves = [
            jax.tree.map(lambda x, y: x - y, getattr(new, name).params, old)
            for new in (whole, parts)
        ]
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(
                x, y, atol=1e-6 + 1e-3 * np.abs(x).max()
            ),
            *moves,
        )
