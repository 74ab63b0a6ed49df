"""The output folder appears whole or not at all, and nothing of others is lost."""

import errno
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys

import pytest

from data_prep import build_tfrecords
from data_prep.records import output_folder
from data_prep.records.pose_pairs import PhotoStore
from pg2_jax import files
from tests.data_prep.small_sources import (
    SIZE,
    build,
    listing,
    read_records,
    write_market,
)

ROOT = pathlib.Path(__file__).parents[3]


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


@pytest.fixture
def volume(tmp_path, monkeypatch):
    """A folder that cannot be renamed or replaced, as the root of a disk."""
    folder = tmp_path / "volume"
    (folder / "lost+found").mkdir(parents=True)
    monkeypatch.setattr(files, "is_mount_point", lambda path: path == folder)
    rename = os.rename

    def guarded(old, new):
        if folder in (old, new):
            raise OSError(errno.EBUSY, "Device or resource busy")
        rename(old, new)

    monkeypatch.setattr(os, "rename", guarded)
    return folder


def test_a_mount_point_gets_its_data_set_and_nothing_is_staged_elsewhere(
    market, tmp_path, volume, monkeypatch
):
    seen = set()
    record = PhotoStore.record

    def note(*given):
        seen.update(listing(tmp_path))
        return record(*given)

    monkeypatch.setattr(PhotoStore, "record", note)
    build(market, volume, max_train_pairs=3)
    assert len(read_records(volume, "train")) == 3
    with pytest.raises(ValueError, match=r"holds a data set .*--overwrite"):
        build(market, volume)
    build(market, volume, overwrite=True)
    assert len(read_records(volume, "train")) == 8
    assert not [name for name in listing(volume) if name.startswith(".")]
    assert seen == {"source", "volume"}


def test_an_error_leaves_the_old_data_set_of_a_mount_point(
    market, tmp_path, volume, monkeypatch
):
    build(market, volume, max_train_pairs=3)
    before = listing(volume)
    rename = os.rename

    def fail(old, new):
        if new == volume / "metadata.json" and "replaced" not in old.parent.name:
            # It makes a data set of the others, and comes last.
            assert not (volume / "dataset_info.json").exists()
            raise KeyboardInterrupt
        rename(old, new)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(KeyboardInterrupt):
        build(market, volume, overwrite=True)
    assert listing(volume) == before
    assert len(read_records(volume, "train")) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_interrupted_while_writing_leaves_the_old_data_set(
    market, tmp_path, monkeypatch, error
):
    out = tmp_path / "out"
    build(market, out, max_train_pairs=3)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    record, calls = PhotoStore.record, []

    def interrupt(store, source, target):
        calls.append(source)
        if len(calls) == 5:
            raise error
        return record(store, source, target)

    monkeypatch.setattr(PhotoStore, "record", interrupt)
    with pytest.raises((KeyboardInterrupt, OSError)):
        build(market, out, overwrite=True)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert listing(tmp_path) == ["out", "source"]


@pytest.fixture
def run_program():
    """Runs the program in this process; its arguments are the source and the flags."""
    before = signal.getsignal(signal.SIGTERM)

    def run(source, *words):
        size = f"--image_size={SIZE}"
        return build_tfrecords.main([f"--source_dir={source}", size, *words])

    yield run
    signal.signal(signal.SIGTERM, before)


def test_terminated_while_writing_leaves_nothing(
    market, tmp_path, monkeypatch, run_program
):
    seen = []

    def terminate(*_):
        seen.extend(listing(tmp_path))
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(PhotoStore, "record", terminate)
    with pytest.raises(SystemExit) as stop:
        run_program(market, f"--output_dir={tmp_path}/out")
    assert stop.value.code == 128 + signal.SIGTERM
    assert any("incomplete" in name for name in seen)
    assert listing(tmp_path) == ["source"]


def test_the_program_says_what_it_wrote(market, tmp_path, capsys, run_program):
    assert run_program(market, f"--output_dir={tmp_path}/out") == 0
    assert f"{tmp_path}/out: 10 pairs" in capsys.readouterr().out
    assert "metadata.json" in listing(tmp_path / "out")


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
        assert listing(tmp_path) == sorted([*kept, stage.name, ".out.lock"])
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


BUILD = """
import sys
from data_prep.records import write_dataset
from tests.data_prep.small_sources import build
write_dataset._draw = lambda *_: None
try:
    build(*sys.argv[1:])
except ValueError as error:
    sys.exit(f"error: {error}")
"""


