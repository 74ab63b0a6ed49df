"""Training and scoring where tensorflow is not installed, and going on where it is."""

import dataclasses
import json
import pathlib
import sys

import pytest

from experiments.config_compatibility import with_reader
from experiments.evaluate import evaluate
from experiments.train import train
from pg2_jax import input_pipeline
from tests.experiments.tiny_run import make_config


@pytest.fixture(scope="module", autouse=True)
def reader():
    """As users read: by tensorflow where it is installed."""


def block_tensorflow(monkeypatch):
    """Lets no import of tensorflow succeed, nor of what has imported it."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    name = "tf_data_reader"
    monkeypatch.setitem(sys.modules, f"{input_pipeline.__name__}.{name}", None)
    monkeypatch.delattr(input_pipeline, name, raising=False)


def stored(config, file):
    return json.loads((pathlib.Path(config.workdir) / file).read_text())


def test_nothing_needs_tensorflow_and_the_run_keeps_its_reader(
    pair_dataset, tmp_path, monkeypatch
):
    config = make_config(
        pair_dataset, tmp_path / "run", stages="coarse", picture_every=2
    )
    with monkeypatch.context() as missing:
        block_tensorflow(missing)
        assert train.train(config) is None
        settings = stored(config, "config.json")["config"]
        assert (settings["reader"], settings["virtual_readers"]) == ("memory", 0)
        scoring = dataclasses.replace(config, mode="evaluate", max_test_pairs=4)
        evaluate.evaluate(scoring)
        scored = stored(config, "metrics.json")
        assert (scored["reader"], scored["pairs"]) == ("memory", 4)
        assert (tmp_path / "run" / "pictures" / "step_000002.png").is_file()
    assert with_reader(config).reader == "memory"
    with pytest.raises(ValueError, match="--reader: 'memory' in the run, 'tf_data'"):
        train.train(dataclasses.replace(config, reader="tf_data"))
    assert train.train(config) is None
    sessions = stored(config, "config.json")["sessions"]
    assert [session["first_step"] for session in sessions] == [0, 2]


def test_a_run_of_tensorflow_says_what_it_needs(pair_dataset, tmp_path, monkeypatch):
    config = make_config(pair_dataset, tmp_path, reader="tf_data")
    block_tensorflow(monkeypatch)
    with pytest.raises(ValueError, match="reader=tf_data needs the package tensorflow"):
        train.train(config)
    assert not list(tmp_path.iterdir())
