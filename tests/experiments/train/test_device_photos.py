"""--photos_on: the same training wherever the photos are, and what does not fit."""

import dataclasses
import signal

import jax
import numpy as np
import pytest

from experiments.config import Config
from experiments.train import train, training_steps
from pg2_jax import sharding
from pg2_jax.input_pipeline import pair_reader
from tests.experiments.tiny_run import assert_equal, make_config, stop_after


@pytest.fixture(scope="module")
def dataset(pair_dataset):
    """19 photos of 32 x 16 x 3 bytes: 2.72e-05 GiB."""
    dataset = pair_reader.PairDataset(pair_dataset, reader="memory")
    dataset.prepare_training()
    return dataset


def wanted(where, **changes):
    return Config(
        workdir="w", data_dir="d", reader="memory", photos_on=where, **changes
    )


def test_training_is_the_same_bit_for_bit(pair_dataset, tmp_path, monkeypatch):
    """A call of two steps and one of a single step, on the devices with a stop between
    them."""
    put, placed = training_steps.put_photos, []

    def noted(*arguments):
        placed.append(put(*arguments))
        return placed[-1]

    monkeypatch.setattr(training_steps, "put_photos", noted)
    host = make_config(
        pair_dataset,
        tmp_path / "host",
        reader="memory",
        photos_on="host",
        stages="coarse",
        coarse_steps=3,
        steps_per_call=2,
        picture_every=0,
        log_every=2,
    )
    device = dataclasses.replace(
        host, workdir=str(tmp_path / "device"), photos_on="device"
    )
    assert train.train(device, on_step=stop_after(2)) == signal.SIGTERM
    resumed, whole = [], []
    for config, states in ((device, resumed), (host, whole)):
        # Without the copy the next call takes the memory.
        train.train(config, on_step=lambda s, to=states: to.append(jax.device_get(s)))
    assert [photos is not None for photos in placed] == [True, True, False]
    assert [int(state.step) for state in resumed] == [2, 3]
    assert [int(state.step) for state in whole] == [0, 2, 3]
    for one, other in zip(resumed, whole[1:], strict=True):
        assert_equal(one, other)


def test_every_device_has_all_photos(dataset):
    photos = training_steps.put_photos(wanted("device"), dataset)
    assert photos.dtype == np.uint8
    assert len(photos.addressable_shards) == jax.device_count()
    for shard in photos.addressable_shards:
        np.testing.assert_array_equal(shard.data, dataset.training_photos)


def test_on_a_cpu_they_stay_on_the_host(dataset, pair_dataset, capsys):
    for config in (wanted("auto"), wanted("host")):
        assert training_steps.put_photos(config, dataset) is None
    of_tensorflow = pair_reader.PairDataset(pair_dataset, reader="tf_data")
    assert training_steps.put_photos(wanted("device"), of_tensorflow) is None
    assert not capsys.readouterr().out


def test_too_many_photos_are_refused_or_stay_on_the_host(dataset, monkeypatch, capsys):
    limited = wanted("device", device_photos_gib=2e-5)
    rule = "photos_on=device: the 19 training photos take 2.72e-05 GiB of each device"
    with pytest.raises(ValueError, match=rf"{rule}, more than --dev\w+_gib=2e-05\.$"):
        training_steps.put_photos(limited, dataset)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    auto = dataclasses.replace(limited, photos_on="auto")
    assert training_steps.put_photos(auto, dataset) is None
    assert capsys.readouterr().out == (
        "The photos stay on the host: the 19 training photos take 2.72e-05 GiB of each "
        "device, more than --device_photos_gib=2e-05.\n"
    )
    enough = dataclasses.replace(auto, device_photos_gib=3e-5)
    assert training_steps.put_photos(enough, dataset) is not None


class Device:
    def __init__(self, memory):
        self._stats = memory and {"bytes_limit": memory, "bytes_in_use": 0}

    def memory_stats(self):
        return self._stats


@pytest.mark.parametrize(
    ("memory", "where", "fits"),
    [
        (4 * 19 * 32 * 16 * 3, "auto", True),
        (4 * 19 * 32 * 16 * 3 - 4, "auto", False),
        (None, "auto", False),
        (None, "device", True),
    ],
)
def test_by_default_they_take_a_quarter_of_the_smallest_device(
    dataset, memory, where, fits, monkeypatch, capsys
):
    """One that does not say what it has gets them on request alone."""
    mesh, devices = sharding.data_mesh(), [Device(2**30), Device(memory)]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: devices)
    monkeypatch.setattr(jax, "make_array_from_process_local_data", lambda *put: put)
    put = training_steps.put_photos(wanted(where), dataset)
    said = capsys.readouterr().out
    if fits:
        assert put == (sharding.replicated(mesh), dataset.training_photos)
        assert not said
    else:
        assert put is None
        assert "2.72e-05 GiB of each device, " in said
        assert ("more than 2.72e-05 of its 0.000109 GiB (see" in said) == bool(memory)
        assert ("it does not say how many it has (see" in said) != bool(memory)


def test_tensorflow_keeps_no_photos():
    with pytest.raises(ValueError, match="--photos_on=device needs --reader=memory"):
        Config(workdir="w", data_dir="d", photos_on="device")
