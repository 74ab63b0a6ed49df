"""Train, evaluate and generate, as a user runs them, on a tiny data set."""

import dataclasses
import datetime
import functools
import json
import os
import pathlib
import shutil
import signal

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import generate
from experiments.config import Config
from experiments.evaluate import evaluate, pairs_csv, protocol, statistics
from experiments.train import history, train
from pg2_jax.checkpoint import restore
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.keypoints import keypoint_files, openpose_json
from pg2_jax.metrics import inception
from tests.experiments.tiny_run import assert_equal, make_config, state_of, stop_after


@pytest.fixture(scope="module", autouse=True)
def reader(tensorflow_reader):
    """By tensorflow, as users read."""


@pytest.fixture(scope="module", autouse=True)
def first_weights():
    """Those of the seed, as users begin."""


@pytest.fixture(scope="module")
def run(pair_dataset, tmp_path_factory):
    """A finished run of two steps in each stage."""
    workdir = tmp_path_factory.mktemp("run")
    config = make_config(pair_dataset, workdir, picture_every=2)
    assert train.train(config) is None
    return config


def read_json(config, name):
    return json.loads((pathlib.Path(config.workdir) / name).read_text())


def weights(workdir):
    generators = restore.restore_generators(str(workdir))
    return generators.step, (generators.coarse, generators.refine)


def test_a_run_leaves_what_people_look_at(run, tmp_path):
    names = sorted(os.listdir(run.workdir))
    assert names == [
        *("checkpoints", "config.json", "history.jsonl", "pictures", "summaries")
    ]
    with Image.open(f"{run.workdir}/pictures/step_000004.png") as picture:
        assert picture.width == 5 * (8 * 16 + 4) + 4
    stored = read_json(run, "config.json")
    assert stored["config"]["image_size"] == "32x16"
    assert stored["versions"]["jax"] == jax.__version__
    assert weights(run.workdir)[0] == 4


@pytest.mark.slow
def test_steps_in_one_call_are_the_same_steps(run, tmp_path):
    """But for rounding: XLA compiles the body of a loop in another way. Optimizer and
    log are included. The calls end where a stage does."""
    config = dataclasses.replace(
        run,
        workdir=str(tmp_path / "calls"),
        steps_per_call=4,
        log_every=4,
        picture_every=0,
        checkpoint_every=4,
        profile_steps="2:3",
    )
    assert train.train(config) is None
    got, want = state_of(config), state_of(run)
    for state in (got, want):
        # Its batch norm takes this bias away, so that rounding alone moves it.
        adam = state.discriminator.opt_state[0]
        for weights_of_d in (state.discriminator.params, adam.mu, adam.nu):
            weights_of_d["conv1"].pop("bias")
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), got, want
    )
    one, several = (history.read(c.workdir) for c in (run, config))
    assert [entry["step"] for entry in several] == [4]
    for name in ("coarse/loss", "refine/loss", "discriminator/loss"):
        values = [entry[name] for entry in one if name in entry]
        np.testing.assert_allclose(several[0][name], np.mean(values), rtol=1e-6)
    profile = pathlib.Path(config.workdir, "profile")
    assert [path.suffix for path in profile.rglob("*.pb")] == [".pb"]


def test_a_run_resumed_in_each_stage_equals_an_uninterrupted_one(run, tmp_path):
    resumed = dataclasses.replace(run, workdir=str(tmp_path / "resumed"))
    for steps, step in ((1, 1), (2, 3)):
        assert train.train(resumed, on_step=stop_after(steps)) == signal.SIGTERM
        assert weights(resumed.workdir)[0] == step
    assert train.train(resumed) is None
    assert_equal(state_of(resumed), state_of(run))
    assert losses(resumed) == losses(run)
    seconds = [row["seconds"] for row in history.read(resumed.workdir)]
    assert seconds == sorted(seconds)
    sessions = read_json(resumed, "config.json")["sessions"]
    assert [session["first_step"] for session in sessions][:3] == [0, 1, 3]


