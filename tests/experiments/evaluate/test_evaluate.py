"""Models in files are scored like the runs that they come from."""

import dataclasses
import json
import pathlib

import pytest

from experiments.config import Config
from experiments.evaluate import evaluate
from pg2_jax.inference import pose_transfer
from tests.experiments import tiny_run, untrained_run


@pytest.fixture(scope="module")
def run(pair_dataset, tmp_path_factory) -> Config:
    config = tiny_run.make_config(
        pair_dataset, tmp_path_factory.mktemp("evaluated") / "run", mode="evaluate"
    )
    untrained_run.write(config)
    return config


def test_a_model_in_a_file_has_the_scores_of_its_run(run, tmp_path):
    file = tmp_path / "model.safetensors"
    pose_transfer.PoseTransfer.restore(run.workdir).export(file)
    of_run = evaluate.score_run(dataclasses.replace(run, output=str(tmp_path / "a")))
    of_file = evaluate.score_run(
        dataclasses.replace(run, workdir=str(file), output=str(tmp_path / "b"))
    )
    assert of_file["metrics"] == of_run["metrics"]
    for folder in ("a", "b"):
        written = json.loads((tmp_path / folder / "metrics.json").read_text())
        assert written["pairs"] == of_run["pairs"]
        assert (tmp_path / folder / "evaluation.png").exists()
    # Nothing is written into the run, which may be on a disk that cannot be written.
    assert not (pathlib.Path(run.workdir) / "metrics.json").exists()


def test_wrong_uses_of_a_file_are_refused(run, tmp_path):
    file = tmp_path / "model.safetensors"
    pose_transfer.PoseTransfer.restore(run.workdir).export(file)
    with pytest.raises(ValueError, match="--output says in which folder"):
        dataclasses.replace(run, workdir=str(file))
    with pytest.raises(ValueError, match=r"--output=.*safetensors is a file"):
        dataclasses.replace(run, output=str(file))
    for changes in ({"checkpoint": "best"}, {"weights": "raw"}):
        config = dataclasses.replace(
            run, workdir=str(file), output=str(tmp_path / "scores"), **changes
        )
        with pytest.raises(ValueError, match="is a single model"):
            evaluate.score_run(config)
    with pytest.raises(ValueError, match=r"--output=.* has no meaning"):
        dataclasses.replace(
            run, data_dir="", output="s", generated_dir="theirs", target_dir="targets"
        )