def start_build(source, output):
    """Builds in a process of its own, without the picture."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, source, output],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(process):
    """The exit status, and the last line on stderr."""
    _, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors, errors
    return process.returncode, errors.strip().splitlines()[-1] if errors else ""


def sizes_of_a_build(source, folder):
    """Bytes of the spool file, which the photos fill, and of the largest shard."""
    build(source, folder)
    photos = sum(path.stat().st_size for path in source.glob("*/*.jpg"))
    shards = [path.stat().st_size for path in folder.glob("*.tfrecord*")]
    shutil.rmtree(folder)
    return 2 * photos, max(shards)


@pytest.fixture
def large_market(tmp_path):
    """Its shard is larger than its spool file, so that either can be too large."""
    return write_market(tmp_path / "source", {"train": {"0001": 9}, "test": {"2": 2}})


@pytest.fixture
def limit_files():
    """Limits the size of the files that this process may write."""
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("stage", ["photos", "records"])
@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_file_that_may_not_grow_is_an_error_and_leaves_nothing(
    large_market, tmp_path, limit_files, stage, on_error
):
    """With on_error=skip too: the photos are not at fault."""
    spool, shard = sizes_of_a_build(large_market, tmp_path / "out")
    assert shard > 2 * spool
    limit_files(spool // 2 if stage == "photos" else (spool + shard) // 2)
    with pytest.raises(OSError, match=rf"={tmp_path}/out: no space .* File too large"):
        build(large_market, tmp_path / "out", on_error=on_error)
    assert listing(tmp_path) == ["source"]


def test_the_program_says_in_one_line_that_there_is_no_room(
    large_market, tmp_path, limit_files, capsys, run_program
):
    limit_files(20_000)
    assert run_program(large_market, f"--output_dir={tmp_path}/out") == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: --output_dir={tmp_path}/out: no space to write it: File too large "
        "(nothing of it was kept, and what was there before is unchanged)"
    )
    assert listing(tmp_path) == ["source"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_an_error_and_leaves_the_old_data_set(
    large_market, tmp_path, picture
):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        build(large_market, disk / "out", max_train_pairs=2)
        before = {file.name: file.read_bytes() for file in (disk / "out").iterdir()}
        with pytest.raises(OSError, match="no space to write it: No space left on dev"):
            build(large_market, disk / "out", overwrite=True)
        after = {file.name: file.read_bytes() for file in (disk / "out").iterdir()}
        assert after == before and listing(disk) == ["out"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_of_two_builds_at_once_one_wins_and_the_other_says_so(market, tmp_path):
    out = tmp_path / "out"
    ends = [end_of(process) for process in [start_build(market, out) for _ in "ab"]]
    assert sorted(code for code, _ in ends) == [0, 1]
    (said,) = [line for code, line in ends if code]
    assert re.search("another process is writing it|already holds a data set", said)
    assert listing(tmp_path) == ["out", "source"]
    build(market, tmp_path / "here")  # Another process writes the same bytes.
    for file in out.iterdir():
        assert (tmp_path / "here" / file.name).read_bytes() == file.read_bytes()


def test_a_folder_that_is_being_written_is_refused_at_once(market, tmp_path):
    out = tmp_path / "out"
    with output_folder.staging(out):
        for overwrite in (False, True):
            with pytest.raises(
                ValueError,
                match=rf"another process is writing it \(process {os.getpid()} on ",
            ):
                build(market, out, overwrite=overwrite)
        build(market, tmp_path / "other", max_train_pairs=1)
    build(market, out, max_train_pairs=1)
    assert listing(tmp_path) == ["other", "out", "source"]


def test_a_lock_of_a_dead_process_is_no_obstacle(market, tmp_path):
    (tmp_path / ".out.lock").write_text("process 1 on elsewhere")
    build(market, tmp_path / "out", max_train_pairs=1)
    assert listing(tmp_path) == ["out", "source"]


@pytest.mark.parametrize("place", ["folder", "file"])
def test_what_another_computer_wrote_meanwhile_stays(tmp_path, place):
    out = tmp_path / "out"
    with output_folder.staging(out) as stage:
        (stage / "built").mkdir()
        if place == "folder":
            out.mkdir()
            (out / "metadata.json").write_text("theirs")
        else:
            out.write_text("theirs")
        with pytest.raises(ValueError, match="by another process meanwhile"):
            output_folder.publish(stage / "built", out, stage)
    assert listing(tmp_path) == ["out"]
    written = out / "metadata.json" if place == "folder" else out
    assert written.read_text() == "theirs"
