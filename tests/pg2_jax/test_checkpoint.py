"""What is saved comes back, whole or the generators alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import checkpoint, inference, models, sharding, train_state

ARCHITECTURE = models.Architecture(
    image_height=32,
    image_width=16,
    base_channels=2,
    bottleneck_size=2,
    discriminator_channels=2,
    heat_map_range="minus_one_one",
)
CONFIG = {**dataclasses.asdict(ARCHITECTURE), "learning_rate": 1e-3}


@functools.cache
def make_state(seed=0):
    optimizer = train_state.make_optimizer(1e-3)
    create = functools.partial(train_state.create, ARCHITECTURE, optimizer, seed)
    whole = sharding.replicated(sharding.data_mesh())
    return jax.jit(create, out_shardings=whole)()


def at_step(step, seed=0):
    return dataclasses.replace(make_state(seed), step=jnp.asarray(step, jnp.int32))


def save(workdir, *states, keep=3):
    saver = checkpoint.Checkpointer(str(workdir), CONFIG, keep=keep)
    for state in states:
        saver.save(state)
    saver.close()


def assert_equal(tree, other):
    jax.tree.map(np.testing.assert_array_equal, tree, other)


def test_the_state_comes_back_with_its_shardings(tmp_path):
    state = at_step(7)
    save(tmp_path, state)
    got = checkpoint.Checkpointer(str(tmp_path), CONFIG).restore_latest(make_state(1))
    assert_equal(got, state)
    assert got.coarse.params["rgb"]["kernel"].sharding.device_set == set(jax.devices())


def test_the_newest_config_is_known_before_anything_is_restored(tmp_path):
    saver = checkpoint.Checkpointer(str(tmp_path), {})
    assert saver.latest_config() is None
    save(tmp_path, at_step(1))
    assert checkpoint.Checkpointer(str(tmp_path), {}).latest_config() == CONFIG


def test_without_a_checkpoint_the_state_stays(tmp_path):
    state = at_step(0)
    saver = checkpoint.Checkpointer(str(tmp_path), CONFIG)
    assert saver.restore_latest(state) is state


def test_the_newest_are_kept(tmp_path):
    save(tmp_path, *(at_step(step, seed=step) for step in (1, 2, 3)), keep=2)
    assert checkpoint.restore_generators(str(tmp_path)).step == 3
    older = checkpoint.restore_generators(str(tmp_path), step=2)
    assert_equal(older.coarse, make_state(2).coarse.params)
    with pytest.raises(ValueError, match=r"no checkpoint of step 1 .* steps \[2, 3\]"):
        checkpoint.restore_generators(str(tmp_path), step=1)


def test_generators_know_their_architecture_and_config(tmp_path):
    save(tmp_path, at_step(5))
    got = checkpoint.restore_generators(str(tmp_path))
    assert (got.step, got.architecture, got.config) == (5, ARCHITECTURE, CONFIG)
    assert_equal(got.refine, make_state().refine.params)


def test_a_folder_without_checkpoints_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"--workdir={tmp_path}: no checkpoint in"):
        checkpoint.restore_generators(str(tmp_path))


def test_restored_weights_draw(tmp_path):
    save(tmp_path, at_step(1))
    model = inference.PoseTransfer.restore(str(tmp_path))
    photos = np.random.default_rng(0).integers(0, 256, (3, 32, 16, 3), np.uint8)
    poses = np.ones((3, 18, 3), np.float32) * np.arange(18)[:, None] % 16
    together = model.batch(photos, poses, batch_size=2)
    assert together.refined.shape == together.coarse.shape == (3, 32, 16, 3)
    assert together.refined.dtype == np.uint8
    for i in range(3):
        one = model(photos[i], poses[i])
        np.testing.assert_allclose(one.refined, together.refined[i], atol=1)
    assert np.ptp(together.refined) > 0


@pytest.mark.parametrize(
    ("photo", "pose", "message"),
    [
        (np.zeros((1, 32, 32, 3), np.uint8), (1, 18, 3), r"uint8 \[N, 32, 16, 3\], "),
        (np.zeros((1, 32, 16, 3), np.float32), (1, 18, 3), "got float32"),
        (np.zeros((1, 32, 16, 3), np.uint8), (1, 17, 3), "one pose for each image"),
        (np.zeros((2, 32, 16, 3), np.uint8), (1, 18, 3), r"expected \[2, 18, 3\]"),
        (np.zeros((0, 32, 16, 3), np.uint8), (0, 18, 3), "one at least"),
        (np.zeros((1, 32, 16, 3), np.uint8), (1, 18, 3), "pose 0 has no visible point"),
    ],
)
def test_wrong_inputs_are_named(tmp_path_factory, photo, pose, message):
    folder = tmp_path_factory.getbasetemp() / "model"
    if not folder.exists():
        save(folder, at_step(1))
    model = inference.PoseTransfer.restore(str(folder))
    with pytest.raises(ValueError, match=message):
        model.batch(photo, np.zeros(pose, np.float32))


def test_a_model_of_g1_alone_is_restored_and_draws(tmp_path):
    architecture = dataclasses.replace(ARCHITECTURE, stages="coarse")
    config = dataclasses.asdict(architecture)
    optimizer = train_state.make_optimizer(1e-3)
    state = train_state.create(architecture, optimizer, 3)
    saver = checkpoint.Checkpointer(str(tmp_path), config)
    saver.save(dataclasses.replace(state, step=jnp.asarray(2, jnp.int32)))
    saver.close()
    got = checkpoint.restore_generators(str(tmp_path))
    assert got.refine is None
    assert_equal(got.coarse, state.coarse.params)
    template = train_state.create(architecture, optimizer, 0)
    back = checkpoint.Checkpointer(str(tmp_path), config).restore_latest(template)
    assert_equal(back.coarse, state.coarse)
    photo, keypoints = np.zeros((32, 16, 3), np.uint8), np.ones((18, 3))
    result = inference.PoseTransfer.restore(str(tmp_path))(photo, keypoints)
    assert result.refined is None
    np.testing.assert_array_equal(result.image, result.coarse)


def test_a_checkpoint_of_a_later_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    save(tmp_path, at_step(1))
    monkeypatch.undo()
    message = r"step 1 in .* later version .* format is 2, this one reads up to 1"
    with pytest.raises(ValueError, match=message):
        inference.PoseTransfer.restore(tmp_path)
    with pytest.raises(ValueError, match=message):
        checkpoint.latest_config(str(tmp_path), "--workdir")


def test_a_checkpoint_folder_is_a_model_too(tmp_path):
    save(tmp_path, at_step(1), at_step(2))
    folder = tmp_path / "checkpoints"
    steps = [inference.PoseTransfer.restore(p).step for p in (folder, folder / "1")]
    assert steps == [2, 1]


def test_a_field_younger_than_the_checkpoint_has_its_default():
    old = {k: v for k, v in CONFIG.items() if k not in ("stages", "pose_embedding")}
    assert checkpoint.architecture_of(old) == ARCHITECTURE


def test_a_pose_without_a_view_is_refused_by_a_model_of_views(tmp_path):
    architecture = dataclasses.replace(
        ARCHITECTURE, stages="coarse", pose_embedding="view"
    )
    state = train_state.create(architecture, train_state.make_optimizer(1e-3), 0)
    generators = checkpoint.Generators(
        0, architecture, {}, coarse=state.coarse.params, refine=None
    )
    keypoints = np.ones((2, 18, 3), np.float32)
    keypoints[:, 8:14, 1] = 9
    keypoints[1, 8] = 0
    with pytest.raises(ValueError, match="pose 1 lacks a shoulder or a hip"):
        inference.PoseTransfer(generators).batch(
            np.zeros((2, 32, 16, 3), np.uint8), keypoints
        )
