"""Whole files, and sizes."""

import os

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
