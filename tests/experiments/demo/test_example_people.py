"""Photos for visitors without one."""

import numpy as np
import pytest
from PIL import Image

from experiments.demo import example_people
from tests.experiments.demo.demo_server import photo


def test_examples_of_a_folder(demo_queue, tmp_path):
    name = "--examples_dir="
    with pytest.raises(ValueError, match=f"{name}.*no such folder"):
        example_people.read(demo_queue, str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=f"{name}.*holds no photo"):
        example_people.read(demo_queue, str(tmp_path))
    for i in range(14):
        Image.fromarray(photo()).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "notes.md").write_text("no photo")
    people = example_people.read(demo_queue, str(tmp_path))
    assert list(people) == [f"{i:02d}" for i in range(12)]
    np.testing.assert_array_equal(people["00"], photo())
    (tmp_path / "03.png").write_text("text")
    with pytest.raises(ValueError, match=f"{name}.*03.png: not a photo"):
        example_people.read(demo_queue, str(tmp_path))


def test_synthetic_people_have_the_models_size(demo_queue):
    people = example_people.read(demo_queue, "")
    assert list(people) == [f"Synthetic person {i}" for i in range(1, 7)]
    assert {image.shape for image in people.values()} == {(32, 16, 3)}
