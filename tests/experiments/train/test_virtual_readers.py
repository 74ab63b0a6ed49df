"""--virtual_readers in a training: known before it, kept in its config, and read by."""

import json
import types

import pytest

from experiments import config_compatibility
from experiments.train import dry_run, train
from pg2_jax.input_pipeline import pair_reader
from tests.experiments.tiny_run import make_config


@pytest.fixture(scope="module", autouse=True)
def reader():
    """As users read: by tensorflow where it is installed."""


def test_the_number_is_known_before_anything_is_written(
    pair_dataset, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr(dry_run, "show", lambda config, *_: seen.append(config))
    for reader, number in (("tf_data", 1), ("memory", 0)):
        train.train(make_config(pair_dataset, tmp_path, reader=reader, dry_run=True))
        assert seen[-1].virtual_readers == number
    wanted = make_config(pair_dataset, tmp_path, reader="tf_data", virtual_readers=2)
    rule = r"^virtual_readers=2 must divide batch_size=4 and the 1 training files\.$"
    with pytest.raises(ValueError, match=rule):
        train.train(wanted)
    refused = make_config(pair_dataset, tmp_path, virtual_readers=2)
    monkeypatch.setattr(config_compatibility.reader_choice, "choose", _memory)
    with pytest.raises(
        ValueError, match=r"^--virtual_readers=2 is for .* is memory\.$"
    ):
        train.train(refused)
    assert not list(tmp_path.iterdir())


def _memory(*_):
    return "memory"


def test_a_run_reads_with_the_number_that_it_stores(
    pair_dataset, tmp_path, monkeypatch
):
    class Reached(Exception):
        pass

    def training_batches(self, **options):
        raise Reached(options["virtual_readers"])

    dataset = pair_reader.PairDataset
    monkeypatch.setattr(dataset, "virtual_readers", lambda *_: 4)
    monkeypatch.setattr(dataset, "training_batches", training_batches)
    new = types.SimpleNamespace(step=0)
    monkeypatch.setattr(train.starting_state, "find", lambda *_: new)
    with pytest.raises(Reached, match="4"):
        train.train(make_config(pair_dataset, tmp_path, reader="tf_data"))
    stored = json.loads((tmp_path / "config.json").read_text())["config"]
    assert (stored["reader"], stored["virtual_readers"]) == ("tf_data", 4)
