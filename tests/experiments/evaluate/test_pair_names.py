"""What names of result files say of their pair."""

import pytest

from experiments.evaluate import pair_names

PHOTOS = ["0001/a.jpg", "b_1.jpg", "c.jpg", "2.png", "3.png", "x/d.jpg", "y/d.jpg"]


@pytest.mark.parametrize(
    ("file", "photo", "source"),
    [
        ("b_1.png", "b_1.jpg", ""),
        ("b_1.jpg.png", "b_1.jpg", ""),
        ("a.png", "0001/a.jpg", ""),
        ("0001_a.png", "0001/a.jpg", ""),
        ("c__0001_a.png", "0001/a.jpg", "c"),
        ("c.jpg___b_1.jpg_vis.png", "b_1.jpg", "c.jpg"),
        ("c_2_b_1_vis.png", "b_1.jpg", "c"),
        ("c__b_1__7.png", "b_1.jpg", "c"),
        ("x_d__c.png", "c.jpg", "x_d"),
        ("3__2.png", "2.png", "3"),
    ],
)
def test_a_name_is_read(file, photo, source):
    assert pair_names.Photos(PHOTOS).find(file) == (photo, source)


@pytest.mark.parametrize(
    "file", ["d.png", "c-d.png", "c__3__2.png", "__c.png", "e.png"]
)
def test_a_name_of_nobody_or_of_two_is_not(file):
    """d is shared by two folders; c__3__2 is a pair's repetition, or of target 2."""
    assert pair_names.Photos(PHOTOS).find(file) is None


def test_what_is_written_is_read():
    for target in ("0001/a.jpg", "b_1.jpg", "x/d.jpg"):
        name = pair_names.key("s/t.jpg", target)
        assert pair_names.Photos(PHOTOS).find(f"{name}.png") == (target, "s_t")


@pytest.mark.parametrize(
    ("file", "photo"),
    [
        ("fake-c.png", "c.jpg"),
        ("b_1_fake_B.png", "b_1.jpg"),
        ("2__c_refined.png", "c.jpg"),
        ("c__out.png", "c.jpg"),
        ("c-2.png", None),
        ("cc.png", None),
    ],
)
def test_a_photo_within_a_name(file, photo):
    found = pair_names.Photos(PHOTOS).find_inside(file)
    assert (found and found.photo) == photo
