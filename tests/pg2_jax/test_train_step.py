"""The steps: who moves, what is shared, and that devices do not matter."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from pg2_jax import (
    augmentation,
    generation,
    inputs,
    losses,
    models,
    pose,
    prng,
    sharding,
    train_state,
    train_step,
)
from pg2_jax.architecture import Architecture
from tests.pg2_jax import drawn_state

SIZE = (32, 16)
PAPER = Architecture(
    image_height=SIZE[0],
    image_width=SIZE[1],
    base_channels=4,
    bottleneck_size=4,
    discriminator_channels=4,
)
RELEASED = Architecture(
    image_height=SIZE[0],
    image_width=SIZE[1],
    base_channels=4,
    bottleneck_size=4,
    discriminator_channels=4,
    refine_decoder="constant",
    refine_full_skip=False,
    discriminator_input="triplet",
    heat_map_range="minus_one_one",
)


def make_batch(size=4, seed=0, height=SIZE[0], width=SIZE[1]):
    rng = np.random.default_rng(seed)
    keypoints = np.ones((2, size, 18, 3), np.float32)
    keypoints[..., 0] = rng.integers(0, width, keypoints.shape[:-1])
    keypoints[..., 1] = rng.integers(0, height, keypoints.shape[:-1])
    photos = rng.integers(0, 256, (2, size, height, width, 3)).astype(np.uint8)
    return train_step.Batch(
        source_image=photos[0],
        target_image=photos[1],
        source_keypoints=keypoints[0],
        target_keypoints=keypoints[1],
    )


OPTIMIZER = train_state.make_optimizer(1e-3)
# Eagerly each of their operations would be compiled for itself.
prepare = jax.jit(inputs.prepare, static_argnums=1)
generate_coarse = jax.jit(generation.generate_coarse, static_argnums=3)
generate_refined = jax.jit(generation.generate_refined, static_argnums=4)
judge = jax.jit(train_step.judge, static_argnums=(4, 5))
training_inputs = jax.jit(train_step.training_inputs, static_argnums=(2, 3))


def make_objective(**options):
    return train_step.Objective(optimizer=OPTIMIZER, seed=0, **options)


def take(step, state, batch, architecture, objective):
    options = {"architecture": architecture, "objective": objective}
    return jax.jit(functools.partial(step, **options))(state, batch)


@functools.cache
def make_state(architecture):
    return jax.device_put(drawn_state.of(architecture, OPTIMIZER))


def moved(old, new):
    """Names of the players whose weights changed."""

    def same(a, b):
        pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        return all(np.array_equal(x, y) for x, y in pairs)

    names = ("coarse", "refine", "discriminator")
    return {n for n in names if not same(getattr(old, n), getattr(new, n))}


# Who moves.
STEPS = {"coarse_step": {"coarse"}, "adversarial_step": {"refine", "discriminator"}}


@functools.cache
def compiled(count, step, architecture, size, **options):
    """A step on so many devices, of batches of a size."""
    mesh = Mesh(np.asarray(jax.devices()[:count]), ("data",))
    whole, split = sharding.replicated(mesh), sharding.batched(mesh)
    options["discriminator_sees_coarse"] = architecture is RELEASED
    jitted = jax.jit(
        functools.partial(
            getattr(train_step, step),
            architecture=architecture,
            objective=make_objective(**options),
        ),
        in_shardings=(whole, split),
        out_shardings=whole,
    )
    height, width = architecture.image_height, architecture.image_width
    batch = make_batch(size, height=height, width=width)
    return jitted.lower(make_state(architecture), batch).compile()


def on_devices(count, step, architecture, batch, **options):
    """The state after a first step on so many devices, and its metrics."""
    mesh = Mesh(np.asarray(jax.devices()[:count]), ("data",))
    placed = jax.device_put(make_state(architecture), sharding.replicated(mesh))
    size = len(batch["source_image"])
    take_step = compiled(count, step, architecture, size, **options)
    return take_step(placed, sharding.put_batch(batch, mesh))


# What most tests look at; all devices have two examples or more.
BATCH = make_batch(max(8, 2 * jax.device_count()))


@functools.cache
def first_step(count, step, architecture, **options):
    return on_devices(count, step, architecture, BATCH, **options)


def test_coarse_step_follows_the_gradient_of_equation_one():
    state = make_state(PAPER)
    seen = training_inputs(0, BATCH, PAPER, make_objective())

    def loss(params):
        coarse = generate_coarse(params, seen["source"], seen["pose"], PAPER)
        return losses.l1(coarse, seen["target"], seen["mask"]).mean()

    @jax.jit
    def update(player):
        value, gradients = jax.value_and_grad(loss)(player.params)
        return value, player.update(gradients, OPTIMIZER)

    value, want = update(state.coarse)
    new, metrics = first_step(1, "coarse_step", PAPER)
    np.testing.assert_allclose(metrics["coarse/loss"], value, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
        new.coarse.params,
        want.params,
    )


def test_the_discriminator_trains_against_the_new_refined_image():
    """G2 moves first, then D, on the image of the moved G2 (released trainer.py)."""
    state, objective = make_state(PAPER), make_objective()
    new, metrics = first_step(1, "adversarial_step", PAPER)
    seen = training_inputs(0, BATCH, PAPER, objective)
    source, target_pose = seen["source"], seen["pose"]
    coarse = generate_coarse(state.coarse.params, source, target_pose, PAPER)
    refined = generate_refined(new.refine.params, coarse, source, target_pose, PAPER)
    logits = judge(state.discriminator.params, coarse, refined, seen, PAPER, objective)
    want, _ = train_step.discriminator_losses(logits, PAPER)
    np.testing.assert_allclose(metrics["discriminator/loss"], want, rtol=1e-5)


def test_prepare_scales_images_and_heat_maps():
    batch = make_batch()
    seen = prepare(batch, RELEASED)
    scaled = batch["source_image"] / 127.5 - 1
    np.testing.assert_allclose(seen["source"], scaled, atol=1e-6)
    maps = pose.heat_maps(batch["target_keypoints"], *SIZE)
    np.testing.assert_array_equal(seen["pose"], 2 * maps - 1)
    np.testing.assert_array_equal(prepare(batch, PAPER)["pose"], maps)
    assert set(np.unique(seen["mask"])) == {0, 1}


def test_flip_mirrors_whole_pairs_and_about_half_of_them():
    batch = make_batch(64)
    flipped = jax.jit(augmentation.flip_at_random)(batch, jax.random.key(3))
    changed = 0
    for i in range(64):
        same = np.array_equal(flipped["source_image"][i], batch["source_image"][i])
        step = slice(None, None, 1 if same else -1)
        for name in ("source", "target"):
            photo, got = batch[f"{name}_image"][i], flipped[f"{name}_image"][i]
            np.testing.assert_array_equal(got, photo[:, step])
            points = batch[f"{name}_keypoints"][i]
            mirrored = pose.flip_keypoints(jnp.array(points), SIZE[1])
            want = points if same else mirrored
            np.testing.assert_array_equal(flipped[f"{name}_keypoints"][i], want)
        changed += not same
    assert 20 < changed < 44


def test_flips_differ_between_steps_and_repeat_for_one():
    batch, objective = make_batch(16), make_objective()

    @jax.jit
    def source(step):
        return train_step.training_inputs(step, batch, PAPER, objective)["source"]

    np.testing.assert_array_equal(source(5), source(5))
    assert not np.array_equal(source(5), source(6))


def gradients(state):
    """By player, what the first step's gradients were: Adam remembers half of each."""
    players = {
        "coarse": state.coarse,
        "refine": state.refine,
        "discriminator": state.discriminator,
    }
    return {n: p.opt_state[0].mu for n, p in players.items() if p}