def losses(config):
    """The history but for the clock's part."""
    clock = ("seconds", "images_per_second")
    rows = history.read(config.workdir)
    return [{n: v for n, v in row.items() if n not in clock} for row in rows]


def test_the_history_has_every_loss_once(run):
    rows = history.read(run.workdir)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [("coarse/loss" in row, "refine/loss" in row) for row in rows] == [
        *[(True, False)] * 2,
        *[(False, True)] * 2,
    ]
    assert all(row["learning_rate"] == 1e-3 for row in rows)


def test_the_config_says_where_it_was_trained(run):
    session = read_json(run, "config.json")["sessions"][0]
    assert session["devices"] == "2 x cpu"
    assert session["hardware"]["cores"] >= 1
    datetime.datetime.fromisoformat(session["begin"])


def test_training_on_says_so_when_nothing_is_left(run, capsys):
    before = weights(run.workdir)
    assert train.train(run) is None
    assert "has 4 steps already; this training ends at 4" in capsys.readouterr().out
    assert_equal(weights(run.workdir), before)


def test_more_steps_go_on_from_the_checkpoint(run, tmp_path):
    shutil.copytree(run.workdir, tmp_path, dirs_exist_ok=True)
    train.train(dataclasses.replace(run, workdir=str(tmp_path), refine_steps=3))
    assert weights(tmp_path)[0] == 5


def test_another_config_is_refused_with_the_differences(run):
    other = dataclasses.replace(run, learning_rate=0.5, base_channels=4)
    with pytest.raises(ValueError) as error:
        train.train(other)
    assert "--base_channels: 2 in the run, 4 now" in str(error.value)
    assert "--learning_rate: 0.001 in the run, 0.5 now" in str(error.value)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_with_the_step(pair_dataset, tmp_path):
    changes = {"learning_rate": 1e30, "coarse_steps": 9, "checkpoint_every": 1}
    config = make_config(pair_dataset, tmp_path, stages="coarse", **changes)
    message = r"step 2: coarse/loss is (nan|inf)\. .* below 1e\+30 in a new workdir"
    with pytest.raises(FloatingPointError, match=message):
        train.train(config)
    step, saved = weights(tmp_path)
    assert step == 1
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(saved))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:overflow")
def test_weights_that_are_not_finite_are_never_saved(pair_dataset, tmp_path):
    changes = {"learning_rate": 1e39, "coarse_steps": 9, "checkpoint_every": 1}
    config = make_config(pair_dataset, tmp_path, stages="coarse", **changes)
    with pytest.raises(FloatingPointError, match="step 1: a weight is not finite"):
        train.train(config)
    with pytest.raises(ValueError, match="no checkpoint in"):
        weights(tmp_path)
    # Nothing was trained, so the workdir is not bound to the config.
    again = dataclasses.replace(config, learning_rate=1e-3, coarse_steps=1)
    assert train.train(again) is None


def test_another_data_set_is_refused(run, pair_dataset, tmp_path):
    other = tmp_path / "data"
    shutil.copytree(pair_dataset, other)
    path = other / "metadata.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    with pytest.raises(ValueError, match="--data_dir: another data set than"):
        train.train(dataclasses.replace(run, data_dir=str(other)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 3}, "^batch_size=3 must be a multiple of .* devices, 2"),
        ({"image_size": "128x64"}, "--image_size=128x64 disagrees .* 32x16"),
        ({"data_dir": "/nowhere"}, "^data_dir=/nowhere: no data set is there"),
    ],
)
@pytest.mark.parametrize("program", [train.train, evaluate.evaluate])
def test_wrong_flags_are_named(run, program, changes, message):
    with pytest.raises(ValueError, match=message):
        program(dataclasses.replace(run, **changes))


