"""The output folder appears whole or not at all, and nothing of others is lost."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from absl import flags

from data_prep import build_tfrecords, output_folder, pose_pairs
from tests.data_prep.small_sources import SIZE, build, listing, read_records


def test_output_folder_with_other_things_is_refused(market, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"already holds thesis\.tex"):
            build(market, out, overwrite=overwrite)
    (out / "dataset_info.json").write_text('{"name": "pose_pairs"}')
    with pytest.raises(ValueError, match=r"already holds dataset_info\.json, thesis"):
        build(market, out, overwrite=True)
    assert (out / "thesis.tex").read_text() == "years"
    with pytest.raises(ValueError, match="is a file"):
        build(market, out / "thesis.tex")


def test_overwrite_replaces_a_data_set_of_ours_only_when_asked(market, tmp_path):
    out = tmp_path / "out"
    out.mkdir()  # An empty folder is no obstacle.
    build(market, out, max_train_pairs=3)
    with pytest.raises(ValueError, match=r"holds a data set .*--overwrite"):
        build(market, out)
    build(market, out, overwrite=True)
    assert len(read_records(out, "train")) == 8
    assert listing(tmp_path) == ["out", "source"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_interrupted_while_writing_leaves_the_old_data_set(
    market, tmp_path, monkeypatch, error
):
    out = tmp_path / "out"
    build(market, out, max_train_pairs=3)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    record, calls = pose_pairs.PhotoStore.record, []

    def interrupt(store, source, target):
        calls.append(source)
        if len(calls) == 5:
            raise error
        return record(store, source, target)

    monkeypatch.setattr(pose_pairs.PhotoStore, "record", interrupt)
    with pytest.raises((KeyboardInterrupt, OSError)):
        build(market, out, overwrite=True)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert listing(tmp_path) == ["out", "source"]


def test_terminated_while_writing_leaves_nothing(market, tmp_path, monkeypatch):
    seen = []

    def terminate(*_):
        seen.extend(listing(tmp_path))
        signal.raise_signal(signal.SIGTERM)

    values = flags.FlagValues()
    build_tfrecords.define_flags(values)
    arguments = [f"--source_dir={market}", f"--output_dir={tmp_path}/out"]
    values(["build_tfrecords", *arguments, f"--image_size={SIZE}"])
    monkeypatch.setattr(flags, "FLAGS", values)
    monkeypatch.setattr(pose_pairs.PhotoStore, "record", terminate)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as stop:
            build_tfrecords.main(["build_tfrecords"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stop.value.code == 128 + signal.SIGTERM
    assert any("incomplete" in name for name in seen)
    assert listing(tmp_path) == ["source"]


def test_data_land_where_a_link_points_and_the_link_stays(market, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "data").mkdir()
    link = tmp_path / "out"
    link.symlink_to("disk/data")
    for overwrite in (False, True):
        build(market, link, overwrite=overwrite, max_train_pairs=1)
        assert link.is_symlink() and link.readlink() == pathlib.Path("disk/data")
        assert "metadata.json" in listing(tmp_path / "disk" / "data")
        assert listing(tmp_path / "disk") == ["data"]


def _ended_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_is_removed(tmp_path):
    with output_folder.staging(tmp_path / "out") as stage:
        prefix = stage.name.rpartition(f"-{os.getpid()}-")[0]
    dead, alive = _ended_process(), os.getppid()
    stale = [f"{prefix}-{dead}-abc_1234", f"{prefix}-{dead}-xyz01234"]
    other_host = prefix.replace("incomplete-", "incomplete-far")
    kept = [
        f"{prefix}-{alive}-abc_1234",
        f"{prefix}-{os.getpid()}-abc_1234",
        f"{prefix}-1-abc_1234",
        f"{other_host}-{dead}-abc_1234",
        f"{prefix}-{dead}-abc.mine",
        f"{prefix}-x-abc_1234",
        f"{prefix.replace('.out.', '.out2.')}-{dead}-abc_1234",
        "out",
    ]
    for name in stale + kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "photos").write_text("half")
    with output_folder.staging(tmp_path / "out") as stage:
        assert listing(tmp_path) == sorted([*kept, stage.name])
    assert listing(tmp_path) == sorted(kept)


def test_a_process_of_another_user_is_alive(tmp_path, monkeypatch):
    with output_folder.staging(tmp_path / "out") as stage:
        other = tmp_path / stage.name.replace(f"-{os.getpid()}-", "-1-")
    other.mkdir()

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    with output_folder.staging(tmp_path / "out"):
        pass
    assert listing(tmp_path) == [other.name]