def assert_close(tree, other, tolerance):
    """Each array up to a part of its largest value."""

    # The biases before D's batch norm have a gradient of zero, and hold rounding alone.
    def check(a, b):
        np.testing.assert_allclose(a, b, atol=tolerance * max(1e-3, np.abs(a).max()))

    jax.tree.map(check, tree, other)


@pytest.mark.parametrize(
    "architecture",
    [PAPER, pytest.param(RELEASED, marks=pytest.mark.slow)],
    ids=["paper", "released"],
)
@pytest.mark.parametrize(("step", "players"), STEPS.items())
def test_all_devices_compute_what_one_does(architecture, step, players):
    """The batch norm of D sees the global batch."""
    one, metrics = first_step(1, step, architecture)
    every, same = first_step(jax.device_count(), step, architecture)
    for name, value in metrics.items():
        np.testing.assert_allclose(value, same[name], rtol=1e-4, err_msg=name)
    assert_close(gradients(one), gradients(every), 1e-3)
    for state in (one, every):
        assert moved(make_state(architecture), state) == players
        assert int(state.step) == 1


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
def test_no_image_moves_between_devices(parts):
    parts = {} if parts == 1 else {"grad_accumulation": parts}
    count, size = jax.device_count(), len(BATCH["source_image"])
    text = compiled(count, "adversarial_step", RELEASED, size, **parts).as_text()
    assert "all-reduce" in text
    for moving in ("all-to-all", "collective-permute", "all-gather"):
        assert moving not in text


