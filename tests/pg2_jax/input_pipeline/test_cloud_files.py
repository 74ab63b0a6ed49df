"""Data sets and files in cloud storage, of which stand-ins take the place."""

import io
import itertools
import pathlib
import shutil
import sys

import numpy as np
import pytest
from etils.epath import gpath

from pg2_jax import errors
from pg2_jax.input_pipeline import cloud_files, pair_reader
from tests import cloud_storage


@pytest.fixture
def buckets(monkeypatch, tmp_path):
    """A folder of buckets, without tensorflow."""
    cloud_storage.without_tensorflow(monkeypatch, tmp_path / "buckets")
    return tmp_path / "buckets"


@pytest.fixture(params=["tf_data, ram", "memory, ram", "memory, gs", "memory, s3"])
def remote(request, monkeypatch, tmp_path, pair_dataset):
    """A data set in cloud storage, opened by one of the readers."""
    reader, scheme = request.param.split(", ")
    folder, address = pathlib.Path(pair_dataset), f"{scheme}://bucket/deep/data"
    if scheme == "ram":
        cloud_storage.of_tensorflow(monkeypatch)
        cloud_storage.copy_to_tensorflow(folder, address)
    else:
        cloud_storage.without_tensorflow(monkeypatch, tmp_path)
        (tmp_path / "bucket" / "deep").mkdir(parents=True)
        (tmp_path / "bucket" / "deep" / "data").symlink_to(folder)
    return pair_reader.PairDataset(address, 0.25, reader=reader)


def test_a_data_set_is_read_as_from_a_disk(remote, pair_dataset):
    local = pair_reader.PairDataset(pair_dataset, 0.25, reader=remote.reader)
    assert remote.metadata == local.metadata and remote.splits == ["train", "test"]
    assert (remote.height, remote.width) == (32, 16)
    assert remote.checksum("test") == local.checksum("test")

    def batches(dataset):
        training = dataset.training_batches(batch_size=8, seed=3, first_step=2)
        test = dataset.test_batches(batch_size=16)
        return [*itertools.islice(training, 2), *(each.batch for each in test)]

    for mine, other in zip(batches(remote), batches(local), strict=True):
        for key, array in other.items():
            np.testing.assert_array_equal(mine[key], array)


def test_nothing_is_made_or_read_beside_the_program(buckets, tmp_path, monkeypatch):
    """Python takes gs://b/data for the folder ./gs:/b/data."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^data_dir=gs://b/data: no data set is ther"):
        pair_reader.PairDataset("gs://b/data")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_shard_and_damage_are_named(buckets):
    folder = buckets / "b" / "data"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(ValueError, match=r"^data_dir=gs://b/data/features.json: there"):
        pair_reader.PairDataset("gs://b/data", reader="memory")
    (folder / "features.json").write_text('{"featuresDict": {"features": {}}}')
    with pytest.raises(ValueError, match=r"^data_dir=gs://b/data: dataset_info.json o"):
        pair_reader.PairDataset("gs://b/data", reader="memory")


def test_tensorflow_is_not_asked_for_what_it_cannot_read(buckets):
    message = r"^data_dir=s3://b/data: tensorflow cannot read s3://; reader=memory can"
    with pytest.raises(errors.ArgumentError, match=message):
        pair_reader.PairDataset("s3://b/data", reader="tf_data")


class Refusal(Exception):
    """As storages raise them: of no class of Python's own."""


