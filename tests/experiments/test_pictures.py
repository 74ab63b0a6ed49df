"""--save_images: names that stay apart, and folders that appear whole."""

import numpy as np
import pytest
from PIL import Image

from experiments import pictures
from experiments.evaluate import protocol


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 3, 3), np.uint8)


def batch(names, coarse, target):
    kinds = {"copy of source": target, "coarse": coarse}
    return protocol.Batch(names, kinds, target, None, {})


def test_every_image_is_a_file_of_its_own(tmp_path):
    drawn, targets = images(4), images(4, 1)
    names = [("x/a.jpg", "b.jpg"), ("a.b.png", "c"), ("x/a.png", "b.jpg")]
    with pictures.replacing(tmp_path / "images") as save_batch:
        save_batch(batch(names[:2], drawn[:2], targets[:2]))
        save_batch(batch(names[2:], drawn[2:], targets[2:]))  # One is padding.
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == [
        *("coarse", "target")
    ]
    for kind, wanted in {"coarse": drawn, "target": targets}.items():
        folder = tmp_path / "images" / kind
        files = ["x_a__b.png", "a.b__c.png", "x_a__b__2.png"]
        assert sorted(path.name for path in folder.iterdir()) == sorted(files)
        for file, image in zip(files, wanted, strict=False):
            np.testing.assert_array_equal(np.asarray(Image.open(folder / file)), image)


def save(folder, seed, *, fails=False):
    with pictures.replacing(folder) as save_batch:
        save_batch(batch([("a", f"b{seed}")], images(1, seed), images(1)))
        if fails:
            raise ValueError("full")


def test_a_failure_leaves_the_older_folder(tmp_path):
    folder = tmp_path / "images"
    save(folder, 0)
    with pytest.raises(ValueError, match="full"):
        save(folder, 1, fails=True)
    assert [p.name for p in tmp_path.iterdir()] == ["images"]
    assert [p.name for p in (folder / "coarse").iterdir()] == ["a__b0.png"]
    save(folder, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["images"]
    assert [p.name for p in (folder / "coarse").iterdir()] == ["a__b2.png"]


def test_a_folder_of_something_else_is_kept(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "holiday.jpg").write_text("")
    with pytest.raises(ValueError, match=r"replace .*images, which .*: holiday.jpg"):
        save(tmp_path / "images", 0)
    assert [p.name for p in (tmp_path / "images").iterdir()] == ["holiday.jpg"]
