"""The paper's other models as runs: G1 alone, G1+D, and stage I taken from a run."""

import dataclasses
import json
import os
import pathlib
import shutil

import pytest
from PIL import Image

from data_prep import build_tfrecords
from experiments import config_compatibility, generate
from experiments.evaluate import evaluate
from experiments.train import train
from pg2_jax.checkpoint import restore, run_folder
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.keypoints import keypoint_files
from tests.experiments import untrained_run
from tests.experiments.tiny_run import assert_equal, make_config

# Trainings, one after the other.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def coarse_run(pair_dataset, tmp_path_factory):
    """A finished run of G1 alone."""
    workdir = tmp_path_factory.mktemp("coarse")
    config = make_config(pair_dataset, workdir, stages="coarse", picture_every=2)
    assert train.train(config) is None
    return config


def restored(config):
    return restore.restore_generators(config.workdir)


def kinds(config):
    evaluate.evaluate(dataclasses.replace(config, mode="evaluate", max_test_pairs=4))
    report = json.loads((pathlib.Path(config.workdir) / "metrics.json").read_text())
    return list(report["metrics"])


def test_g1_alone_is_scored_and_shown_without_a_refined_image(coarse_run):
    assert restored(coarse_run).step == 2
    assert kinds(coarse_run) == ["copy of source", "coarse"]
    with Image.open(f"{coarse_run.workdir}/pictures/step_000002.png") as picture:
        assert picture.width == 4 * (8 * 16 + 4) + 4


@pytest.mark.parametrize("embedding", ["encoder", "view"])
def test_every_pose_embedding_trains_and_draws(
    pair_dataset, people, tmp_path, embedding
):
    config = make_config(
        pair_dataset,
        tmp_path / "run",
        stages="coarse",
        pose_embedding=embedding,
    )
    assert train.train(config) is None
    photo = next((people / "bounding_box_test").iterdir())
    drawing = dataclasses.replace(
        config,
        mode="generate",
        source_image=str(photo),
        pose=str(people / "market-annotation-test.csv"),
        pose_name=photo_with_torso(pair_dataset),
        scale=1,
        output=str(tmp_path / "out.png"),
    )
    generate.generate(drawing)
    with Image.open(drawing.output) as image:
        assert image.size == (16, 32)
    if embedding == "view":
        hipless = keypoint_files.read(drawing.pose)[drawing.pose_name]
        hipless[8] = 0
        keypoint_files.write_csv(tmp_path / "hipless.csv", {"me": hipless})
        drawing = dataclasses.replace(
            drawing, pose=str(tmp_path / "hipless.csv"), pose_name="me"
        )
        with pytest.raises(ValueError, match=r"hipless.csv: me: .* a shoulder"):
            generate.generate(drawing)


def photo_with_torso(pair_dataset):
    """A test photo whose pose shows the whole torso."""
    dataset = pair_reader.PairDataset(pair_dataset)
    return next(dataset.test_batches(batch_size=1)).names[0][1]


def test_stage_one_of_another_run_equals_ones_own(coarse_run, pair_dataset, tmp_path):
    whole = make_config(pair_dataset, tmp_path / "whole")
    begun = make_config(
        pair_dataset, tmp_path / "begun", coarse_from=coarse_run.workdir
    )
    assert train.train(whole) is None
    assert train.train(begun) is None
    got, want = restored(begun), restored(whole)
    assert got.step == want.step == 4
    assert_equal((got.coarse, got.refine), (want.coarse, want.refine))


def test_stage_one_is_taken_and_not_trained_again(coarse_run, pair_dataset, tmp_path):
    """A G1 that no training can give arrives in a run with another stage II."""
    source = dataclasses.replace(coarse_run, workdir=str(tmp_path / "source"))
    untrained_run.write(source, step=2, drawn_with=77)
    ablation = make_config(
        pair_dataset,
        tmp_path / "ablation",
        coarse_from=source.workdir,
        refine_sees_pose=True,
        refine_output="image",
        l1_weight=1.0,
    )
    assert train.train(ablation) is None
    assert restored(ablation).step == 4
    assert_equal(restored(ablation).coarse, restored(source).coarse)
    other = dataclasses.replace(ablation, coarse_from=coarse_run.workdir)
    with pytest.raises(ValueError, match=f"--coarse_from: '{source.workdir}' in "):
        train.train(other)


