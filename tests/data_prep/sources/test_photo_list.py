"""Folders and patterns of photos, and everything that goes wrong with them."""

import os

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from data_prep.sources import photo_list
from pg2_jax.keypoints import keypoint_files
from pg2_jax.photos import photo_files
from tests.data_prep.small_sources import random_pose


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "people"
    for name in ("bo/1.jpg", "anna/2.PNG", "anna/summer/3.webp", "anna/notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / ".hidden").mkdir()
    (root / ".hidden" / "4.jpg").touch()
    (root / "anna" / ".5.jpg").touch()
    return root


def test_a_folder_is_walked(tree):
    expected = (tree, ["anna/2.PNG", "anna/summer/3.webp", "bo/1.jpg"], [])
    assert photo_list.find(str(tree)) == expected


def test_what_systems_leave_is_passed_over_and_unread_photos_are_said(
    tree, capsys, monkeypatch
):
    monkeypatch.setattr(photo_files, "UNREAD", {".heic": "pip install pillow-heif"})
    monkeypatch.setattr(photo_files, "SUFFIXES", (".jpg", ".png", ".webp"))
    (tree / "anna" / "6.HEIC").touch()
    for left in ("@eaDir/2.PNG/SYNOFILE_THUMB_M.jpg", "__MACOSX/._2.PNG", "._2.png"):
        (tree / "anna" / left).parent.mkdir(parents=True, exist_ok=True)
        (tree / "anna" / left).touch()
    for text in (str(tree), f"{tree}/**/*"):
        assert photo_list.find(text).names == [
            "anna/2.PNG",
            "anna/summer/3.webp",
            "bo/1.jpg",
        ]
        assert capsys.readouterr().err == (
            f"note: {tree}: photos .heic are not read, ignored: 1 (anna/6.HEIC); "
            "pip install pillow-heif\n"
        )


@pytest.mark.parametrize(
    ("pattern", "folder", "names"),
    [
        ("*/*.jpg", ".", ["bo/1.jpg"]),
        ("anna/*", "anna", ["2.PNG"]),
        ("**/*", ".", ["anna/2.PNG", "anna/summer/3.webp", "bo/1.jpg"]),
        ("a*/[0-9].*", ".", ["anna/2.PNG"]),
        ("bo/1.jpg", "bo", ["1.jpg"]),
    ],
)
def test_names_are_relative_to_the_fixed_part_of_a_pattern(
    tree, pattern, folder, names
):
    assert photo_list.find(f"{tree}/{pattern}") == (tree / folder, names, [])


def test_a_folder_with_brackets_in_its_name_is_a_folder(tree):
    tree.rename(tree.parent / "people [2020]")
    assert len(photo_list.find(f"{tree.parent}/people [2020]").names) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}/no", "there is no such folder, photo or pattern"),
        ("{}/no/*.jpg", "no photos there"),
        ("{}/anna/*.txt", "no photos there"),
        ("", "no photos there|no such folder"),
    ],
)
def test_nothing_found_is_said(tree, text, message, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ValueError, match=f"photos=.*{message}"):
        photo_list.find(text.format(tree))


def test_links_are_followed_and_loops_end(tree, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "6.jpg").touch()
    (tree / "cy").symlink_to(elsewhere)
    (tree / "anna" / "again").symlink_to(tree)
    (tree / "0").symlink_to(tree / "bo")  # Comes before the folder it leads to.
    for pattern in ("", "/**/*"):
        found = photo_list.find(f"{tree}{pattern}")
        real = ["anna/2.PNG", "anna/summer/3.webp", "bo/1.jpg"]
        assert [name for name in found.names if name in real] == real
    found = photo_list.find(str(tree))
    assert found.names == [*real, "cy/6.jpg"]
    assert sorted(found.problems) == [
        f"{tree}/0: a symbolic link to {tree}/bo, read already",
        f"{tree}/anna/again: a symbolic link to {tree}, read already",
    ]


def test_many_links_to_each_other_end_soon(tmp_path):
    folders = [tmp_path / f"folder{i}" for i in range(12)]
    for folder in folders:
        folder.mkdir()
        (folder / "a.jpg").touch()
    for folder in folders:
        for other in folders:
            (folder / f"to_{other.name}").symlink_to(other)
    found = photo_list.find(str(tmp_path))
    assert found.names == sorted(f"folder{i}/a.jpg" for i in range(12))
    assert len(found.problems) == 144


def test_names_that_an_annotation_file_cannot_hold_are_named(tree):
    bad = ["a:b.jpg", " a.jpg", "a\nb.jpg", "a\u2028b.jpg", os.fsdecode(b"\xff.jpg")]
    for name in bad:
        (tree / name).touch()
    found = photo_list.find(str(tree))
    assert len(found.names) == 3
    assert len(found.problems) == 5
    for name, problem in zip(sorted(bad), found.problems, strict=True):
        refused = f"{os.path.join(tree, name)!r}: the photo name {name!r} is refused: "
        assert problem.startswith(refused)
        problem.encode()  # Can be printed.


def test_an_unreadable_folder_is_a_problem(tree, monkeypatch):
    real = os.listdir

    def refuse(path):
        if os.fspath(path).endswith("summer"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "listdir", refuse)
    found = photo_list.find(str(tree))
    assert found.names == ["anna/2.PNG", "bo/1.jpg"]
    assert found.problems == [f"{tree}/anna/summer: cannot be read: Permission denied"]


def test_the_contact_sheet_of_an_estimation_is_no_photo(tree):
    (tree / "bo" / "keypoints_contact.png").touch()
    assert "bo/keypoints_contact.png" in photo_list.find(str(tree)).names
    (tree / "bo" / "keypoints_report.csv").touch()
    assert "bo/keypoints_contact.png" not in photo_list.find(str(tree)).names


def _is_usable(name):
    try:
        photo_list.check_name(name)
    except ValueError:
        return False
    return True


@hypothesis.settings(derandomize=True, max_examples=20, deadline=None)
@hypothesis.given(
    texts=strategies.lists(
        strategies.text(min_size=1, max_size=12), min_size=8, max_size=16, unique=True
    )
)
def test_names_that_pass_come_back_from_an_annotation_file(
    tmp_path_factory, rng_pose, texts
):
    names = [f"{text}.jpg" for text in texts if _is_usable(f"{text}.jpg")]
    hypothesis.assume(names)
    path = tmp_path_factory.getbasetemp() / "names.csv"
    keypoint_files.write_csv(path, dict.fromkeys(names, rng_pose))
    assert list(keypoint_files.read(path)) == names


@pytest.fixture(scope="module")
def rng_pose():
    return random_pose(np.random.default_rng(0))
