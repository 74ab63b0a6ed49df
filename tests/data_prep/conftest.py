"""Small data sets to convert."""

import numpy as np
import pytest

from data_prep.records import write_dataset
from pg2_jax.estimators import registry
from pg2_jax.keypoints import keypoint_files
from tests.data_prep.colour_photos import ByColour, write_colour
from tests.data_prep.small_sources import random_pose, write_market, write_photo


@pytest.fixture
def picture():
    """Has the data sets of a test pictured."""


@pytest.fixture(autouse=True)
def no_picture(request, monkeypatch):
    """Spares the compilation of the body mask where nobody looks at the picture."""
    if "picture" not in request.fixturenames:
        monkeypatch.setattr(write_dataset, "_draw", lambda *_: None)


@pytest.fixture
def market(tmp_path):
    people = {"train": {"0001": 3, "0002": 2}, "test": {"0003": 2, "0004": 1}}
    return write_market(tmp_path / "source", people)


@pytest.fixture
def people(tmp_path):
    """A folder of <person>/<photo> with annotations.csv."""
    rng = np.random.default_rng(0)
    names = [f"{who}/{i}.png" for who in ("anna", "bo", "cy", "0000") for i in range(3)]
    for name in names:
        write_photo(rng, tmp_path / "people" / name)
    poses = {name: random_pose(rng) for name in names}
    keypoint_files.write_csv(tmp_path / "people" / "annotations.csv", poses)
    return tmp_path / "people"


@pytest.fixture
def estimator(monkeypatch):
    """Takes the place of all estimators."""
    fake = ByColour()
    monkeypatch.setattr(registry, "open_estimator", lambda _: fake)
    monkeypatch.setattr(registry, "check_installed", lambda _: None)
    return fake


@pytest.fixture
def folder(tmp_path):
    """A folder of people for the estimator of `estimator`, and its model beside it."""
    (tmp_path / "model").write_bytes(b"any")
    folder = tmp_path / "people"
    colours = {
        "anna/1.png": (1, 0, 90),
        "anna/2.png": (3, 0, 80),
        "bo/1.png": (0, 0, 0),
        "bo/2.png": (2, 0, 10),
    }
    for name, colour in colours.items():
        write_colour(folder / name, colour)
    return folder