def test_evaluation_scores_every_pair_once(run, pair_dataset, capsys):
    evaluate.evaluate(dataclasses.replace(run, batch_size=8))
    report = read_json(run, "metrics.json")
    dataset = pair_reader.PairDataset(pair_dataset)
    assert report["pairs"] == dataset.count("test")
    assert report["step"] == 4
    assert report["weights"] == "raw"
    assert report["config"]["base_channels"] == 2
    # The copy of the source needs no network: scored here with scikit-image.
    metrics = pytest.importorskip("skimage.metrics")
    want = [
        metrics.structural_similarity(
            batch["target_image"][i],
            batch["source_image"][i],
            channel_axis=2,
            data_range=255,
        )
        for test in dataset.test_batches(batch_size=8)
        for batch in [test.batch]
        for i in range(len(test.names))
    ]
    got = report["metrics"]["copy of source"]["ssim_pg2"]
    np.testing.assert_allclose(
        [got["mean"], got["std"]], [np.mean(want), np.std(want)], rtol=1e-5
    )
    assert got["interval_95"][0] < got["mean"] < got["interval_95"][1]
    masks = {
        name: record["mask"] for name, record in report["metrics"]["refined"].items()
    }
    assert masks["ssim_pg2"] == "none"
    assert masks["masked_ssim_pg2"].startswith("body mask of the target pose")
    assert masks["source_masked_ssim_pg2"].startswith("body mask of the source pose")
    assert list(masks) == [n for n in statistics.METRICS if n in masks]
    needs = "needs images of at least 51x51 pixels"
    assert report["not_computed"]["masked_ssim_win51"] == needs
    shown = capsys.readouterr().out
    assert (
        "copy of source" in shown and f"{got['mean']:.3f} ({got['std']:.3f})" in shown
    )
    with Image.open(f"{run.workdir}/evaluation.png") as picture:
        assert picture.width == 10 * (8 * 16 + 4) + 4


def test_every_pair_has_its_scores_and_its_image(run, tmp_path):
    """pairs.csv has what metrics.json sums up; the files score like the run."""
    some = dataclasses.replace(run, mode="evaluate", save_images=True, max_test_pairs=5)
    written = tmp_path / "five"
    some = dataclasses.replace(some, output=str(written))
    written.mkdir()
    (written / "metrics.json").write_text('{"pairs": 6}')
    with pytest.raises(ValueError, match=r"max_test_pairs=5: .* scores of 6 pairs"):
        evaluate.evaluate(some)
    (written / "metrics.json").write_text('{"pairs": 5}')
    evaluate.evaluate(some)
    report = json.loads((written / "metrics.json").read_text())
    found = pairs_csv.read(written / pairs_csv.FILE)
    (test,) = pair_reader.PairDataset(run.data_dir).test_batches(batch_size=5, limit=5)
    assert found.names == test.names
    assert list(found.scores) == list(report["metrics"])
    for kind, by_name in found.scores.items():
        assert list(by_name) == list(report["metrics"][kind])
        l1 = report["metrics"][kind]["l1"]
        assert by_name["l1"].mean() == pytest.approx(l1["mean"], rel=1e-6)
    images = written / "images"
    folders = {"generated_dir": str(images / "refined"), "workdir": str(tmp_path)}
    folders["target_dir"] = str(images / "target")
    config = Config(
        mode="evaluate", match="order", batch_size=2, progress=False, **folders
    )
    evaluate.evaluate(config)
    again = pairs_csv.read(tmp_path / pairs_csv.FILE)
    # The folder is sorted by name.
    stems = ["__".join(pathlib.Path(x).stem for x in pair) for pair in found.names]
    order = np.argsort(stems)
    assert again.names == [("", f"{stems[i]}.png") for i in order]
    for name in ("l1", "ssim_pg2"):
        got, want = again.scores["generated"][name], found.scores["refined"][name]
        np.testing.assert_allclose(got, want[order], rtol=1e-5)


