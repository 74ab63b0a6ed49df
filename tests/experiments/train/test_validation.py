"""Evaluation during training: what is scored, what is kept, and when it ends."""

import dataclasses
import os
import pathlib
import re
import signal
import types

import jax
import numpy as np
import pytest

from experiments import generate
from experiments.evaluate import evaluate
from experiments.train import history, train, training_steps, validation
from pg2_jax.checkpoint import restore, run_folder
from pg2_jax.inference import hub, pose_transfer
from pg2_jax.input_pipeline import pair_reader
from tests import cloud_storage
from tests.experiments.tiny_run import (
    assert_equal,
    first_state_of,
    make_config,
    state_of,
    stop_after,
)

# Trainings, one after the other.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(pair_dataset, tmp_path_factory):
    """A finished run with averages, one step of stage I and four of stage II."""
    config = make_config(
        pair_dataset,
        tmp_path_factory.mktemp("run"),
        coarse_steps=1,
        refine_steps=4,
        checkpoint_every=10,
        keep_checkpoints=1,
        ema_decay=0.5,
        validation_share=0.25,
        eval_every=1,
        eval_pairs=6,
    )
    assert train.train(config) is None
    return config


def dataset_of(config):
    return pair_reader.PairDataset(config.data_dir, config.validation_share)


def values(config, name):
    return {
        row["step"]: row[name] for row in history.read(config.workdir) if name in row
    }


def test_scores_are_those_of_what_the_averages_draw_for_people_held_out(run):
    model = pose_transfer.PoseTransfer.restore(run.workdir)
    differences = []
    for test in dataset_of(run).test_batches(batch_size=2, limit=6, split="validation"):
        source, target = test.batch["source_image"], test.batch["target_image"]
        drawn = model.batch(source, test.batch["target_keypoints"]).image
        gap = np.abs(drawn.astype(float) - target).mean(axis=(1, 2, 3))
        differences += list(gap[: len(test.names)])
    assert len(differences) == 6
    got = values(run, "validation/refined/l1")
    np.testing.assert_allclose(got[5], np.mean(differences), rtol=1e-4)
    assert list(got) == [2, 3, 4, 5]
    assert list(values(run, "validation/coarse/l1")) == [1]


def test_the_best_checkpoint_of_stage_two_stays(run):
    scores = values(run, "validation/refined/masked_ssim_pg2")
    best = max(scores, key=scores.get)
    assert restore.restore_generators(run.workdir, "best").step == best
    kept = {int(name) for name in os.listdir(run_folder.folder(run.workdir))}
    assert kept == {best, 5}


@pytest.mark.parametrize("program", ["evaluate", "generate"])
def test_programs_take_the_checkpoint_and_the_weights_they_are_told(
    run, tmp_path, monkeypatch, program
):
    class AskedFor(Exception):
        pass

    def restore_networks_of(workdir, step, weights, *_, **__):
        raise AskedFor(workdir, step, weights)

    monkeypatch.setattr(restore, "restore_generators", restore_networks_of)
    config = dataclasses.replace(
        run,
        mode=program,
        checkpoint="best",
        weights="raw",
        **drawing(tmp_path) if program == "generate" else {},
    )
    start = {"evaluate": evaluate.evaluate, "generate": generate.generate}[program]
    with pytest.raises(AskedFor) as asked:
        start(config)
    assert asked.value.args == (run.workdir, "best", "raw")


def drawing(tmp_path):
    return {"source_image": __file__, "pose": "b", "output": str(tmp_path / "c.png")}


def test_a_resumed_run_equals_an_uninterrupted_one(run, tmp_path):
    config = dataclasses.replace(run, workdir=str(tmp_path / "resumed"))
    assert train.train(config, on_step=stop_after(3)) == signal.SIGTERM
    assert train.train(config) is None
    for name in ("coarse/loss", "refine/loss", "validation/refined/masked_ssim_pg2"):
        assert values(config, name) == values(run, name)
    assert_equal(state_of(config), state_of(run))