@pytest.mark.slow
def test_gradients_in_parts_are_those_of_the_whole_batch():
    """G1's in stage I; G2's are the mean over the parts as batches of their own, whose
    statistics D's batch norm takes."""
    count = jax.device_count()
    whole, metrics = first_step(count, "coarse_step", PAPER)
    parts, same = first_step(count, "coarse_step", PAPER, grad_accumulation=2)
    np.testing.assert_allclose(metrics["coarse/loss"], same["coarse/loss"], rtol=1e-5)
    assert_close(gradients(whole)["coarse"], gradients(parts)["coarse"], 1e-4)

    parts, same = first_step(count, "adversarial_step", RELEASED, grad_accumulation=2)
    # Each part of the batch that the step has mirrored at random.
    key = prng.key(0, prng.Stream.FLIP, 0)
    mirrored = jax.device_get(jax.jit(augmentation.flip_at_random)(BATCH, key))
    halves = [
        on_devices(
            count,
            "adversarial_step",
            RELEASED,
            {n: x[i::2] for n, x in mirrored.items()},
            flip=False,
        )
        for i in range(2)
    ]
    trees = [gradients(state)["refine"] for state, _ in halves]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *trees)
    assert_close(mean, gradients(parts)["refine"], 1e-4)
    for name in ("refine/loss", "refine/adversarial"):
        mean = np.mean([metrics[name] for _, metrics in halves])
        np.testing.assert_allclose(same[name], mean, rtol=1e-5)
    assert moved(make_state(RELEASED), parts) == STEPS["adversarial_step"]


@pytest.mark.slow
def test_an_odd_size_trains():
    """34x17: both sides are odd after the first halving, the width before it, too."""
    architecture = dataclasses.replace(PAPER, image_height=34, image_width=17)
    batch = make_batch(height=34, width=17)
    state, metrics = on_devices(1, "adversarial_step", architecture, batch)
    assert moved(make_state(architecture), state) == {"refine", "discriminator"}
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((state, metrics)))


@pytest.mark.slow
def test_blocks_computed_again_give_the_same_gradients():
    small = dataclasses.replace(PAPER, remat=True)
    want, _ = first_step(1, "coarse_step", PAPER)
    got, _ = first_step(1, "coarse_step", small)
    assert_close(gradients(want)["coarse"], gradients(got)["coarse"], 1e-5)


def test_released_losses_name_their_images():
    """256x256: half of the adversarial loss is on the source photo."""
    logits = {name: jnp.array([float(i)]) for i, name in enumerate("abc")}
    logits = dict(zip(("target", "generated", "source"), logits.values(), strict=True))
    seen = {"target": jnp.zeros((1, *SIZE, 3)), "mask": jnp.zeros((1, *SIZE, 1))}
    loss, parts = train_step.generator_losses(
        logits, seen["target"], seen, make_objective(adversarial_on_source=True)
    )
    want = 0.5 * (np.log1p(np.exp(-1.0)) + np.log1p(np.exp(-2.0)))
    np.testing.assert_allclose(loss, want, rtol=1e-6)
    np.testing.assert_allclose(parts["l1"], 0)


def test_generate_adds_the_difference_map():
    state, batch = make_state(PAPER), make_batch()
    drawn = jax.jit(functools.partial(generation.generate, architecture=PAPER))(
        state.coarse.params,
        state.refine.params,
        batch["source_image"],
        batch["source_keypoints"],
        batch["target_keypoints"],
    )
    seen = prepare(batch, PAPER)
    coarse = generate_coarse(state.coarse.params, seen["source"], seen["pose"], PAPER)
    difference = refinement(state, PAPER, coarse, seen["source"])
    for name, want in (("coarse", coarse), ("refined", coarse + difference)):
        want = np.asarray(inputs.to_uint8(want), int)
        assert np.abs(drawn[name] - want).max() <= 1, name
    assert np.abs(np.asarray(drawn["refined"], int) - drawn["coarse"]).max() > 20


def refinement(state, architecture, *images):
    """What G2's network itself gives."""
    network = models.RefinementGenerator(architecture)
    return jax.jit(network.apply)({"params": state.refine.params}, *images)


def test_uint8_images_survive_the_round_trip():
    every = jnp.arange(256, dtype=jnp.uint8)
    np.testing.assert_array_equal(inputs.to_uint8(inputs.from_uint8(every)), every)
    extremes = inputs.to_uint8(jnp.array([-3.0, -1.0, 0.0, 1.0, 7.0]))
    np.testing.assert_array_equal(extremes, [0, 0, 128, 255, 255])


ONE_STAGE = dataclasses.replace(PAPER, stages="one_stage")


