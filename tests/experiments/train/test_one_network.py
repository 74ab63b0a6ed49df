"""pg2plus as a run: trained in two stages, resumed, scored, generated and exported."""

import contextlib
import dataclasses
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from experiments import config_compatibility, export, generate
from experiments.evaluate import evaluate
from experiments.train import history, starting_state, train
from pg2_jax.checkpoint import checkpointer
from pg2_jax.inference import pose_transfer
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.keypoints import keypoint_files
from tests.experiments.tiny_run import assert_equal, make_config, state_of, stop_after

PLUS = {
    "stages": "one_network",
    "coarse_network": "part_transfer",
    "discriminator": "patch",
    "feature_matching_weight": 3.0,
    "r1_weight": 0.01,
    "background": "source",
    "colour_augmentation": True,
    "geometry_augmentation": True,
    "source_pose_dropout": 0.2,
    "keypoint_noise": 0.5,
    "ema_decay": 0.9,
    "checkpoint_every": 1,
    "validation_share": 0.25,
    "eval_every": 2,
    "picture_every": 2,
}


@pytest.fixture(scope="module")
def run(pair_dataset, tmp_path_factory):
    """A finished run of two steps by L1 and two against D."""
    config = make_config(pair_dataset, tmp_path_factory.mktemp("plus"), **PLUS)
    assert train.train(config) is None
    return config


@pytest.fixture(scope="module")
def pairs(pair_dataset):
    """The first test pairs."""
    return next(pair_reader.PairDataset(pair_dataset).test_batches(batch_size=3)).batch


def drawn(path, pairs):
    model = pose_transfer.PoseTransfer.restore(path)
    return model.batch(
        pairs["source_image"],
        pairs["target_keypoints"],
        source_poses=pairs["source_keypoints"],
    ).image


@pytest.mark.slow
def test_a_resumed_run_ends_as_an_uninterrupted_one(run, tmp_path):
    """Stopped within the first stage, and between the two."""
    config = dataclasses.replace(run, workdir=str(tmp_path))
    for _ in range(2):
        assert train.train(config, on_step=stop_after(1)) is not None
    assert train.train(config) is None
    want = state_of(run)
    assert_equal(state_of(config), want)
    assert want.refine is None and int(want.step) == 4


@pytest.mark.slow
def test_validation_goes_through_both_stages(run):
    rows = {row["step"]: row for row in history.read(run.workdir)}
    for step in (2, 4):
        assert 0 < rows[step]["validation/coarse/body_l1"] < 255


@pytest.mark.slow
def test_it_is_scored_and_shown_as_one_picture(run):
    evaluate.evaluate(dataclasses.replace(run, mode="evaluate", max_test_pairs=4))
    report = json.loads(pathlib.Path(run.workdir, "metrics.json").read_text())
    assert list(report["metrics"]) == ["copy of source", "generated"]
    assert all(
        np.isfinite(scores["l1"]["mean"]) for scores in report["metrics"].values()
    )
    with Image.open(f"{run.workdir}/pictures/step_000004.png") as picture:
        assert picture.width == 4 * (8 * 16 + 4) + 4


@pytest.mark.slow
def test_an_exported_run_draws_the_same(run, pairs, tmp_path):
    output = str(tmp_path / "model.safetensors")
    export.export(dataclasses.replace(run, mode="export", output=output))
    want = drawn(run.workdir, pairs)
    np.testing.assert_allclose(drawn(output, pairs), want, atol=1)


@pytest.mark.slow
def test_generate_gives_what_the_class_gives(run, pair_dataset, people, tmp_path):
    photo = sorted((people / "bounding_box_test").iterdir())[0]
    poses = str(people / "market-annotation-test.csv")
    config = dataclasses.replace(
        run,
        mode="generate",
        source_image=str(photo),
        source_pose=poses,
        pose="catalogue/back",
        scale=1,
        output=str(tmp_path / "out.png"),
    )
    generate.generate(config)
    model = pose_transfer.PoseTransfer.restore(run.workdir)
    joints = keypoint_files.read(poses)[photo.name]
    want = model(photo, "catalogue/back", source_pose=joints)
    with Image.open(config.output) as picture:
        got = np.asarray(picture)
    np.testing.assert_array_equal(got, want.large)


def test_it_is_no_stage_one_of_another_run(pair_dataset):
    run = make_config(pair_dataset, "plus", **PLUS)
    config = dataclasses.replace(
        run,
        stages="two_stage",
        discriminator="dcgan",
        feature_matching_weight=0.0,
        r1_weight=0.0,
        image_size="32x16",
    )
    stored = dataclasses.replace(run, image_size="32x16").to_json()
    with pytest.raises(ValueError, match="--stages: one_network trains it against D"):
        config_compatibility.check_stage_one(4, stored, config, {})
    first_alone = {**stored, "stages": "coarse"}
    config_compatibility.check_stage_one(2, first_alone, config, {})


def test_a_run_may_begin_with_the_networks_of_another(run, tmp_path):
    """The weights are of the same shapes, also D's; of other networks they are not."""
    other = dataclasses.replace(run, workdir=str(tmp_path), init_from=run.workdir)
    dataset = pair_reader.PairDataset(run.data_dir, run.validation_share)
    other = other.with_size(dataset.height, dataset.width)
    with contextlib.closing(checkpointer.Checkpointer(other.workdir, {})) as saver:
        state = starting_state.find(other, dataset, saver)
    assert_equal(state.discriminator.params, state_of(run).discriminator.params)
    stored, other = dataclasses.asdict(run), dataclasses.replace(other, init_from="x")
    with pytest.raises(ValueError, match=r"^--init_from=x holds other networks:\n"):
        wider = dataclasses.replace(other, base_channels=16)
        config_compatibility.check_init_from(stored, wider)