@pytest.fixture
def scripted(run, tmp_path, monkeypatch):
    """A run whose evaluations say what is wanted; 0.9 in stage I."""
    scores = {2: 0.5, 3: 0.4, 4: 0.5, 5: 0.6}

    def score(self, state):
        step = int(state.step)
        kind = "coarse" if step == 1 else "refined"
        return {f"validation/{kind}/masked_ssim_pg2": scores.get(step, 0.9)}

    monkeypatch.setattr(validation.Validation, "score", score)
    return dataclasses.replace(run, workdir=str(tmp_path), early_stop_evals=2)


def test_evaluations_without_a_better_one_end_the_run(scripted, capsys):
    assert train.train(scripted) is None
    assert restore.restore_generators(scripted.workdir).step == 4
    assert restore.restore_generators(scripted.workdir, "best").step == 2
    ended = "step 4 of 5, ended early after 2 evaluations without a better one. "
    where = "masked_ssim_pg2 was best at step 2: 0.5000."
    assert ended + where in capsys.readouterr().out
    # The same command finds the same end; another patience goes on.
    before = history.read(scripted.workdir)
    assert train.train(scripted) is None
    assert ended in capsys.readouterr().out
    assert history.read(scripted.workdir) == before
    assert train.train(dataclasses.replace(scripted, early_stop_evals=3)) is None
    assert "finished. masked_ssim_pg2 was best at step 5" in capsys.readouterr().out
    assert restore.restore_generators(scripted.workdir, "best").step == 5


def test_where_lower_is_better_the_lowest_is_best(run):
    config = dataclasses.replace(run, best_metric="l1")
    rows = [
        {"step": 1, "validation/coarse/l1": 1.0},
        {"step": 2, "validation/refined/l1": 9.0},
        {"step": 3, "validation/refined/l1": 7.0},
        {"step": 4, "refine/loss": 0.1},
        {"step": 5, "validation/refined/l1": 7.0},
    ]
    assert validation.standing(config, rows) == validation.Standing(7.0, 3, 1)
    more = [*rows, {"step": 6, "validation/refined/l1": 8.0}]
    assert validation.standing(config, more) == validation.Standing(7.0, 3, 2)
    alone = dataclasses.replace(config, stages="coarse")
    assert validation.standing(alone, rows) == validation.Standing(1.0, 1, 0)
    assert validation.standing(config, []).step is None


def test_a_new_run_begins_with_the_networks_of_another(run, tmp_path):
    config = dataclasses.replace(
        run,
        workdir=str(tmp_path / "new"),
        init_from=run.workdir,
        ema_decay=0.0,
        validation_share=0.0,
        eval_every=0,
        learning_rate=1e-4,
        seed=5,
    )
    state, source = first_state_of(config), state_of(run)
    assert int(state.step) == 0
    assert_equal(state.coarse.params, source.coarse.average.params)
    assert_equal(state.refine.params, source.refine.average.params)
    assert_equal(state.discriminator.params, source.discriminator.params)
    assert not any(np.any(x) for x in jax.tree.leaves(state.coarse.opt_state))
    best = first_state_of(
        dataclasses.replace(config, checkpoint="best", workdir=str(tmp_path / "best"))
    )
    generators = restore.restore_generators(run.workdir, "best")
    assert_equal(best.refine.params, generators.refine)


