"""Frames of a video: their order, and those that a tool left out."""

import numpy as np
import pytest

from pg2_jax.keypoints import base, frame_numbers


def poses(*names):
    somebody = np.ones((18, 3), np.float32)
    return {name: base.Pose(name, somebody, somebody[None], (9, 8)) for name in names}


def ordered(*names):
    found, notes = frame_numbers.in_order(poses(*names))
    return list(found), notes


def test_frames_in_the_order_of_text_are_sorted_by_number():
    names = sorted(f"{i}.jpg" for i in range(12))
    assert names[2] == "10.jpg"
    found, notes = ordered(*names)
    assert found == [f"{i}.jpg" for i in range(12)]
    said = "the frames are taken by their numbers: 0.jpg, 1.jpg, 2.jpg, ..., 11.jpg."
    assert notes == [said]


@pytest.mark.parametrize(
    "names",
    [
        ("a1", "a2", "a3"),
        ("12", "11", "10", "9"),  # Backwards, as somebody wants it.
        ("3", "40", "700"),  # Chosen by hand.
        ("1", "2", "01"),
        ("a1", "b2", "c10"),
        ("0002_c1_5.jpg", "0003_c1_7.jpg"),
        ("front", "back"),
        ("1",),
        ("1", "2", "3", "4", "5", "900000000"),
    ],
)
def test_other_names_stay_as_they_are(names):
    assert ordered(*names) == (list(names), [])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("0", "1", "-1"), "0, 1, -1"),
        (("cam1/1", "cam1/2", "cam2/1", "cam2/2"), "cam1/1, cam1/2, cam2/1, cam2/2"),
        (("a", "b", "c", "d", "e"), "a, b, c, ..., e"),
        (("01", "1"), "01, 1"),
    ],
)
def test_the_order_of_odd_names_in_a_folder_is_said(names, said):
    found, (note,) = frame_numbers.in_order(poses(*names), by_name=True)
    assert list(found) == list(names) and note.endswith(f"; the order is {said}.")
    for usual in (("0", "1", "2"), ("a",)):
        assert frame_numbers.in_order(poses(*usual), by_name=True)[1] == []


def test_missing_frames_show_nobody():
    there = [0, 1, 2, 3, 4, 7, 8, 9]
    given = poses(*(f"v_{i:02d}.jpg" for i in there))
    found, notes = frame_numbers.in_order(given)
    assert list(found) == [f"v_{i:02d}.jpg" for i in range(10)]
    assert notes == ["frames are missing: 2 of 10."]
    empty = [name for name, pose in found.items() if not len(pose.people)]
    assert empty == ["v_05.jpg", "v_06.jpg"]
    assert not found["v_05.jpg"].keypoints.any() and found["v_05.jpg"].size == (9, 8)
    assert ordered("8", "9", "10", "11", "13", "14")[0][4:6] == ["12", "13"]