def test_networks_that_draw_nan_are_not_scored(run, monkeypatch, tmp_path):
    unharmed = restore.restore_generators

    def damaged(*arguments, **named):
        generators = unharmed(*arguments, **named)
        broken = jax.tree.map(lambda x: x * np.nan, generators.refine)
        return dataclasses.replace(generators, refine=broken)

    monkeypatch.setattr(restore, "restore_generators", damaged)
    before = sorted(os.listdir(run.workdir))
    message = "refined image of 4 of the first 4 pairs holds NaN .*, first that of "
    with pytest.raises(ValueError, match=message):
        evaluate.evaluate(dataclasses.replace(run, mode="evaluate", save_images=True))
    assert sorted(os.listdir(run.workdir)) == before


def test_evaluation_does_not_depend_on_the_batch_size(run, tmp_path):
    figures = []
    five = dataclasses.replace(
        run, mode="evaluate", max_test_pairs=5, output=str(tmp_path)
    )
    for size in (4, 8):
        evaluate.evaluate(dataclasses.replace(five, batch_size=size))
        report = json.loads((tmp_path / "metrics.json").read_text())
        assert report["pairs"] == 5
        figures.append(report["metrics"]["refined"]["body_l1"]["mean"])
    np.testing.assert_allclose(*figures, rtol=1e-3)


@pytest.mark.parametrize("program", ["evaluate", "generate"])
def test_flags_of_other_networks_are_refused(run, drawing, program):
    config = drawing if program == "generate" else run
    config = dataclasses.replace(config, mode=program, base_channels=64)
    module = {"evaluate": evaluate.evaluate, "generate": generate.generate}[program]
    with pytest.raises(
        ValueError, match=r"--base_channels=64 disagrees .* which has 2"
    ):
        module(config)


def test_evaluating_an_empty_workdir_is_refused(pair_dataset, tmp_path):
    with pytest.raises(ValueError, match="no checkpoint in"):
        evaluate.evaluate(make_config(pair_dataset, tmp_path, mode="evaluate"))


@pytest.fixture
def drawing(run, people, tmp_path):
    """A config that draws a test person in the pose of another test photo."""
    photo = next((people / "bounding_box_test").iterdir())
    poses = people / "market-annotation-test.csv"
    name = next(n for n, k in keypoint_files.read(poses).items() if k[:, 2].sum() > 9)
    return dataclasses.replace(
        run,
        mode="generate",
        source_image=str(photo),
        pose=str(poses),
        pose_name=name,
        scale=1,
        output=str(tmp_path / "out.png"),
    )


def read_png(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_generate_writes_one_png_of_the_models_size(drawing):
    generate.generate(drawing)
    assert read_png(drawing.output).shape == (32, 16, 3)
    assert os.listdir(os.path.dirname(drawing.output)) == ["out.png"]


def test_a_pose_of_a_larger_image_is_scaled(drawing, tmp_path):
    generate.generate(drawing)
    keypoints = keypoint_files.read(drawing.pose)[drawing.pose_name] * [4, 4, 1]
    scaled = dataclasses.replace(
        drawing,
        pose=pose_file(tmp_path, keypoints),
        pose_name="",
        pose_size="128x64",
        output=str(tmp_path / "scaled.png"),
    )
    generate.generate(scaled)
    np.testing.assert_array_equal(read_png(scaled.output), read_png(drawing.output))


def test_a_pose_may_lie_in_a_folder(drawing, tmp_path):
    generate.generate(drawing)
    poses = keypoint_files.read(drawing.pose)
    openpose_json.write_folder(tmp_path / "poses", poses)
    other = dataclasses.replace(
        drawing, pose=str(tmp_path / "poses"), output=str(tmp_path / "other.png")
    )
    generate.generate(other)
    np.testing.assert_array_equal(read_png(other.output), read_png(drawing.output))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "out.doc"}, r"--output=out.doc must end in .png"),
        ({"output": "/nowhere/out.png"}, "no folder /nowhere"),
        ({"source_image": "nobody.png"}, "^nobody.png: there is no such"),
        (
            {"source_image": __file__},
            r"test_programs\.py: not a photo",
        ),
        ({"pose": "still.json"}, "^pose=still.json: there is no such file"),
        ({"pose_name": ""}, "holds .* poses; choose one with --pose_name"),
        ({"pose_name": "nobody.jpg"}, "^pose_name=nobody.jpg is not in"),
        ({"pose_name": "0005_c1s1_000010_00.jp"}, r"is not in .* Did you mean 000"),
    ],
)
def test_what_generate_cannot_read_is_named(drawing, changes, message):
    with pytest.raises(ValueError, match=message):
        generate.generate(dataclasses.replace(drawing, **changes))
    assert not os.path.exists(drawing.output)