@pytest.mark.slow
def test_the_one_stage_moves_g1_and_the_discriminator():
    state, batch = make_state(ONE_STAGE), make_batch()
    assert state.refine is None
    objective = make_objective(flip=False, l1_weight=3.0)
    new, metrics = take(train_step.one_stage_step, state, batch, ONE_STAGE, objective)
    assert moved(state, new) == {"coarse", "discriminator"}
    seen = prepare(batch, ONE_STAGE)

    def drawn(params):
        return generate_coarse(params, seen["source"], seen["pose"], ONE_STAGE)

    def judged(image):
        discriminator = state.discriminator.params
        return judge(discriminator, None, image, seen, ONE_STAGE, objective)

    before = drawn(state.coarse.params)
    l1 = losses.l1(before, seen["target"], seen["mask"]).mean()
    fooled = losses.cross_entropy(judged(before)["generated"], 1.0).mean()
    np.testing.assert_allclose(metrics["coarse/loss"], fooled + 3 * l1, rtol=1e-5)
    np.testing.assert_allclose(metrics["coarse/adversarial"], fooled, rtol=1e-5)
    # D answers the image of the moved G1.
    want, _ = train_step.discriminator_losses(
        judged(drawn(new.coarse.params)), ONE_STAGE
    )
    np.testing.assert_allclose(metrics["discriminator/loss"], want, rtol=1e-5)


def refined_of(architecture, seed=0):
    """Coarse and refined image, inputs, and the output of G2's network."""
    state = make_state(architecture)
    seen = prepare(make_batch(seed=seed), architecture)
    coarse = seen["target"]  # any image will do
    refined = generate_refined(
        state.refine.params, coarse, seen["source"], seen["pose"], architecture
    )
    return state, seen, coarse, refined


def test_g2_may_draw_the_image_itself():
    architecture = dataclasses.replace(PAPER, refine_output="image")
    state, seen, coarse, refined = refined_of(architecture)
    want = refinement(state, architecture, coarse, seen["source"])
    np.testing.assert_allclose(refined, want, atol=1e-6)


@pytest.mark.slow
def test_g2_may_see_the_target_pose():
    architecture = dataclasses.replace(PAPER, refine_sees_pose=True)
    state, seen, coarse, refined = refined_of(architecture)
    other = generate_refined(
        state.refine.params, coarse, seen["source"], 1 - seen["pose"], architecture
    )
    assert np.abs(refined - other).max() > 1e-3
    assert state.refine.params["stem"]["kernel"].shape == (3, 3, 24, 4)


@pytest.mark.slow
@pytest.mark.parametrize("embedding", ["coordinate", "encoder", "view"])
def test_a_pose_at_the_bottleneck_reaches_the_image(embedding):
    """Two poses, one photo: the images differ; for a view only if the word does."""
    architecture = dataclasses.replace(PAPER, stages="coarse", pose_embedding=embedding)
    params = make_state(architecture).coarse.params
    batch = make_batch(1)
    front = jnp.array(batch["target_keypoints"]).at[0, 2].set(jnp.array([2, 3, 1.0]))
    front = front.at[0, 5].set(jnp.array([13, 3, 1.0]))
    front = front.at[0, 8].set(jnp.array([4, 15, 1.0]))
    front = front.at[0, 11].set(jnp.array([11, 15, 1.0]))
    moved_wrist = front.at[0, 4].set(jnp.array([15, 31, 1.0]))
    mirrored_twice = front.at[0, jnp.array([2, 5])].set(front[0, jnp.array([5, 2])])

    @jax.jit
    def drawn(keypoints):
        seen = prepare({**batch, "target_keypoints": keypoints}, architecture)
        return generate_coarse(params, seen["source"], seen["pose"], architecture)

    def difference(a, b):
        return float(np.abs(drawn(a) - drawn(b)).max())

    assert difference(front, mirrored_twice) > 1e-4
    if embedding == "view":
        assert difference(front, moved_wrist) == 0
    else:
        assert difference(front, moved_wrist) > 1e-4


@pytest.mark.slow
def test_the_one_stage_may_train_the_network_of_g2():
    """The reviewers' question: stage I's inputs, no fully connected layer."""
    architecture = dataclasses.replace(ONE_STAGE, coarse_network="refinement")
    state = make_state(architecture)
    assert state.coarse.params["stem"]["kernel"].shape == (3, 3, 3 + 18, 4)
    assert "to_code" not in state.coarse.params
    new, _ = take(
        train_step.one_stage_step, state, make_batch(), architecture, make_objective()
    )
    assert moved(state, new) == {"coarse", "discriminator"}
