"""What each pixel of a photo shows: by the network, and by the colours nearby."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data_prep.synthetic import figure, pictures
from pg2_jax import inputs
from pg2_jax.pg2plus import parsing, sampling
from tests.pg2_jax.pg2plus.people import HEIGHT, WIDTH, person, source_photo

NOBODY = np.zeros((1, 18, 3), np.float32)
parse = jax.jit(parsing.parse)


def two_colours(left, right, shape=(16, 16)):
    """A photo of two halves, [1, H, W, 3]."""
    photo = np.empty((1, *shape, 3), np.float32)
    photo[:, :, : shape[1] // 2], photo[:, :, shape[1] // 2 :] = left, right
    return photo


def test_in_doubt_the_nearest_colour_decides():
    """Left is the person, right is not, and the middle of the photo is in doubt: its
    colours are 0.1 apart, so that the one is 0.01 / 0.02 * 1.5 more likely."""
    photo = two_colours(0.2, 0.3)
    likely = np.full((1, 16, 16, 1), 0.5, np.float32)
    likely[:, :, :4], likely[:, :, 12:] = 0.99, 0.01
    got = np.asarray(parsing.by_colours(photo, likely))[0, 8, :, 0]
    share = 1 / (1 + np.exp(-0.5 * 0.75))
    np.testing.assert_allclose(got[4:8], share, atol=1e-4)
    np.testing.assert_allclose(got[8:12], 1 - share, atol=1e-4)
    assert got[0] > 0.99 and got[15] < 0.01


def test_colours_say_only_so_much():
    """Black and white: 4 of a logit's units at half the trust, at any distance."""
    photo = two_colours(-1.0, 1.0)
    likely = np.full((1, 16, 16, 1), 0.5, np.float32)
    likely[:, :, :4], likely[:, :, 12:] = 0.99, 0.01
    got = np.asarray(parsing.by_colours(photo, likely))[0, 8, 4:12, 0]
    share = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(got, [share] * 4 + [1 - share] * 4, atol=1e-4)


@pytest.mark.parametrize("likely", [0.6, 0.8, 0.3, 0.99])
def test_colours_of_which_nothing_is_known_tell_nothing(likely):
    photo = source_photo()
    likely = np.full((1, HEIGHT, WIDTH, 1), likely, np.float32)
    got = np.asarray(parsing.by_colours(photo, likely))
    np.testing.assert_allclose(got, likely, atol=1e-5)


def test_classes_are_shares_at_any_size():
    """Small photos are looked at enlarged."""
    photo, points = source_photo(), person()[None]
    shares = jax.jit(parsing.classes)(photo, points)
    assert shares.shape == (1, HEIGHT, WIDTH, len(parsing.CLASSES))
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    large = sampling.enlarged(photo, 2 * HEIGHT, 2 * WIDTH)
    doubled = points * np.array([2, 2, 1], np.float32)
    doubled[..., :2] += 0.5
    want = sampling.halved(jax.jit(parsing.classes)(large, doubled))
    np.testing.assert_allclose(shares, want, atol=0.02)


def test_nobody_is_found_without_joints():
    np.testing.assert_array_equal(parse(source_photo(), NOBODY).person, 0)
    unknown = np.full_like(NOBODY, np.nan)
    np.testing.assert_array_equal(parse(source_photo(), unknown).person, 0)


@pytest.mark.parametrize("size", [(128, 64), (64, 32), (256, 128)])
def test_people_whom_the_network_never_saw_are_found(size):
    """By what the renderer knows of them: they differ from those of its training."""
    photos = [pictures.photograph(77, who, 0, *size)[1] for who in range(20)]
    images = inputs.from_uint8(jnp.stack([photo.image for photo in photos]))
    points = jnp.stack([photo.keypoints for photo in photos])
    truth = np.stack([photo.classes for photo in photos]) / 255.0
    found = parse(images, points)

    def overlap(likely, shares):
        likely, there = np.asarray(likely)[..., 0] > 0.5, shares > 0.5
        return (likely & there).sum() / (likely | there).sum()

    assert overlap(found.person, truth.sum(axis=-1)) > PERSON[size]
    hair = truth[..., figure.CLASSES.index("hair")]
    assert overlap(found.hair, hair) > HAIR[size]


# A little less than what was measured.
PERSON = {(128, 64): 0.92, (64, 32): 0.9, (256, 128): 0.92}
HAIR = {(128, 64): 0.74, (64, 32): 0.71, (256, 128): 0.74}
