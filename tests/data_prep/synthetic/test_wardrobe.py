"""Clothes, faces and surfaces as they are drawn, before any light."""

import dataclasses

import numpy as np
import pytest

from data_prep.synthetic import fabric, person, scenes, wardrobe

SKIN = (0.8, 0.6, 0.5)
BACK, FRONT = slice(0, 16), slice(56, 72)  # columns


def texture(material, **changes):
    look = person.sample_look(np.random.default_rng(3))
    plain = {"pattern": "plain", "front": "plain", "bag": "none", "skin": SKIN}
    look = dataclasses.replace(look, **plain | changes)
    return wardrobe.textures(look)[list(fabric.MATERIALS).index(material)]


def row(material, metres):
    top, high, _ = fabric.MATERIALS[material]
    return round((metres + top) / high * fabric.SIZE)


def test_a_sleeve_ends_where_the_look_says_and_bare_skin_has_no_folds():
    red = {"shirt": (0.8, 0.1, 0.1), "sleeve": 0.5}
    arm = texture("arm", **red)
    cloth, skin = arm[row("arm", 0.05)], arm[row("arm", 0.25)]
    np.testing.assert_allclose(cloth[:, :3].mean(0), (0.8, 0.1, 0.1), atol=0.05)
    np.testing.assert_allclose(skin[:, :3].mean(0), SKIN, atol=0.01)
    assert cloth[:, 3].mean() > 0.1 and skin[:, 3].max() < 0.05


@pytest.mark.parametrize("front", ["print", "text", "jacket", "buttons"])
def test_the_front_of_a_shirt_differs_and_the_back_stays(front):
    chest = slice(row("torso", 0.1), row("torso", 0.3))
    colours = {"shirt": (0.1, 0.1, 0.4), "accents": ((1.0, 1.0, 0.0),) * 2}
    plain = texture("torso", **colours)[chest]
    drawn = texture("torso", front=front, **colours)[chest]
    change = np.abs(drawn - plain)[..., :3].sum(-1)
    assert change[:, BACK].max() < 0.02
    assert change[:, FRONT].max() > 0.2


def test_the_strap_of_a_shoulder_bag_goes_to_the_side_of_the_bag():
    colours = {"shirt": (0.1, 0.1, 0.4), "bag": "shoulder", "bag_colour": (1, 1, 0)}
    low = slice(row("torso", 0.35), row("torso", 0.4))
    columns = []
    for side in (-1, 1):
        torso = texture("torso", bag_side=side, **colours)[low]
        columns.append(np.nonzero((torso[..., 0] > 0.7).any(0))[0])
    # Columns of the front only: the person's right, then the left.
    right, left = (c[(c > 32) & (c < 96)].mean() for c in columns)
    assert right < 60 and left > 68


@pytest.mark.parametrize(
    "pattern", ["stripes", "plaid", "flowers", "dots", "block", "side"]
)
def test_patterns_show_both_colours(pattern):
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    cloth = fabric.Fabric(black, (white, white), pattern, seed=2).cut("leg")
    light = cloth.mean(-1) > 0.3
    assert 0.02 < light.mean() < 0.98


def test_noise_is_periodic_and_standardised():
    noise = fabric.noise()
    assert noise.mean() == pytest.approx(0, abs=1e-3)
    assert noise.std() == pytest.approx(1, abs=1e-3)
    seam = np.abs(noise[:, 0] - noise[:, -1]).mean()
    assert seam == pytest.approx(np.abs(np.diff(noise)).mean(), rel=0.2)


@pytest.mark.parametrize("shape", [(32, 1024), (1024, 16), (33, 17), (128, 64)])
def test_scenes_of_any_shape(shape):
    scene = scenes.make_scene(np.random.default_rng(1), *shape)
    assert scene.place.shape == (*shape, 3) and scene.place.dtype == np.float32
    assert np.isfinite(scene.place).all() and scene.place.std() > 0.01
    assert np.linalg.norm(scene.light.direction) == pytest.approx(1)
    image = scene.develop(scene.place, np.random.default_rng(2))
    assert image.shape == (*shape, 3) and image.dtype == np.uint8
