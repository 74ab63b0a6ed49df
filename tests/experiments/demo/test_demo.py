"""The demo's flags, its port, what is loaded before visitors come, and examples."""

import numpy as np
import pytest
from PIL import Image

from experiments.config import Config
from experiments.demo import demo
from pg2_jax.estimators import base, person_finder, registry
from pg2_jax.keypoints import keypoint_files
from tests.experiments.demo.demo_server import POSE, photo


def test_the_estimator_is_opened_before_visitors_come(monkeypatch, capsys):
    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    assert demo.open_finder("") is None
    assert (
        "note: of a photo with other proportions the middle is used; a pose "
        "estimator is needed to find"
    ) in (capsys.readouterr().out)
    opened = []
    monkeypatch.setattr(person_finder, "_installed", lambda: "mediapipe")
    monkeypatch.setattr(registry, "open_estimator", opened.append)
    named = "/nowhere/model.task"
    with pytest.raises(ValueError, match=r"^pose_model=/nowhere/model.task: there"):
        demo.open_finder(named)
    monkeypatch.setattr(registry, "locate", lambda name, model: model)
    assert demo.open_finder(named).is_installed()
    assert opened == [base.Settings("mediapipe", "/nowhere/model.task")]


def test_a_port_that_is_taken_is_named():
    with demo.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"--port={port}: .*in use"):
            demo.listen("127.0.0.1", port)
    with pytest.raises(OSError, match=r"--host=no\.such\.host\.invalid"):
        demo.listen("no.such.host.invalid", 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workdir": ""}, "--workdir is required with --mode=demo"),
        ({"port": 70_000}, "--port=70000 must be below 65536"),
        ({"requests_per_minute": 0}, "--requests_per_minute=0 must be at least 1"),
    ],
)
def test_bad_flags(changes, words):
    with pytest.raises(ValueError, match=words):
        Config(**{"mode": "demo", "workdir": "w", **changes})


def test_examples_of_a_folder(demo_queue, tmp_path):
    name = "--examples_dir="
    with pytest.raises(ValueError, match=f"{name}.*no such folder"):
        demo.example_people(demo_queue, str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=f"{name}.*holds no images"):
        demo.example_people(demo_queue, str(tmp_path))
    for i in range(14):
        Image.fromarray(photo()).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "notes.md").write_text("no photo")
    people = demo.example_people(demo_queue, str(tmp_path))
    assert list(people) == [f"{i:02d}" for i in range(12)]
    np.testing.assert_array_equal(people["00"].image, photo())
    (tmp_path / "03.png").write_text("text")
    with pytest.raises(ValueError, match=f"{name}.*03.png: not a photo"):
        demo.example_people(demo_queue, str(tmp_path))


def test_synthetic_people_have_the_models_size(demo_queue):
    people = demo.example_people(demo_queue, "")
    assert list(people) == [f"Synthetic person {i}" for i in range(1, 7)]
    for person in people.values():
        assert person.image.shape == (32, 16, 3) and person.keypoints.shape == (18, 3)
        x, y, visible = person.keypoints[person.keypoints[:, 2] > 0].T
        assert visible.sum() >= 9 and x.max() < 16 and y.max() < 32


def test_photos_that_come_with_a_model_are_the_first_examples(demo_queue, tmp_path):
    """With their joints, and the credit that their licence asks for."""
    model, folder = tmp_path / "model.safetensors", tmp_path / "photo"
    folder.mkdir()
    model.touch()
    Image.fromarray(photo()).save(folder / "me.png")
    keypoint_files.write_csv(folder / "annotations.csv", {"me.png": POSE.round()})
    (folder / "credit.txt").write_text("Photo: somebody,\nCC BY 4.0.\n")
    people = demo.example_people(demo_queue, "", str(model))
    assert next(iter(people)) == "Photo: me" and len(people) == 6
    first = people["Photo: me"]
    np.testing.assert_array_equal(first.image, photo())
    np.testing.assert_allclose(first.keypoints, POSE.round())
    assert first.note == "Photo: somebody,\nCC BY 4.0."
    # Beside the folder of a run there is none.
    assert "Photo: me" not in demo.example_people(demo_queue, "", str(tmp_path))
