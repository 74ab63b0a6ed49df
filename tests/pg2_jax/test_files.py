"""Whole files, and sizes."""

import errno
import os
import pathlib

import pytest

from pg2_jax import files


def test_the_file_appears_at_the_end(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".json"
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["figures.json"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["figures.json"]


def test_sizes():
    assert files.parse_size("image_size", "128x64") == (128, 64)
    assert files.parse_size("image_size", "256X176") == (256, 176)


@pytest.mark.parametrize("text", ["", "128", "x64", "0x64", "-1x64", "1.5x2", "1 x 2"])
def test_other_sizes_are_refused_by_name(text):
    with pytest.raises(ValueError, match=f"pose_size={text} must be HEIGHTxWIDTH"):
        files.parse_size("pose_size", text)


def test_names_are_sorted_as_people_count():
    names = ["10.png", "2.png", "a10b2", "a2b10", "1.png", "01.png", "a", "b1"]
    assert sorted(names, key=files.natural_order) == [
        *("01.png", "1.png", "2.png", "10.png"),
        *("a", "a2b10", "a10b2", "b1"),
    ]


@pytest.mark.parametrize("name", [".DS_Store", "._1.jpg", "Thumbs.db", "__MACOSX"])
def test_what_systems_leave_behind_is_known(name):
    assert files.is_left_behind(name)
    assert not files.is_left_behind(f"my{name}")


@pytest.mark.parametrize(
    "name", ["._a.png", ".DS_Store", "Thumbs.db", "@eaDir", "__MACOSX", "#recycle"]
)
def test_what_systems_leave_in_folders(name):
    assert files.is_left_behind(name) and not files.is_left_behind("photo.png")


def test_an_accent_is_the_same_in_one_letter_or_two():
    assert files.same_name("Zoe\u0301") == files.same_name("Zo\u00e9") == "Zo\u00e9"


def test_roots_of_disks_are_known(tmp_path):
    assert files.is_mount_point(pathlib.Path("/"))
    assert not files.is_mount_point(tmp_path)
    assert not files.is_mount_point(tmp_path / "nowhere")


def test_a_folder_is_made_with_those_that_it_is_in(tmp_path):
    with files.replacing_folder(tmp_path / "a" / "b") as built:
        (built / "c").touch()
    assert os.listdir(tmp_path / "a") == ["b"]
    assert os.listdir(tmp_path / "a" / "b") == ["c"]


def test_a_signal_while_a_temporary_folder_is_made_leaves_nothing(
    tmp_path, monkeypatch
):
    make = os.mkdir

    def stopped(*arguments, **options):
        make(*arguments, **options)
        raise SystemExit(143)

    monkeypatch.setattr(os, "mkdir", stopped)
    with pytest.raises(SystemExit), files.temporary_folder(tmp_path, ".x-"):
        pytest.fail("the folder was used")
    assert not list(tmp_path.iterdir())


def test_a_temporary_folder_that_stays_is_told_of(tmp_path, monkeypatch, capsys):
    def refused(folder, ignore_errors):
        assert ignore_errors

    with files.temporary_folder(tmp_path, ".x-") as removed:
        pass
    assert capsys.readouterr().err == "" and not removed.exists()
    monkeypatch.setattr(files.shutil, "rmtree", refused)
    with files.temporary_folder(tmp_path, ".x-") as folder:
        pass
    assert capsys.readouterr().err == f"note: {folder} cannot be removed\n"


def test_a_mount_point_is_filled_from_inside(tmp_path, monkeypatch):
    """It cannot be replaced, and what is beside it is on another disk."""
    volume = tmp_path / "volume"
    volume.mkdir()
    monkeypatch.setattr(files, "is_mount_point", lambda path: path == volume)
    before = volume.stat().st_ino
    with files.replacing_folder(volume) as built:
        assert built.is_relative_to(volume)
        (built / "a").write_text("1")
        (built / "b").mkdir()
    assert sorted(os.listdir(volume)) == ["a", "b"]
    assert os.listdir(tmp_path) == ["volume"] and volume.stat().st_ino == before


def test_all_is_renamed_back_after_an_error(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
    for name in "abc":
        (source / name).write_text(name)
    rename = os.rename

    def fail_at_the_end(old, new):
        if old == source / "c":
            assert sorted(os.listdir(target)) == ["a", "b"]
            raise OSError(errno.EIO, "broken")
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fail_at_the_end)
        with pytest.raises(OSError, match="broken"):
            files.rename_all((source / name, target / name) for name in "abc")
    assert sorted(os.listdir(source)) == ["a", "b", "c"] and not os.listdir(target)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_disk_without_fsync_is_known(tmp_path, monkeypatch, number):
    assert files.has_fsync(tmp_path)

    def refuse(_):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    if number == errno.EIO:
        with pytest.raises(OSError, match="no"):
            files.has_fsync(tmp_path)
    else:
        assert not files.has_fsync(tmp_path)