def test_a_run_that_has_all_it_needs_is_saved(coarse_run, pair_dataset, tmp_path):
    config = make_config(
        pair_dataset, tmp_path, coarse_from=coarse_run.workdir, refine_steps=0
    )
    assert train.train(config) is None
    assert_equal(restored(config).coarse, restored(coarse_run).coarse)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coarse_steps": 3}, "--coarse_steps: 2 in the run, 3 now"),
        ({"seed": 1}, "--seed: 0 in the run, 1 now"),
        ({"pose_mask_loss": False}, "--pose_mask_loss: True in the run, False now"),
        (
            {"coarse_from": "/nowhere"},
            "^coarse_from=/nowhere: there is no such file or folder",
        ),
    ],
)
def test_another_stage_one_is_refused(
    coarse_run, pair_dataset, tmp_path, changes, message
):
    changes = {"coarse_from": coarse_run.workdir, **changes}
    with pytest.raises(ValueError, match=message):
        train.train(make_config(pair_dataset, tmp_path, **changes))
    assert not os.listdir(run_folder.folder(str(tmp_path)))


def test_an_adversarial_stage_one_is_trained_and_not_taken(pair_dataset, tmp_path):
    one_stage = make_config(pair_dataset, tmp_path / "one", stages="one_stage")
    assert train.train(one_stage) is None
    assert kinds(one_stage) == ["copy of source", "coarse"]
    config = make_config(pair_dataset, tmp_path / "b", coarse_from=one_stage.workdir)
    with pytest.raises(ValueError, match="one_stage trains G1 against D"):
        train.train(config)


def test_an_unfinished_stage_one_is_refused(coarse_run):
    config = dataclasses.replace(coarse_run, stages="two_stage", image_size="32x16")
    stored = config.to_json()
    with pytest.raises(ValueError, match="step 1 of 2: stage I is not finished"):
        config_compatibility.check_stage_one(1, stored, config, {})
    config_compatibility.check_stage_one(2, stored, config, {})


def test_what_g1_is_made_of_is_compared(coarse_run):
    """Where G2's network stands in for G1, its decoder is G1's."""
    config = dataclasses.replace(coarse_run, stages="two_stage", image_size="32x16")
    changed = dataclasses.replace(config, refine_decoder="constant")
    config_compatibility.check_stage_one(2, config.to_json(), changed, {})
    config = dataclasses.replace(config, coarse_network="refinement")
    changed = dataclasses.replace(config, refine_decoder="constant")
    with pytest.raises(ValueError, match="--refine_decoder: 'symmetric' in the run"):
        config_compatibility.check_stage_one(2, config.to_json(), changed, {})


def hipless_dataset(people, folder):
    """A pair list of one's own may hold people of whom a hip is hidden."""
    source = folder / "people"
    shutil.copytree(people, source)
    lists = []
    for split in ("train", "test"):
        path = source / f"market-annotation-{split}.csv"
        poses = keypoint_files.read(path)
        trunks = {
            name: points[[2, 5, 8, 11], 2].all() for name, points in poses.items()
        }
        first, second, *_ = sorted(name for name, whole in trunks.items() if whole)
        poses[second][8] = 0
        keypoint_files.write_csv(path, poses)
        lists.append(folder / f"{split}.csv")
        lists[-1].write_text(f"from,to\n{second},{first}\n{first},{second}\n")
    options = build_tfrecords.Options(
        dataset="market1501",
        source_dir=str(source),
        output_dir=str(folder / "data"),
        image_size="32x16",
        pairs=[str(path) for path in lists],
    )
    build_tfrecords.build(options)
    return str(folder / "data"), (first, second)


def test_a_data_set_without_views_is_refused_with_the_pair(people, tmp_path):
    data, names = hipless_dataset(people, tmp_path)
    message = f"the view of 1 of 2 pairs of split test .* of {', '.join(names)}: a sh"
    with pytest.raises(ValueError, match=message):
        pair_reader.PairDataset(data).require_views("test")
    config = make_config(data, tmp_path / "run", pose_embedding="view", batch_size=2)
    with pytest.raises(ValueError, match="1 of 2 pairs of split train cannot be told"):
        train.train(config)
    assert not (tmp_path / "run").exists()
