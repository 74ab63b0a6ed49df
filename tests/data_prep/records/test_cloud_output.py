"""A data set that is written into cloud storage, which is a stand-in here."""

import pathlib

import pytest

from data_prep import build_tfrecords
from data_prep.records import output_folder
from pg2_jax import errors
from pg2_jax.input_pipeline import cloud_files
from tests import cloud_storage
from tests.data_prep.small_sources import build

ADDRESS = "gs://bucket/deep/data"


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    cloud_storage.without_tensorflow(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "bucket"


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(build_tfrecords.tempfile, "tempdir", str(folder))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_data_set_is_the_one_of_a_disk(market, bucket, tmp_path, temporary, capsys):
    build(market, tmp_path / "local")
    words = [f"--source_dir={market}", f"--output_dir={ADDRESS}", "--image_size=24x16"]
    status = build_tfrecords.main(words)
    assert (status, capsys.readouterr().out.splitlines()[0][:30]) == (
        0,
        "gs://bucket/deep/data: 10 pair",
    )
    assert contents(bucket / "deep" / "data") == contents(tmp_path / "local")
    # Neither a folder gs: nor what was temporary.
    assert not pathlib.Path("gs:").exists() and not list(temporary.iterdir())


def test_what_is_there_is_not_touched(market, bucket):
    (bucket / "deep" / "data").mkdir(parents=True)
    (bucket / "deep" / "data" / "thesis.tex").write_text("years")
    with pytest.raises(ValueError, match=f"^--output_dir={ADDRESS} already holds thes"):
        build(market, ADDRESS)
    with pytest.raises(ValueError, match=r"^--overwrite is not for --output_dir=gs:"):
        build(market, ADDRESS, overwrite=True)
    assert [path.name for path in bucket.rglob("*.*")] == ["thesis.tex"]


def test_a_folder_made_in_the_web_page_of_a_storage_is_empty(
    market, bucket, monkeypatch
):
    """As s3fs lists it: the object "deep/data/", which is the folder itself."""
    (bucket / "deep" / "data").mkdir(parents=True)
    listed = cloud_storage.Buckets.listdir
    place = str(bucket / "deep" / "data")

    def listdir(self, path, detail=True, **more):
        own = [f"{place}/"] if str(path).rstrip("/") == ADDRESS and not detail else []
        return own + listed(self, path, detail=detail, **more)

    monkeypatch.setattr(cloud_storage.Buckets, "listdir", listdir)
    folder = cloud_files.path_of(ADDRESS)
    assert list(folder.iterdir()) == [folder]
    output_folder.check_cloud(ADDRESS, overwrite=False)
    (bucket / "deep" / "data" / "thesis.tex").write_text("years")
    with pytest.raises(ValueError, match=f"^--output_dir={ADDRESS} already holds thes"):
        output_folder.check_cloud(ADDRESS, overwrite=False)


def test_a_bucket_that_cannot_be_written_is_named_before_the_work(
    market, bucket, monkeypatch
):
    def refuse(*_, **__):
        raise PermissionError("403, no permission to create objects")

    monkeypatch.setattr(cloud_storage.Buckets, "open", refuse)
    monkeypatch.setattr(build_tfrecords, "_read_source", None)  # It is not reached.
    message = rf"^output_dir={ADDRESS}: it cannot be reached \(403, no permission"
    with pytest.raises(errors.ArgumentError, match=message):
        build(market, ADDRESS)


def test_what_cannot_be_copied_stays_here(market, bucket, monkeypatch, temporary):
    copied, put = [], cloud_files.put

    def fail_at_the_last(file, path, argument):
        if file.name == "dataset_info.json":
            raise errors.ArgumentError(argument, path, ": it cannot be reached (503).")
        copied.append(file.name)
        put(file, path, argument)

    monkeypatch.setattr(output_folder.cloud_files, "put", fail_at_the_last)
    with pytest.raises(errors.ArgumentError) as failure:
        build(market, ADDRESS)
    (built,) = temporary.glob("pg2_jax-*/data")
    assert str(failure.value) == (
        f"output_dir={ADDRESS}: it cannot be reached (503). The data set is in "
        f"{built}; copy it from there."
    )
    assert {*copied, "dataset_info.json"} == contents(built).keys()


def test_what_is_built_stays_where_copying_is_interrupted(
    market, bucket, monkeypatch, temporary, capsys
):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(output_folder.cloud_files, "put", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(market, ADDRESS)
    (built,) = temporary.glob("pg2_jax-*/data")
    assert "dataset_info.json" in contents(built)
    said = f"--output_dir={ADDRESS} is not whole. The data set is in {built}; copy it"
    assert said in capsys.readouterr().err


def test_who_may_create_but_not_remove_can_try_again(market, bucket, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError("403, no permission to delete objects")

    monkeypatch.setattr(cloud_storage.Buckets, "rm", refuse)
    for _ in range(2):
        output_folder.check_cloud(ADDRESS, overwrite=False)
    assert (bucket / "deep" / "data" / output_folder._PROBE).exists()
