"""--mode=table1: every row trained once, scored, and laid out as in the paper."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal

import jax
import numpy as np
import pytest
from PIL import Image

from experiments import command_line
from experiments.config import Config
from experiments.evaluate import evaluate, statistics
from experiments.table1 import output, table1
from experiments.train import train
from pg2_jax.checkpoint import restore
from tests.experiments import untrained_run
from tests.experiments.tiny_run import make_config

FLAGFILES = pathlib.Path(command_line.__file__).parent / "flagfiles"


def make_table_config(pair_dataset, workdir, **changes):
    # Without flips the steps are compiled once for all seeds.
    options = {
        "mode": "table1",
        "max_test_pairs": 4,
        "flip": False,
    }
    return make_config(pair_dataset, workdir, **{**options, **changes})


@contextlib.contextmanager
def not_trained(step=None, returned=None, but=()):
    """Runs get weights drawn at random, no two the same, at a step or at their last,
    but those whose names are given; yields the names of all."""
    names, trained = [], train.train

    def train_(config):
        names.append(pathlib.Path(config.workdir).name)
        if names[-1] in but:
            return trained(config)
        last = config.total_steps if step is None else step
        untrained_run.write(config, last, drawn_with=len(names))
        return returned

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "train", train_)
        yield names


@pytest.fixture
def untrained():
    with not_trained() as names:
        yield names


@pytest.fixture(scope="module")
def table(pair_dataset, tmp_path_factory):
    """Three rows with two seeds each; one run begins with another and is trained."""
    workdir = tmp_path_factory.mktemp("table1")
    config = make_table_config(
        pair_dataset, workdir, rows="full, pose_mask_loss,one_stage", seeds="5"
    )
    with not_trained(but=["full_seed5"]) as names:
        assert table1.table1(config) is None
    assert names == ["pose_mask_loss_seed5", "one_stage_seed5", "full_seed5"]
    config = dataclasses.replace(config, seeds="0,5")
    with not_trained() as names:
        assert table1.table1(config) is None
    assert names == ["pose_mask_loss_seed0", "one_stage_seed0", "full_seed0"]
    return config


def content(config):
    return json.loads((pathlib.Path(config.workdir) / "table.json").read_text())


def run_of(config, name):
    return pathlib.Path(config.workdir) / name


@pytest.mark.slow
def test_the_table_says_what_the_runs_scored(table):
    report = content(table)
    assert list(report["rows"]) == ["pose_mask_loss", "one_stage", "full"]
    assert report["pairs"] == 4
    for name, image in (("one_stage", "coarse"), ("full", "refined")):
        for seed in ("0", "5"):
            row = report["rows"][name]["seeds"][seed]
            metrics = json.loads(
                (run_of(table, f"{name}_seed{seed}") / "metrics.json").read_text()
            )
            assert row["metrics"] == metrics["metrics"][image]
            assert row["step"] == 4
    first, second = (
        report["rows"]["full"]["seeds"][seed]["metrics"]["l1"]["mean"]
        for seed in ("0", "5")
    )
    mean, spread = (first + second) / 2, abs(first - second) / 2**0.5
    lines = (run_of(table, "table.md")).read_text().splitlines()
    (full,) = [line for line in lines if line.startswith("| G1+G2+D |")]
    assert full.split(" | ")[3] == f"{mean:.1f} ± {spread:.1f}"
    for title in ("IS", "mask-IS"):
        assert f"- {title}: not computed; needs --inception=PATH" in lines
    assert (
        "- seeds: 0, 5; of several, mean ± standard deviation over the seeds" in lines
    )
    columns = 3 + 3
    with Image.open(run_of(table, "figure4.png")) as figure:
        assert figure.size == (columns * (8 * 16 + 4) + 4, 4 * (8 * 32 + 4) + 4 + 18)


@pytest.mark.slow
def test_the_full_model_begins_with_the_stage_one_of_its_twin(table):
    row = content(table)["rows"]["full"]["seeds"]["5"]
    assert row["begun_at_step"] == 2
    generators = restore.restore_generators(str(run_of(table, row["run"])))
    assert generators.config["coarse_from"].endswith("pose_mask_loss_seed5")
    twin = restore.restore_generators(generators.config["coarse_from"])
    jax.tree.map(np.testing.assert_array_equal, generators.coarse, twin.coarse)


@pytest.mark.slow
def test_finished_rows_are_not_trained_again(table, untrained, capsys):
    before = content(table)["rows"]
    more = dataclasses.replace(table, rows="full,l1", seeds="5")
    assert table1.table1(more) is None
    assert untrained == ["l1_seed5"]
    after = content(table)["rows"]
    assert list(after) == ["l1", "pose_mask_loss", "one_stage", "full"]
    assert {name: after[name] for name in before} == before
    assert "full_seed5 is finished" in capsys.readouterr().out
    notes = run_of(table, "table.md").read_text()
    assert "- seeds: G1-L1 5; G1-poseMaskLoss 0, 5; " in notes


@pytest.mark.slow
def test_the_same_call_again_changes_nothing_but_the_pictures(table, capsys):
    before = content(table)
    run_of(table, "figure4.png").unlink()
    assert table1.table1(table) is None
    assert content(table)["rows"] == before["rows"]
    assert content(table)["definitions"] == before["definitions"]
    assert run_of(table, "figure4.png").is_file()
    assert "G1+G2+D" in capsys.readouterr().out


@pytest.mark.slow
def test_a_table_may_be_moved(table, tmp_path):
    moved = dataclasses.replace(table, workdir=str(tmp_path / "elsewhere"))
    shutil.copytree(table.workdir, moved.workdir)
    for run in ("full_seed0", "pose_mask_loss_seed0"):
        shutil.move(run_of(table, run), tmp_path / run)
    try:
        assert table1.table1(moved) is None
    finally:
        for run in ("full_seed0", "pose_mask_loss_seed0"):
            shutil.move(tmp_path / run, run_of(table, run))


@pytest.mark.slow
def test_an_interrupted_row_goes_on_where_it_was(pair_dataset, tmp_path):
    """Begun without its twin, the full model keeps to its own stage I."""
    config = make_table_config(pair_dataset, tmp_path, rows="full")
    with not_trained(step=1, returned=signal.SIGTERM):
        assert table1.table1(config) == signal.SIGTERM
    assert content(config)["rows"] == {}
    more = dataclasses.replace(config, rows="pose_mask_loss,full")
    with not_trained() as names:
        assert table1.table1(more) is None
    assert names == ["pose_mask_loss_seed0", "full_seed0"]
    rows = content(config)["rows"]
    assert rows["full"]["seeds"]["0"]["begun_at_step"] == 1
    assert rows["pose_mask_loss"]["seeds"]["0"]["begun_at_step"] == 0
    stored = restore.restore_generators(str(tmp_path / "full_seed0")).config
    assert stored["coarse_from"] == ""


@pytest.mark.slow
def test_a_row_stopped_before_it_was_scored_is_bound_to_its_flags(
    pair_dataset, tmp_path, monkeypatch, untrained
):
    config = make_table_config(pair_dataset, tmp_path, rows="l1")

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "score_run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            table1.table1(config)
    with pytest.raises(ValueError, match=r"--learning_rate: 0\.001 in the run, 0\.5"):
        table1.table1(dataclasses.replace(config, learning_rate=0.5))
    # Even where the table itself is gone.
    (tmp_path / "table.json").unlink()
    with pytest.raises(ValueError, match="l1_seed0 holds a run with another config"):
        table1.table1(dataclasses.replace(config, learning_rate=0.5, rows="ce,l1"))
    assert not (tmp_path / "ce_seed0").exists()
    assert table1.table1(config) is None
    assert content(config)["rows"]["l1"]["seeds"]["0"]["begun_at_step"] == 2


@pytest.mark.slow
def test_rows_that_another_process_has_added_stay(
    pair_dataset, tmp_path, monkeypatch, untrained
):
    config = make_table_config(pair_dataset, tmp_path, rows="pose_mask_loss")
    real = evaluate.score_run

    def meanwhile(run):
        monkeypatch.setattr(evaluate, "score_run", real)
        assert table1.table1(dataclasses.replace(config, rows="l1")) is None
        return real(run)

    monkeypatch.setattr(evaluate, "score_run", meanwhile)
    assert table1.table1(config) is None
    assert list(content(config)["rows"]) == ["l1", "pose_mask_loss"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": "full,gan"}, r"--rows=full,gan: 'gan' is not one of ce, hme,"),
        ({"seeds": "1,b"}, "--seeds=1,b must be like 0,1,2"),
        ({"seeds": "1,1"}, "--seeds=1,1 must be different numbers"),
        ({"seeds": "-1"}, "--seeds=-1 must be different numbers from 0"),
        ({"pose_mask_loss": False}, "--pose_mask_loss=False: .* the rows decide it"),
        ({"stages": "coarse"}, "--stages=coarse: with --mode=table1"),
        ({"batch_size": 3}, "^batch_size=3 must be a multiple"),
        ({"coarse_steps": 0}, "--coarse_steps=0: .* it must be 1 or more"),
        ({"checkpoint_step": 2}, "--checkpoint_step=2: .* the newest checkpoint"),
        ({"checkpoint": "best"}, "--checkpoint=best: .* the newest checkpoint"),
        ({"init_from": "r"}, "--init_from=r: .* the rows decide"),
        ({"coarse_steps": 3}, "--coarse_steps: 2 in the run, 3 now"),
        ({"refine_steps": 3}, "--refine_steps: 2 in the table, 3 now"),
        ({"steps_scale": 0.5}, "--steps_scale: 1.0 in the table, 0.5 now"),
        ({"max_test_pairs": 2}, "--max_test_pairs: 4 in the table, 2 now"),
    ],
)
def test_what_does_not_fit_the_table_is_refused(table, changes, message):
    before = content(table)
    with pytest.raises(ValueError, match=message):
        table1.table1(dataclasses.replace(table, **changes))
    assert content(table) == before


@pytest.mark.slow
def test_a_table_of_another_data_set_is_refused(table, pair_dataset, tmp_path):
    other = tmp_path / "data"
    shutil.copytree(pair_dataset, other)
    path = other / "metadata.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    with pytest.raises(ValueError, match=f"another data set, {pair_dataset}, not of "):
        table1.table1(dataclasses.replace(table, data_dir=str(other)))


def test_a_row_that_cannot_be_built_is_named(pair_dataset, tmp_path):
    config = make_table_config(pair_dataset, tmp_path, coarse_network="refinement")
    message = r"row ce .see --rows.: pose_embedding=coordinate joins the pose"
    with pytest.raises(ValueError, match=message):
        table1.table1(config)
    assert not os.listdir(tmp_path)


@pytest.mark.slow
def test_the_workdir_of_a_run_is_refused(table, pair_dataset):
    workdir = str(run_of(table, "full_seed0"))
    with pytest.raises(ValueError, match=r"full_seed0 holds a single run"):
        table1.table1(make_table_config(pair_dataset, workdir))


@pytest.mark.slow
def test_the_row_of_pg2plus_is_scored_and_shown(pair_dataset, tmp_path, untrained):
    config = make_table_config(pair_dataset, str(tmp_path), rows="plus")
    assert table1.table1(config) is None
    report = json.loads((tmp_path / "table.json").read_text())
    row = report["rows"]["plus"]
    assert (row["title"], row["image"]) == ("pg2plus", "generated")
    assert 0 < row["seeds"]["0"]["metrics"]["body_l1"]["mean"] < 255
    assert untrained == ["plus_seed0"]
    with Image.open(tmp_path / "figure4.png") as figure:
        assert figure.width == 4 * (8 * 16 + 4) + 4


def test_scaled_steps():
    config = Config(
        mode="table1", workdir="w", data_dir="d", image_size="32x16", steps_scale=0.01
    )
    rows = {name: table1.row_config(config, name, 0) for name in table1.ROWS}
    assert rows["l1"].total_steps == 220
    assert rows["one_stage"].total_steps == 360
    assert rows["full"].total_steps == rows["plus"].total_steps == 360
    tiny = dataclasses.replace(config, steps_scale=1e-9)
    assert table1.row_config(tiny, "full", 0).total_steps == 2


@pytest.mark.parametrize("dataset", ["market1501", "deepfashion"])
@pytest.mark.parametrize("name", table1.ROWS)
def test_each_row_is_its_flagfile(dataset, name):
    def from_words(*words):
        return command_line.parse(["--data_dir=d", "--workdir=w", *words])

    table_config = from_words(
        "--mode=table1", f"--flagfile={FLAGFILES}/{dataset}_paper.flags"
    )
    row = table1.row_config(table_config, name, seed=0)
    flagfile = from_words(f"--flagfile={FLAGFILES}/table1_{dataset}_{name}.flags")
    assert dataclasses.replace(row, workdir="w") == dataclasses.replace(
        flagfile, refine_steps=row.refine_steps
    )


def test_rows_of_the_released_form_drop_what_needs_stage_two():
    config = Config(
        mode="table1",
        workdir="w",
        data_dir="d",
        discriminator_input="triplet",
        discriminator_sees_coarse=True,
    )
    assert not table1.row_config(config, "one_stage", 0).discriminator_sees_coarse
    assert table1.row_config(config, "full", 0).discriminator_sees_coarse


def test_one_seed_has_no_spread():
    names = output._NAMES
    row = {"seeds": {"3": {"metrics": {name: {"mean": 0.5} for name in names}}}}
    cells = [output.cell(row, name) for name in names]
    assert cells == ["0.500", "0.500", "0.5", "0.5"]


@pytest.mark.slow
def test_inception_adds_the_papers_columns(pair_dataset, tmp_path, monkeypatch):
    """The first row is scored without --inception, the second with it."""
    flags = []

    def score_run(config):
        flags.append(config.inception)
        scores = {name: {"mean": 0.5} for name in output._NAMES}
        if config.inception:
            scores["inception_score"] = {"mean": 2.25}
        kinds = dict.fromkeys(("copy of source", "coarse"), scores)
        definitions = statistics.DEFINITIONS
        return {"step": 4, "pairs": 4, "definitions": definitions, "metrics": kinds}

    monkeypatch.setattr(table1.train, "train", lambda config: None)
    monkeypatch.setattr(table1.evaluate, "score_run", score_run)
    monkeypatch.setattr(output, "draw_figure", lambda *_: None)
    config = make_table_config(pair_dataset, tmp_path, rows="l1")
    assert table1.table1(config) is None
    config = dataclasses.replace(config, rows="ce,l1", inception="a.pth")
    assert table1.table1(config) is None
    assert flags == ["", "a.pth"]
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert "| model | SSIM ↑ | mask-SSIM ↑ | L1 ↓ | body L1 ↓ | IS ↑ |" in lines
    assert "| G1-CE-L1 | 0.500 | 0.500 | 0.5 | 0.5 | 2.250 |" in lines
    assert "| G1-L1 | 0.500 | 0.500 | 0.5 | 0.5 | - |" in lines
    assert "- mask-IS: not computed; needs --inception=PATH" in lines
    assert any(
        line.startswith("- IS is inception_score: Inception S") for line in lines
    )