def pose_file(tmp_path, keypoints):
    path = tmp_path / "pose.json"
    person = {"pose_keypoints_2d": np.asarray(keypoints).ravel().tolist()}
    path.write_text(json.dumps({"people": [person]}))
    return str(path)


def test_a_pose_outside_the_image_is_refused_with_the_flag(drawing, tmp_path):
    keypoints = keypoint_files.read(drawing.pose)[drawing.pose_name] * [40, 40, 1]
    keypoints[:, :2] += 50 * keypoints[:, 2:]
    path = pose_file(tmp_path, keypoints)
    far = dataclasses.replace(drawing, pose=path, pose_name="")
    with pytest.raises(
        ValueError, match=r"outside an image of 32x16, 0 inside.*pose_size"
    ):
        generate.generate(far)


def test_points_outside_the_image_count_as_missing(drawing, tmp_path, capsys):
    keypoints = keypoint_files.read(drawing.pose)[drawing.pose_name]
    joint = int(np.argmax(keypoints[:, 2]))
    missing, outside = keypoints.copy(), keypoints.copy()
    missing[joint], outside[joint] = 0, (16, 5, 1)
    pictures = []
    for points in (missing, outside):
        path = pose_file(tmp_path, points)
        generate.generate(dataclasses.replace(drawing, pose=path, pose_name=""))
        pictures.append(read_png(drawing.output))
    np.testing.assert_array_equal(*pictures)
    assert "pose: 1 point outside an image of 32x16" in capsys.readouterr().out


def test_a_run_gets_the_numbers_of_sets(run, monkeypatch):
    """--inception, with a network that sees the mean colour alone."""

    def read(path):
        params = {"fc_bias": np.zeros(3, np.float32)}
        return inception.Weights(inception.TF_2015, params, path.name, "0" * 64)

    def apply(network, params, images):
        colours = np.asarray(images, np.float32).mean(axis=(1, 2)) / 50
        return inception.Output(colours, colours, colours)

    monkeypatch.setattr(inception, "FEATURES", 3)
    monkeypatch.setattr(inception, "read", read)
    program = functools.partial(functools.partial, apply)
    monkeypatch.setattr(protocol, "applied", program)
    evaluate.evaluate(dataclasses.replace(run, mode="evaluate", inception="a.pth"))
    report = read_json(run, "metrics.json")
    assert list(report["metrics"]) == ["copy of source", "coarse", "refined"]
    for kind, records in report["metrics"].items():
        # Every photo is a source as often as it is a target: the sets are equal.
        same = kind == "copy of source"
        assert (records["fid_tf"]["mean"] < 1e-6) == same
        assert records["fid_tf"]["pairs"] == report["pairs"]
        assert 0.999 < records["masked_inception_score"]["mean"] <= 3
        assert records["masked_inception_score"]["mask"].startswith("body mask of the")
    assert "fid_tf" not in report["not_computed"]
    assert "fid_torchvision" in report["not_computed"]
