"""A run and a data set of version 0.1.0 open today, and the run resumes as it did.

The zip holds what version 0.1.0 wrote: pairs of 32x16, and a run of two steps in each
stage. The expected numbers are what that version made of them.
"""

import dataclasses
import json
import pathlib
import zipfile

import pytest

from experiments.evaluate import evaluate
from experiments.train import history, train
from tests.experiments.tiny_run import make_config

FILE = pathlib.Path(__file__).with_name("saved_by_0_1_0.zip")


@pytest.fixture(scope="module", autouse=True)
def reader(tensorflow_reader):
    """By tensorflow, as the run read."""


@pytest.fixture
def saved(tmp_path):
    """The run's config, with its data set beside it."""
    with zipfile.ZipFile(FILE) as archive:
        archive.extractall(tmp_path)
    changes = {"batch_size": 2, "picture_every": 0, "checkpoint_every": 3}
    return make_config(str(tmp_path / "data"), str(tmp_path / "run"), **changes)


def test_scores_are_those_of_version_0_1_0(saved):
    evaluate.evaluate(dataclasses.replace(saved, mode="evaluate"))
    content = json.loads(pathlib.Path(saved.workdir, "metrics.json").read_text())
    found = {
        kind: (scores["l1"]["mean"], scores["ssim_pg2"]["mean"])
        for kind, scores in content["metrics"].items()
    }
    assert found["copy of source"] == pytest.approx((37.0306, 0.470389), rel=1e-5)
    assert found["coarse"] == pytest.approx((64.0296, -0.170282), rel=1e-4)
    assert found["refined"] == pytest.approx((63.5163, -0.163482), rel=1e-4)


def test_the_run_resumes_as_version_0_1_0_did(saved):
    train.train(dataclasses.replace(saved, refine_steps=4))
    rows = {row["step"]: row for row in history.read(saved.workdir)}
    assert rows[4]["discriminator/loss"] == 1.2908867597579956
    for step, loss, of_d in ((5, 9.476749, 1.231662), (6, 9.195405, 1.265634)):
        assert rows[step]["refine/loss"] == pytest.approx(loss, rel=1e-4)
        assert rows[step]["discriminator/loss"] == pytest.approx(of_d, rel=1e-4)