def tensorflows_refusal():
    import tensorflow as tf

    return tf.errors.PermissionDeniedError(None, None, "HTTP response code 403")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            FileNotFoundError("gs://b/m.safetensors"),
            "^workdir=gs://b/m.safetensors: there is no such file, or no such bucket.$",
        ),
        (
            Refusal("Anonymous caller, 401.\nmore"),
            r"^workdir=gs://b/m.safetensors: it cannot be reached \(Anonymous caller, "
            r"401\). Is the name right, is there internet, and are you logged in "
            r"\(gcloud auth application-default login\)\?$",
        ),
        # As adlfs raises it.
        (ValueError("no account"), r"it cannot be reached \(no account\)\. Is the na"),
        (PermissionError(), r"it cannot be reached \(PermissionError\)\. Is the name"),
        (
            tensorflows_refusal,
            r"it cannot be reached \(HTTP response code 403\)\. Is the name right",
        ),
    ],
)
def test_errors_of_a_storage_are_one_line(buckets, monkeypatch, error, message):
    def refuse(*_, **__):
        raise error() if callable(error) else error

    monkeypatch.setattr(cloud_storage.Buckets, "open", refuse)
    with (
        pytest.raises(errors.ArgumentError, match=message),
        cloud_files.fetched("gs://b/m.safetensors", "workdir"),
    ):
        pass


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("s3", "s3fs")])
def test_a_missing_package_is_named_with_its_installation(monkeypatch, scheme, package):
    monkeypatch.setattr(gpath, "_is_tf_installed", lambda: False)
    monkeypatch.setitem(sys.modules, package, None)
    message = f"^data_dir={scheme}://b/d: {scheme}:// needs the package {package}: pip "
    with pytest.raises(ValueError, match=message):
        pair_reader.PairDataset(f"{scheme}://b/d", reader="memory")


def test_with_tensorflow_it_is_said_how_to_read_what_that_cannot():
    message = "^data_dir=s3://b/d: tensorflow, which .* set EPATH_USE_TF=0 in the envi"
    with pytest.raises(ValueError, match=message):
        pair_reader.PairDataset("s3://b/d", reader="memory")


def test_what_is_written_appears_when_it_is_whole(buckets):
    address, file = "gs://b/c/text.txt", buckets / "b" / "c" / "text.txt"
    with pytest.raises(Refusal), cloud_files.replacing(address, "output") as temporary:
        temporary.write_text("half")
        raise Refusal
    assert not file.exists()
    with cloud_files.replacing(address, "output") as temporary:
        temporary.write_text("whole")
    assert file.read_text() == "whole" and not temporary.exists()
    with cloud_files.fetched(address, "output") as copy:
        assert copy.name == "text.txt" and copy.read_text() == "whole"
    assert not copy.exists()


@pytest.mark.parametrize("reason", [KeyboardInterrupt(), OSError("503")])
def test_a_copy_that_stops_half_way_leaves_what_was_there(buckets, monkeypatch, reason):
    address, file = "gs://b/c/text.txt", buckets / "b" / "c" / "text.txt"
    with cloud_files.replacing(address, "output") as temporary:
        temporary.write_text("before")

    def stop(source, target):
        target.write(source.read(2))
        raise reason

    monkeypatch.setattr(cloud_files.shutil, "copyfileobj", stop)
    raised = errors.ArgumentError if isinstance(reason, OSError) else KeyboardInterrupt
    with (
        pytest.raises(raised),
        cloud_files.replacing(address, "output") as temporary,
    ):
        temporary.write_text("after")
    assert [path.name for path in file.parent.iterdir()] == ["text.txt"]
    assert file.read_text() == "before"


def test_a_folder_is_not_fetched_as_an_empty_file(buckets, monkeypatch):
    """s3fs opens a folder, and reads nothing from it."""
    (buckets / "b" / "runs").mkdir(parents=True)
    monkeypatch.setattr(cloud_storage.Buckets, "open", lambda *_, **__: io.BytesIO())
    message = "^workdir=s3://b/runs: a folder, not a file.$"
    with (
        pytest.raises(errors.ArgumentError, match=message),
        cloud_files.fetched("s3://b/runs", "workdir"),
    ):
        pass


def test_a_storage_that_tensorflow_does_not_know_is_read_without_it(
    buckets, pair_dataset
):
    shutil.copytree(pair_dataset, buckets / "b" / "data")
    dataset = pair_reader.PairDataset("s3://b/data")
    assert dataset.reader == "memory" and dataset.count("train") > 0