def test_a_new_run_begins_with_a_model_in_a_file_a_bucket_or_on_the_hub(
    run, tmp_path, monkeypatch, capsys
):
    file = tmp_path / "model.safetensors"
    pose_transfer.PoseTransfer.restore(run.workdir).export(file)

    def hf_hub_download(repository, name, revision):
        return {("me/dancer", "model.safetensors", None): str(file)}[
            repository, name, revision
        ]

    library = types.SimpleNamespace(hf_hub_download=hf_hub_download)
    monkeypatch.setattr(hub, "_library", lambda: library)
    config = dataclasses.replace(
        run, workdir=str(tmp_path / "new"), seed=5, init_from=str(file)
    )
    source, new = (
        state_of(run),
        first_state_of(dataclasses.replace(config, init_from="")),
    )
    cloud_storage.without_tensorflow(monkeypatch, tmp_path.parent)
    places = (str(file), "hf://me/dancer", f"gs://{tmp_path.name}/model.safetensors")
    for name, other in zip("abc", places, strict=True):
        workdir = str(tmp_path / name)
        state = first_state_of(
            dataclasses.replace(config, workdir=workdir, init_from=other)
        )
        assert int(state.step) == 0
        assert_equal(state.coarse.params, source.coarse.average.params)
        assert_equal(state.refine.params, source.refine.average.params)
        # It has no D.
        assert_equal(state.discriminator.params, new.discriminator.params)
        assert f"of {other}, with a new D" in capsys.readouterr().out
    for changes, message in (
        ({"checkpoint": "best"}, r"--init_from=.* is a single model"),
        ({"init_from": "gs://b/c.onnx"}, "^init_from=gs://b/c.onnx: there is no such"),
        ({"init_from": "gs://b/run"}, "^init_from=gs://b/run must be a model in one"),
        ({"base_channels": 4}, r"holds other networks:\n  --base_channels: 2 there, 4"),
    ):
        with pytest.raises(ValueError, match=message):
            first_state_of(
                dataclasses.replace(config, workdir=workdir + "d", **changes)
            )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_channels": 4}, r"holds other networks:\n  --base_channels: 2 there, 4"),
        ({"stages": "coarse"}, "--stages: 'two_stage' there, 'coarse' here"),
        (
            {"init_from": "/nowhere"},
            "^init_from=/nowhere: there is no such file or folder",
        ),
    ],
)
def test_what_a_new_run_cannot_begin_with_is_named(run, tmp_path, changes, message):
    config = dataclasses.replace(run, workdir=str(tmp_path), init_from=run.workdir)
    with pytest.raises(ValueError, match=message):
        first_state_of(dataclasses.replace(config, **changes))


def test_the_learning_rate_begins_anew_with_each_stage(run):
    config = dataclasses.replace(
        run,
        coarse_steps=3,
        learning_rate=1.0,
        learning_rate_decay="halving",
        halve_every=1,
        warmup_steps=1,
    )
    rates = [training_steps.learning_rate(config, step) for step in range(6)]
    assert rates == [0.5, 1, 0.5, 0.5, 1, 0.5]


def test_a_dry_run_says_what_is_left_and_writes_nothing(run, tmp_path, capsys):
    config = dataclasses.replace(run, dry_run=True)

    def files():
        folders = pathlib.Path(run.workdir), tmp_path
        return sorted((p, p.stat().st_mtime) for f in folders for p in f.rglob("*"))

    new = dataclasses.replace(config, workdir=str(tmp_path / "new"))
    before = files()
    assert train.train(new) is None
    assert files() == before
    shown = capsys.readouterr().out
    # What the announcement of a training says of the same networks.
    for text in ("5,085", "355", "643", "--ema_decay", "step 0 of 5 is done"):
        assert text in shown
    # The estimate comes before what takes minutes.
    first, _, rest = shown.partition("Compiling and timing stage I ...")
    estimates = [line for line in first.splitlines() if line.startswith("stage I")]
    assert [re.search("for ([0-9]+) steps", e)[1] for e in estimates] == ["1", "4"]
    assert all("GFLOP/s: at best " in estimate for estimate in estimates)
    assert "643" in first and "GFLOPs" not in rest.partition("stage II ...")[0]
    rows = [line.split("│")[1:4] for line in shown.splitlines() if "│ stage" in line]
    assert [(name.strip(), left.strip()) for name, left, _ in rows] == [
        ("stage I", "1"),
        ("stage II", "4"),
    ]
    assert all(float(flops) > 0 for _, _, flops in rows)
    assert train.train(config) is None
    assert "step 5 of 5 is done" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"--learning_rate: 0.001 in the run, 0.5 now"):
        train.train(dataclasses.replace(config, learning_rate=0.5))
