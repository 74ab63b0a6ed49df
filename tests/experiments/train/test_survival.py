"""Kills, full disks, damaged files and second trainers: the run goes on as if nothing
had been. `PG2_KILLS=100` kills more often than the usual twice."""

import contextlib
import dataclasses
import errno
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import jax
import orbax.checkpoint as ocp
import pytest

from experiments.train import train
from pg2_jax import files
from pg2_jax.checkpoint import restore
from tests.experiments import program_processes
from tests.experiments.tiny_run import assert_equal, make_config, state_of

STEPS = {"coarse_steps": 12, "refine_steps": 12}


@pytest.fixture(scope="module", autouse=True)
def first_weights():
    """Those of the seed, which other processes draw, too."""


@pytest.fixture(scope="module")
def whole(pair_dataset, tmp_path_factory):
    """A run that nothing has interrupted."""
    config = make_config(
        pair_dataset,
        tmp_path_factory.mktemp("whole"),
        **STEPS,
        checkpoint_every=3,
    )
    assert train.train(config) is None
    return config


def kill(process, how, config, copy):
    """Ends a process; returns the workdir that is left."""
    if how == "power":
        # What a disk holds when the power fails; files may vanish under the copy.
        with contextlib.suppress(shutil.Error):
            shutil.copytree(config.workdir, copy)
    process.send_signal(signal.SIGTERM if how == "SIGTERM" else signal.SIGKILL)
    status = process.wait(program_processes.PATIENCE)
    if status != 0:  # Else it was done before.
        assert status == (143 if how == "SIGTERM" else -signal.SIGKILL)
    return str(copy) if how == "power" else config.workdir


@pytest.mark.slow
def test_a_run_killed_at_random_ends_as_an_uninterrupted_one(whole, tmp_path):
    want = state_of(whole)
    rng = random.Random(int(os.environ.get("PG2_KILLS_SEED", "0")))
    kills = int(os.environ.get("PG2_KILLS", "2"))
    config = dataclasses.replace(whole, workdir=str(tmp_path / "0"))
    log = tmp_path / "log"
    for i in range(1, kills + 1):
        process = program_processes.start(config, devices=jax.device_count(), log=log)
        # Two kills come in both stages.
        step = program_processes.wait_for_step(process, log, rng.randint(4, 11))
        if step is None:  # All was done: compared, and begun again.
            assert process.wait() == 0, log.read_text()
            assert_equal(state_of(config), want)
            config = dataclasses.replace(config, workdir=str(tmp_path / f"{i}"))
            continue
        time.sleep(rng.uniform(0, 0.5))
        how = rng.choice(["SIGTERM", "SIGKILL", "power"])
        workdir = kill(process, how, config, tmp_path / f"{i}_copy")
        config = dataclasses.replace(config, workdir=workdir)
        print(f"kill {i}: {how} after step {step}")
    assert train.train(config) is None
    assert_equal(state_of(config), want)


def test_a_second_training_in_one_workdir_is_refused(pair_dataset, tmp_path):
    config = make_config(pair_dataset, tmp_path)
    with (
        files.locked(tmp_path / ".lock", "it"),
        pytest.raises(
            ValueError,
            match=rf"--workdir={tmp_path}: another process .*process {os.getpid()} on ",
        ),
    ):
        train.train(config)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    whole, tmp_path, capsys
):
    config = dataclasses.replace(whole, workdir=str(tmp_path / "run"))
    shutil.copytree(whole.workdir, config.workdir)
    newest = pathlib.Path(config.workdir) / "checkpoints" / "24"
    for data in newest.glob("state/**/d/*"):
        data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    assert train.train(config) is None
    said = capsys.readouterr()
    assert f"{newest} cannot be read" in said.err
    assert "resumes from step 21" in said.out
    assert_equal(state_of(config), state_of(whole))


@pytest.mark.slow
def test_only_what_is_on_the_disk_is_called_finished(
    whole, tmp_path, monkeypatch, capsys
):
    config = dataclasses.replace(whole, workdir=str(tmp_path / "run"), refine_steps=13)
    shutil.copytree(whole.workdir, config.workdir)

    def fail(_):
        raise ValueError(f"[os_error_code='{errno.ENOSPC}']")

    with monkeypatch.context() as patch:
        patch.setattr(ocp.CheckpointManager, "wait_until_finished", fail)
        kept = (
            r"No space left on device; kept: step 18, 21, 24(, 25)?\. Free some space"
        )
        with pytest.raises(OSError, match=f"written to {config.workdir}/.*: {kept}"):
            train.train(config)
    assert "step 25: " in (said := capsys.readouterr().out)
    assert "finished" not in said


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own, so that it can be filled."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_keeps_what_it_has(whole, tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "16m"):
        config = dataclasses.replace(whole, workdir=str(disk / "run"), log_every=99)
        train.train(dataclasses.replace(config, refine_steps=1))
        free = shutil.disk_usage(disk).free
        (disk / "ballast").write_bytes(bytes(free - 30_000))
        with pytest.raises(OSError, match=f"cannot be written to {disk}/run/"):
            train.train(config)
        assert restore.restore_generators(config.workdir).step >= 13
        (disk / "ballast").unlink()
        assert train.train(config) is None
        assert_equal(state_of(config), state_of(whole))


@pytest.mark.slow
def test_debug_nans_names_the_operation_and_the_step(whole, tmp_path):
    config = dataclasses.replace(
        whole, workdir=str(tmp_path), learning_rate=1e30, debug_nans=True
    )
    with pytest.raises(
        FloatingPointError, match=r"step \d+: invalid value \((nan|inf)\) "
    ):
        train.train(config)
