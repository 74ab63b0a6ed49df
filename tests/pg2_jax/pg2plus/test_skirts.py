"""What hangs between the legs: where it is, whether it is found, and how it moves."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_prep.synthetic import figure, person, pictures
from pg2_jax import inputs, pose
from pg2_jax.pg2plus import parsing, part_warp, skirts
from tests.pg2_jax.pg2plus.people import (
    HEIGHT,
    STANDING,
    TO_THE_LEFT,
    WALKING,
    WIDTH,
    found,
)
from tests.pg2_jax.pg2plus.people import person as keypoints

WIDE = keypoints(right_knee=(9, 33), left_knee=(23, 33), right_ankle=(7, 41))
ALL, ABOVE_KNEES = np.ones((1, 16), np.float32), np.repeat([1.0, 0.0], 8)[None]


def lap_of(points):
    return jax.jit(skirts.lap)(points[None])


def test_the_lap_lies_between_the_legs():
    lap = lap_of(keypoints())
    np.testing.assert_allclose(lap.origin[0], [(16, 25), (16, 33)])
    np.testing.assert_allclose(lap.along[0], [(0, 1), (0, 1)], atol=1e-6)
    np.testing.assert_allclose(lap.across[0], [(1, 0), (1, 0)], atol=1e-6)
    np.testing.assert_allclose(lap.length[0], [8, 8])
    # 3 pixels to each side, and of a torso of 13 pixels 0.3, 0.22 and 0.17.
    np.testing.assert_allclose(lap.upper[0], [6.9, 5.86], rtol=1e-6)
    np.testing.assert_allclose(lap.lower[0], [5.86, 5.21], rtol=1e-6)
    assert lap.known.all() and lap.turned[0] == 0
    behind = lap_of(keypoints(np.array(STANDING) * [-1, 1] + [32, 0]))
    np.testing.assert_allclose(behind.across[0], [(-1, 0), (-1, 0)], atol=1e-6)
    legless = dict.fromkeys(
        f"{s}_{j}" for s in ("right", "left") for j in ("knee", "ankle")
    )
    assert not lap_of(keypoints(**legless)).known.any()
    # Thighs that point to the camera have no length: nothing is known of them.
    seat = dict(right_hip=(15, 25), left_hip=(17, 25))
    squatting = lap_of(keypoints(**seat, right_knee=(15, 25.5), left_knee=(17, 25.5)))
    np.testing.assert_array_equal(squatting.known[0], [False, True])
    np.testing.assert_allclose(squatting.along[0, 0], (0, 1))
    assert np.isfinite(squatting.lower).all()


def places(source, target, cloth):
    program = jax.jit(skirts.places, static_argnums=(3, 4))
    found = program(lap_of(source), lap_of(target), jnp.array(cloth), HEIGHT, WIDTH)
    return [np.asarray(x[0]) for x in found]


def test_cloth_goes_down_to_its_hem():
    x, y, opacity = places(keypoints(), keypoints(), ALL)
    for half, rows in ((0, slice(25, 33)), (1, slice(33, 41))):
        inside = np.s_[rows, 13:20, half]
        np.testing.assert_allclose(opacity[inside], 1)
        np.testing.assert_allclose(x[inside], np.arange(13, 20)[None].repeat(8, 0))
        np.testing.assert_allclose(y[inside][:, 0], np.arange(rows.start, rows.stop))
    assert opacity[:, 26:].max() == opacity[:, :6].max() == 0
    assert opacity[:23, :, 0].max() == opacity[35:, :, 0].max() == 0
    _, _, opacity = places(keypoints(), keypoints(), ABOVE_KNEES)
    # The hem lies half a pixel to each side of the knees, where the upper half ends.
    np.testing.assert_allclose(opacity[25:32, 16, 0], 1)
    np.testing.assert_allclose(opacity[33, 16], [0.25, 0.5], atol=1e-5)
    assert opacity[34:, 16].max() == 0


def test_cloth_is_stretched_between_legs_that_part():
    x, y, opacity = places(keypoints(), WIDE, ALL)
    # Half-way down the thighs it is 6.38 pixels wide, and 7.88 where the knees part.
    np.testing.assert_allclose(x[29, 20, 0], 16 + 4 * 6.38 / 8.38, rtol=1e-5)
    assert (y[29, 20, 0], opacity[29, 20, 0]) == (29, 1)


def test_who_faces_the_other_side_is_mirrored():
    """A coat that is open in front stays so."""
    other = np.asarray(pose.flip_keypoints(jnp.asarray(TO_THE_LEFT), WIDTH))
    x, _, opacity = places(TO_THE_LEFT, other, ALL)
    straight, _, _ = places(TO_THE_LEFT, TO_THE_LEFT, ALL)
    inside = opacity[27, :, 0] == 1
    assert 5 < inside.sum() == inside[10:22].sum()
    # Column i is 31 - i of the mirrored photo.
    np.testing.assert_allclose(x[27, :, 0], straight[27, ::-1, 0], atol=1e-4)


def test_the_lap_is_before_the_legs_and_behind_the_torso():
    photo = np.zeros((1, HEIGHT, WIDTH, 3), np.float32)
    photo[:, 26:41, 10:23, 0] = 1  # a red skirt
    photo[:, :26, :, 1] = 1  # all above it is green
    people = keypoints()[None], WALKING[None]
    whole = found(jnp.ones((1, HEIGHT, WIDTH, 1)))

    def skirts_of(photo, people):
        whole = found(jnp.ones((*photo.shape[:3], 1)))
        return warp(photo, *people, HEIGHT, WIDTH, whole, cloth=ALL)

    warp = jax.jit(part_warp.warp, static_argnums=(3, 4))
    bare = warp(photo, *people, HEIGHT, WIDTH, whole)
    worn = skirts_of(photo, people)
    assert bare.coverage[0, 38, 14, 0] == 0 and worn.coverage[0, 38, 14, 0] == 1
    np.testing.assert_allclose(worn.composite[0, 38, 14], [1, 0, 0], atol=1e-5)
    np.testing.assert_array_equal(bare.composite[0, :22], worn.composite[0, :22])
    np.testing.assert_allclose(worn.lap[0, 38, 14], 1)
    assert np.max(bare.lap) == 0 and np.max(worn.lap[0, :22]) == 0
    # What is not the person does not move along, nor what lies outside the photo.
    outside = skirts_of(photo[:, :30], people)
    assert outside.lap[0, 38, 14, 0] == 0
    nobody = warp(photo, *people, HEIGHT, WIDTH, found(0 * whole.person), cloth=ALL)
    assert nobody.coverage[0, 38, 14, 0] == 0


def test_the_network_sees_the_rows_of_the_lap():
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, (1, HEIGHT, WIDTH, 3)).astype(np.float32)
    likely = rng.uniform(size=(1, HEIGHT, WIDTH, 1)).astype(np.float32)
    seen = np.asarray(jax.jit(skirts.seen)(image, keypoints()[None], likely)[0])
    assert seen.shape == (16, 13, 6)
    # The middle of row 5 is 5.5 pixels below the hips, between two rows of pixels.
    want = (image[0, 30, 16] + image[0, 31, 16]) / 2
    np.testing.assert_allclose(seen[5, 6, :3], want, atol=1e-5)
    want = (likely[0, 38, 16] + likely[0, 39, 16]) / 2
    np.testing.assert_allclose(seen[13, 6, 3], want[0], atol=1e-5)
    # Legs are at the sides; the hands that hang beside the hips, too.
    assert seen[8, 6, 4] < seen[8, 3, 4] == 1 and seen[0, 0, 5] > 0


def test_cloth_never_begins_below_a_gap():
    network = skirts.SkirtNetwork()
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(8, 16, 13, 6)).astype(np.float32)
    params = network.init(jax.random.key(0), seen)["params"]
    logits = np.asarray(network.apply({"params": params}, seen))
    assert (np.diff(logits) <= 0).all() and (np.diff(logits) < 0).any()
    zero = jax.tree.map(np.zeros_like, params)
    for logit, want in ((-2, 0), (-0.9, 0.5), (0, 1)):
        zero["rows"]["bias"] = np.full(16, logit, np.float32)
        np.testing.assert_allclose(skirts.opacity(zero, seen), want, atol=1e-5)


def test_skirts_are_found_and_trousers_are_none():
    """Of people that neither network was trained on."""
    photos = [pictures.photograph(77, who, 0, 128, 64)[1] for who in range(40)]
    images = inputs.from_uint8(jnp.stack([photo.image for photo in photos]))
    points = jnp.stack([photo.keypoints for photo in photos])

    @jax.jit
    def cloth_of(images, points):
        found = parsing.parse(images, points)
        return skirts.cloth(images, points, found.person)

    cloth = np.asarray(cloth_of(images, points))
    hems = np.array([photo.hem for photo in photos])
    longer, none = cloth[hems > 0.7, 4], cloth[hems == 0, 4]
    assert len(longer) >= 5 and len(none) >= 20
    assert longer.mean() > 0.75 and none.mean() < 0.12


@pytest.mark.parametrize(
    ("skirt", "hem"), [(0.0, 0.0), (0.215, 0.5), (0.645, 1.5), (2.0, 2.0)]
)
def test_the_hem_of_a_synthetic_person(skirt, hem):
    look = person.sample_look(np.random.default_rng(0))
    size = look.size
    joints = {"pelvis": (0, 0, 0)}
    for side, x in (("r", -0.1), ("l", 0.1)):
        joints[f"{side}_knee"] = (x * size, -0.43 * size, 0)
        joints[f"{side}_ankle"] = (x * size, -0.86 * size, 0)
    joints = {name: np.array(place) for name, place in joints.items()}
    look = dataclasses.replace(look, skirt=skirt)
    got = pictures._hem(look, figure.Skeleton(joints, {}))
    assert got == pytest.approx(hem)
