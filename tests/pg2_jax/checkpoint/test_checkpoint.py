"""What is saved comes back, whole or the generators alone."""

import dataclasses
import errno
import functools
import os
import shutil
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import struct
from orbax.checkpoint._src.serialization import tensorstore_utils

from pg2_jax import files, sharding, train_state
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import checkpointer, checksums, restore, run_folder
from pg2_jax.inference import pose_transfer
from tests.pg2_jax import drawn_state

ARCHITECTURE = Architecture(
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
    """On all devices."""
    state = drawn_state.of(ARCHITECTURE, train_state.make_optimizer(1e-3), seed)
    return jax.device_put(state, sharding.replicated(sharding.data_mesh()))


def at_step(step, seed=0):
    return dataclasses.replace(make_state(seed), step=jnp.asarray(step, jnp.int32))


def save(workdir, *states, keep=3):
    saver = checkpointer.Checkpointer(str(workdir), CONFIG, keep=keep)
    for state in states:
        saver.save(state)
    saver.close()


def of_g1(seed):
    return dataclasses.replace(at_step(1, seed), refine=None, discriminator=None)


def assert_equal(tree, other):
    jax.tree.map(np.testing.assert_array_equal, tree, other)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A workdir with checkpoints of steps 1 and 2, of the seeds 1 and 2; to be read."""
    folder = tmp_path_factory.mktemp("saved")
    save(folder, at_step(1, seed=1), at_step(2, seed=2))
    return folder


@pytest.fixture
def copied(saved, tmp_path):
    """A copy of it."""
    return shutil.copytree(saved, tmp_path, dirs_exist_ok=True)


def test_the_state_comes_back_with_its_shardings(tmp_path):
    state = at_step(7)
    save(tmp_path, state)
    got = checkpointer.Checkpointer(str(tmp_path), CONFIG).restore_latest(make_state(1))
    assert_equal(got, state)
    assert got.coarse.params["rgb"]["kernel"].sharding.device_set == set(jax.devices())


def test_written_in_parts_or_in_whole_a_checkpoint_is_the_same(tmp_path, monkeypatch):
    """Each device may write its part of an array, as before and as for large ones."""

    found = {}
    for smallest in (0, 2**20):
        monkeypatch.setattr(checkpointer, "_SMALLEST_PART", smallest)
        folder = tmp_path / str(smallest)
        save(folder, of_g1(0))
        saver = checkpointer.Checkpointer(str(folder), CONFIG)
        assert_equal(saver.restore_latest(of_g1(1)), of_g1(0))
        stored = folder / "checkpoints" / "1" / "state"
        tree = ocp.PyTreeCheckpointHandler().metadata(stored).tree
        kernel = tree["coarse"]["params"]["stem"]["kernel"]
        assert kernel.shape == (3, 3, 21, 2)
        found[smallest] = kernel.storage.write_shape
    assert found[2**20] == kernel.shape
    if jax.device_count() == 2:
        assert found[0] == (3, 3, 21, 1)


def test_the_newest_config_is_known_before_anything_is_restored(saved, tmp_path):
    for folder, config in ((tmp_path, None), (saved, CONFIG)):
        assert checkpointer.Checkpointer(str(folder), {}).latest_config() == config


def test_without_a_checkpoint_the_state_stays(tmp_path):
    state = at_step(0)
    saver = checkpointer.Checkpointer(str(tmp_path), CONFIG)
    assert saver.restore_latest(state) is state


def test_the_newest_are_kept(tmp_path):
    save(tmp_path, *(at_step(step, seed=step) for step in (1, 2, 3)), keep=2)
    assert restore.restore_generators(str(tmp_path)).step == 3
    older = restore.restore_generators(str(tmp_path), step=2)
    assert_equal(older.coarse, make_state(2).coarse.params)
    with pytest.raises(ValueError, match=r"no checkpoint of step 1 .* steps \[2, 3\]"):
        restore.restore_generators(str(tmp_path), step=1)


def largest_file(folder):
    return max(
        (p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size
    )


def truncate(folder):
    path = largest_file(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(folder):
    """In the middle of the weights, where only a checksum notices."""
    path = largest_file(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut_the_config(folder):
    path = next(p for p in (folder / "config").iterdir() if p.stat().st_size > 99)
    path.write_text(path.read_text()[:50])


def lose_the_state(folder):
    shutil.rmtree(folder / "state")


DAMAGES = [flip_a_bit, truncate, cut_the_config, lose_the_state]


@pytest.mark.parametrize(
    "damage",
    [flip_a_bit, *(pytest.param(d, marks=pytest.mark.slow) for d in DAMAGES[1:])],
)
def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(copied, capsys, damage):
    newest = copied / "checkpoints" / "2"
    damage(newest)
    with pytest.raises(ValueError, match=f"{newest} cannot be read; it is damaged: "):
        restore.restore_generators(str(copied))
    saver = checkpointer.Checkpointer(str(copied), CONFIG)
    assert saver.latest_config() == CONFIG
    got = saver.restore_latest(make_state(0))
    assert_equal(got, at_step(1, seed=1))
    (aside,) = (copied / "damaged_checkpoints").iterdir()
    said = capsys.readouterr().err
    assert f"{newest} cannot be read" in said
    assert f"moved to {aside}; the run resumes from step 1" in said
    saver.save(at_step(2, seed=3))
    saver.close()
    again = restore.restore_generators(str(copied))
    assert_equal(again.coarse, make_state(3).coarse.params)


def test_networks_of_other_code_are_not_called_damaged(copied):
    """Their checkpoint stays where it is."""
    state = at_step(0)
    assert state.discriminator
    params = dict(state.discriminator.params)
    params["logit"] = jax.tree.map(lambda x: jnp.concatenate([x, x]), params["logit"])
    players = dataclasses.replace(state.discriminator, params=params)
    saver = checkpointer.Checkpointer(str(copied), CONFIG, keep=3)
    message = r"checkpoints/2 holds other networks: .*/params/logit/bias has .*"
    with pytest.raises(ValueError, match=rf"{message}\(1,\), here \(2,\)") as error:
        saver.restore_latest(dataclasses.replace(state, discriminator=players))
    assert not isinstance(error.value, checksums.Unreadable)
    saver.close()
    assert [path.name for path in copied.iterdir()] == ["checkpoints"]


def test_a_run_of_damaged_checkpoints_alone_is_an_error(copied):
    for step in (1, 2):
        flip_a_bit(copied / "checkpoints" / str(step))
    saver = checkpointer.Checkpointer(str(copied), CONFIG)
    with pytest.raises(
        ValueError,
        match=r"no checkpoint of the run can be read:(.|\n)*/2 cannot (.|\n)*/1 cannot",
    ):
        saver.restore_latest(make_state(0))
    assert sorted(p.name for p in (copied / "checkpoints").iterdir()) == ["1", "2"]


@pytest.mark.slow
def test_the_best_stays_beside_the_newest(tmp_path):
    saver = checkpointer.Checkpointer(str(tmp_path), CONFIG, keep=1)
    for step, score in ((1, 0.25), (2, 0.5), (3, None), (4, None)):
        saver.save(at_step(step, seed=step % 2), score)
    saver.close()
    found = sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert found == [2, 4]
    best = restore.restore_generators(str(tmp_path), step="best")
    assert best.step == 2
    assert_equal(best.coarse, make_state(0).coarse.params)
    assert restore.restore_generators(str(tmp_path)).step == 4


def test_where_nothing_was_compared_there_is_no_best(saved):
    with pytest.raises(
        ValueError, match=r"^workdir=.* is marked as the best; .* \(eval_every\)"
    ):
        restore.restore_generators(str(saved), step="best")


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    """A checkpoint whose averages are other weights than the raw ones."""
    state, other = at_step(3, seed=0), make_state(1)
    state = dataclasses.replace(
        state,
        coarse=dataclasses.replace(
            state.coarse, average=train_state.average_of(other.coarse.params)
        ),
        refine=dataclasses.replace(
            state.refine, average=train_state.average_of(other.refine.params)
        ),
    )
    folder = tmp_path_factory.mktemp("averaged")
    saver = checkpointer.Checkpointer(str(folder), {**CONFIG, "ema_decay": 0.5})
    saver.save(state)
    saver.close()
    return str(folder), state


@pytest.mark.parametrize(("weights", "seed"), [("averaged", 1), ("raw", 0)])
def test_generators_are_the_averages_unless_the_raw_are_wanted(averaged, weights, seed):
    got = restore.restore_generators(averaged[0], weights=weights)
    assert_equal(got.coarse, make_state(seed).coarse.params)
    assert_equal(got.refine, make_state(seed).refine.params)


def test_averages_are_part_of_the_state(averaged):
    folder, state = averaged
    saver = checkpointer.Checkpointer(folder, {})
    optimizer = train_state.make_optimizer(1e-3)
    template = jax.eval_shape(
        lambda: train_state.create(ARCHITECTURE, optimizer, 0, averaged=True)
    )
    whole = sharding.replicated(sharding.data_mesh())
    template = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=whole), template
    )
    assert_equal(saver.restore_latest(template), state)


def test_a_new_run_begins_with_the_averages_of_another(averaged):
    got = restore.restore_networks(averaged[0], 3, make_state(2))
    assert_equal(got.coarse.params, make_state(1).coarse.params)
    assert_equal(got.refine.params, make_state(1).refine.params)
    assert_equal(got.discriminator.params, make_state(0).discriminator.params)
    assert_equal(got.coarse.opt_state, make_state(2).coarse.opt_state)
    assert int(got.step) == 0


def test_generators_know_their_architecture_and_config(saved):
    got = restore.restore_generators(str(saved))
    assert (got.step, got.architecture, got.config) == (2, ARCHITECTURE, CONFIG)
    assert_equal(got.refine, make_state(2).refine.params)


def test_a_misspelled_path_is_named_with_what_it_may_mean(tmp_path):
    (tmp_path / "model.safetensors").write_text("a model")
    missing = tmp_path / "model.safetensor"
    hint = f"^workdir={missing}: there is no .*; did you mean {missing}s"
    with pytest.raises(ValueError, match=hint):
        restore.restore_generators(str(missing))
    nowhere = tmp_path / "nowhere" / "run"
    with pytest.raises(ValueError, match=f"{nowhere}: there is no such file or folder"):
        restore.restore_generators(str(nowhere))


def test_a_folder_without_checkpoints_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=f"^workdir={tmp_path}: no checkpoint in .*; tr"
    ):
        restore.restore_generators(str(tmp_path))


def test_the_only_exported_model_of_a_folder_is_meant(tmp_path, capsys):
    path, run = tmp_path / "model.safetensors", tmp_path / "run"
    path.write_bytes(b"")
    assert run_folder.model_of(str(tmp_path), print) == str(path)
    said = f"note: {tmp_path}: its model model.safetensors is used\n"
    assert capsys.readouterr().out == said
    with pytest.raises(ValueError, match=f"^{path}: not a model exported by"):
        pose_transfer.PoseTransfer.restore(tmp_path)
    assert capsys.readouterr().err == said
    # A run in the folder is meant first, and of a file nothing is said.
    (run / "checkpoints" / "12").mkdir(parents=True)
    path.rename(run / "model.safetensors")
    for same in (run, run / "checkpoints", run / "checkpoints" / "12", path, "gs://a"):
        assert run_folder.model_of(str(same), print) == str(same)
    assert run_folder.model_of("", print) == "" and capsys.readouterr() == ("", "")


def test_of_several_exported_models_in_a_folder_one_must_be_named(tmp_path):
    for name in ("b.onnx", "a.safetensors"):
        (tmp_path / name).write_bytes(b"")
    both = f"{tmp_path}/a.safetensors, {tmp_path}/b.onnx"
    words = f"; the exported models in it are {both}. Such files are"
    with pytest.raises(ValueError, match=words):
        pose_transfer.PoseTransfer.restore(tmp_path)


def test_a_file_where_a_run_is_wanted_is_said(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"^workdir={path} is a file; .* of a run"):
        restore.restore_generators(str(path))


@pytest.fixture(scope="module")
def model(saved):
    return pose_transfer.PoseTransfer.restore(str(saved))


def test_restored_weights_draw(model):
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
def test_wrong_inputs_are_named(model, photo, pose, message):
    with pytest.raises(ValueError, match=message):
        model.batch(photo, np.zeros(pose, np.float32))


@pytest.mark.slow
def test_a_model_of_g1_alone_is_restored_and_draws(tmp_path):
    architecture = dataclasses.replace(ARCHITECTURE, stages="coarse")
    config = dataclasses.asdict(architecture)
    optimizer = train_state.make_optimizer(1e-3)
    state, template = (
        jax.device_put(drawn_state.of(architecture, optimizer, seed)) for seed in (3, 0)
    )
    saver = checkpointer.Checkpointer(str(tmp_path), config)
    saver.save(dataclasses.replace(state, step=jnp.asarray(2, jnp.int32)))
    saver.close()
    got = restore.restore_generators(str(tmp_path))
    assert got.refine is None
    assert_equal(got.coarse, state.coarse.params)
    back = checkpointer.Checkpointer(str(tmp_path), config).restore_latest(template)
    assert_equal(back.coarse, state.coarse)
    photo, keypoints = np.zeros((32, 16, 3), np.uint8), np.ones((18, 3))
    result = pose_transfer.PoseTransfer.restore(str(tmp_path))(photo, keypoints)
    assert result.refined is None
    np.testing.assert_array_equal(result.image, result.coarse)


def test_a_checkpoint_of_a_later_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "FORMAT", 2)
    save(tmp_path, at_step(1))
    monkeypatch.undo()
    message = r"step 1 in .* later version .* format is 2, this one reads up to 1"
    with pytest.raises(ValueError, match=message):
        pose_transfer.PoseTransfer.restore(tmp_path)
    with pytest.raises(ValueError, match=message):
        restore.latest_config(str(tmp_path))


def test_a_checkpoint_folder_is_a_model_too(saved):
    folder = saved / "checkpoints"
    steps = [pose_transfer.PoseTransfer.restore(p).step for p in (folder, folder / "1")]
    assert steps == [2, 1]


@struct.dataclass
class OldPlayer:
    """A player of before there were averages."""

    params: Any
    opt_state: Any


def test_a_checkpoint_without_averages_is_restored(tmp_path):
    state = at_step(4)
    old = {
        name: OldPlayer(player.params, player.opt_state)
        for name, player in (
            ("coarse", state.coarse),
            ("refine", state.refine),
            ("discriminator", state.discriminator),
        )
    }
    save(tmp_path, dataclasses.replace(state, **old))
    saver = checkpointer.Checkpointer(str(tmp_path), CONFIG)
    assert_equal(saver.restore_latest(make_state(1)), state)
    coarse = restore.restore_coarse(str(tmp_path), make_state(1).coarse)
    assert_equal(coarse, state.coarse)
    networks = restore.restore_networks(str(tmp_path), 4, make_state(1))
    assert_equal(networks.discriminator.params, state.discriminator.params)


def test_a_field_younger_than_the_checkpoint_has_its_default():
    old = {k: v for k, v in CONFIG.items() if k not in ("stages", "pose_embedding")}
    assert restore.architecture_of(old) == ARCHITECTURE


def test_a_pose_without_a_view_is_refused_by_a_model_of_views(tmp_path):
    architecture = dataclasses.replace(
        ARCHITECTURE, stages="coarse", pose_embedding="view"
    )
    generators = restore.Generators(0, architecture, {}, coarse={}, refine=None)
    keypoints = np.ones((2, 18, 3), np.float32)
    keypoints[:, 8:14, 1] = 9
    keypoints[1, 8] = 0
    with pytest.raises(ValueError, match="pose 1 lacks a shoulder or a hip"):
        pose_transfer.PoseTransfer(generators).batch(
            np.zeros((2, 32, 16, 3), np.uint8), keypoints
        )


def refused_by_the_system(monkeypatch, error):
    """Lets all that reads checkpoints fail as if the system had refused."""

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(ocp.CheckpointManager, "restore", refuse)


BY_TENSORSTORE = (
    'ABORTED: Error opening "zarr" driver: Error reading local file "/run/d/0": '
    "Stale file handle [os_error_code='116'] [tensorstore_spec='{}']"
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "no", "config"), "Permission denied"),
        (OSError(errno.EMFILE, "no", "config"), "Too many open files"),
        (OSError(errno.EIO, "no"), "Input/output error"),
        (ValueError(BY_TENSORSTORE), "Stale file handle"),
        (ValueError("RESOURCE_EXHAUSTED [os_error_code='24']"), "Too many open files"),
    ],
)
def test_what_the_system_refuses_is_not_called_damaged(
    copied, monkeypatch, error, reason
):
    saver = checkpointer.Checkpointer(str(copied), CONFIG)
    message = f"^checkpoint {copied}/checkpoints/2 cannot be read: {reason}. The "
    with monkeypatch.context() as patch:
        refused_by_the_system(patch, error)
        for read in (
            saver.latest_config,
            functools.partial(saver.restore_latest, make_state(0)),
            functools.partial(restore.restore_generators, str(copied)),
        ):
            with pytest.raises(OSError, match=message):
                read()
    assert sorted(p.name for p in copied.iterdir()) == ["checkpoints"]
    assert restore.restore_generators(str(copied)).step == 2


def test_a_file_that_may_not_be_read_is_found_behind_other_errors(saved, monkeypatch):
    """orbax takes what it may not see for missing, and speaks of the tree instead."""
    hidden = saved / "checkpoints" / "2" / "state" / "_METADATA"

    def refuse(path, *more):
        if path == str(hidden):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return open(path, *more)

    refused_by_the_system(monkeypatch, ValueError("pytree structure error"))
    monkeypatch.setattr(checksums, "open", refuse, raising=False)
    with pytest.raises(OSError, match=f"2 cannot be read: Permission denied: {hidden}"):
        restore.latest_config(str(saved))


def test_a_device_without_room_is_no_damage(saved, monkeypatch):
    refused_by_the_system(monkeypatch, RuntimeError("RESOURCE_EXHAUSTED: 9 bytes"))
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED: 9 bytes"):
        restore.latest_config(str(saved))


def test_a_path_that_the_locale_cannot_express_is_refused(tmp_path):
    path = f"{tmp_path}/Zo\udcc3\udcab"
    for opens in (restore.latest_config, lambda p: checkpointer.Checkpointer(p, {})):
        with pytest.raises(ValueError, match=r"Zo\\udcc3\\udcab': .* set PYTHONUTF8=1"):
            opens(path)


@pytest.mark.parametrize("synced", [False, True])
def test_a_disk_without_fsync_is_written_without(tmp_path, monkeypatch, capsys, synced):
    monkeypatch.setattr(files, "has_fsync", lambda folder: synced)
    monkeypatch.setitem(tensorstore_utils._BASE_TS_CONTEXT, "file_io_sync", None)
    save(tmp_path, of_g1(1))
    context = tensorstore_utils.get_ts_context(use_ocdbt=True).spec.to_json()
    assert context["file_io_sync"] == synced
    said = f"note: the disk of {tmp_path}/checkpoints does not support fsync"
    assert (said in capsys.readouterr().err) != synced


def test_checksums_are_those_of_the_bytes_in_order():
    """Of every type and shape, as checkpoints of other versions hold them."""
    numbers = np.arange(6).reshape(2, 3)
    arrays = {
        "floats": jnp.asarray(numbers, jnp.float32),
        "halves": jnp.asarray(numbers, jnp.bfloat16).T,
        "step": jnp.asarray(7, jnp.int32),
        "flags": jnp.asarray(numbers > 2),
        "none": jnp.zeros((0, 4)),
    }
    want = {name: zlib.crc32(np.asarray(x).tobytes()) for name, x in arrays.items()}
    assert checksums.of(arrays) == want
    assert want["floats"] == zlib.crc32(numbers.astype("<f4"))


def test_a_failed_save_names_the_checkpoints_that_are_kept(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"

    def message():
        refused = pytest.raises(OSError, match=f"written to {folder}: ")
        with refused as raised, checksums.telling_of_failure(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return str(raised.value).split(": ", 1)[1].split(". ")[0]

    assert message() == "No space left on device; no checkpoint is there yet"
    for name in ("12", "3", "4.orbax-checkpoint-tmp"):
        (folder / name).mkdir(parents=True)
    assert message() == "No space left on device; kept: step 3, 12"

    def unreadable(workdir):
        assert workdir == str(tmp_path)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(run_folder, "steps", unreadable)
    assert message() == "No space left on device; which are kept cannot be read"
