"""Who is in a photo, and which photos the protocols pair."""

import numpy as np
import pytest

from data_prep.pairs import identity


def _pose(*missing):
    keypoints = np.ones((18, 3), np.float32)
    keypoints[list(missing)] = 0
    return keypoints


def _valid(name, keypoints, dataset):
    return identity.usable(name, keypoints, dataset, "field")


@pytest.mark.parametrize("joint", range(18))
def test_only_shoulders_and_hips_are_required(joint):
    required = joint in (2, 5, 8, 11)
    assert _valid("0001_a.jpg", _pose(joint), "market1501") is not required
    assert _valid("anna/a.jpg", _pose(joint), "folder") is not required


@pytest.mark.parametrize("name", ["-1_c1.jpg", "0000_c1.jpg"])
def test_junk_is_known_by_name_in_market1501_only(name):
    assert not _valid(name, _pose(), "market1501")
    assert _valid(f"{name}/1.jpg", _pose(), "folder")


def test_identity_of():
    assert identity.identity_of("0002_c1s1_000451_03.jpg", "market1501") == "0002"
    assert identity.identity_of("anna_b/1_2.jpg", "folder") == "anna_b"


def test_a_name_without_a_person_is_refused_in_a_folder():
    with pytest.raises(ValueError, match=r"'0001_c1\.jpg' names no person"):
        identity.identity_of("0001_c1.jpg", "folder")
    assert identity.identity_of("anna/0001_c1.jpg", "folder") == "anna"
