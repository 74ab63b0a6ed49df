"""A photo taken apart: the person, and the place without it."""

import jax.numpy as jnp
import numpy as np

from pg2_jax.inference import full_resolution, source_photo
from pg2_jax.pg2plus import bodies
from tests.pg2_jax.inference.stand_in import NoFinder, make_photo
from tests.pg2_jax.pg2plus import people
from tests.pg2_jax.pg2plus.people import HEIGHT, WIDTH, person


def read(height, width, scale, fit, monkeypatch, joints=None, photo=None):
    """A scene of which the middle columns of the model's image are the person."""
    middle = np.abs(np.arange(WIDTH)[:, None] - 15.5) < 3
    person_there = np.broadcast_to(middle, (1, HEIGHT, WIDTH, 1)).astype(np.float32)
    large_one = person_there.repeat(scale, axis=1).repeat(scale, axis=2)
    size = HEIGHT, WIDTH
    photo = make_photo(height, width) if photo is None else photo
    joints = person() * np.array([scale, scale, 1]) if joints is None else joints
    source = source_photo.read_source(photo, joints, size, NoFinder(), fit)
    large = np.asarray(photo if fit == "stretch" else source.image)
    # The left half of the person shows clothes that arms hide in the right half.
    left = large_one * (np.arange(scale * WIDTH) < scale * 16).reshape(1, 1, -1, 1)
    clothes = large[None], large_one - left, left
    parsed, light = people.found(person_there), 0.5 * np.ones_like(large_one)
    sure, hair = people.found(large_one), (large[None], 0 * large_one, large_one)
    found = parsed, large_one, sure, large[None], clothes, hair, light
    found = full_resolution._Found(*found)
    monkeypatch.setattr(full_resolution, "_found", lambda *_, scale: found)
    return source, large, full_resolution.take_apart(source, large)


def test_the_place_of_the_person_shows_what_is_around(monkeypatch):
    _, photo, got = read(2 * HEIGHT, 2 * WIDTH, 2, "stretch", monkeypatch)
    assert got.parsed.person.shape == (HEIGHT, WIDTH, 1)
    np.testing.assert_allclose(got.hairy, photo / 2, atol=0.5)
    np.testing.assert_array_equal(got.photo, photo)
    assert got.background.shape == photo.shape
    # Far from the person it is the photo, to the pixel; where the person is, it is not.
    np.testing.assert_array_equal(got.background[:, :4], photo[:, :4])
    np.testing.assert_array_equal(got.background[:, -4:], photo[:, -4:])
    inside = np.abs(got.background[:, 30:34].astype(int) - photo[:, 30:34])
    assert (inside.max(axis=-1) > 0).mean() > 0.5


def test_what_arms_hide_is_filled_with_clothes(monkeypatch):
    """A red arm before the right half of a green shirt, on a white wall."""
    photo = np.full((2 * HEIGHT, 2 * WIDTH, 3), 255, np.uint8)
    photo[:, 26:32], photo[:, 32:38] = (20, 160, 60), (200, 30, 30)
    _, _, got = read(2 * HEIGHT, 2 * WIDTH, 2, "stretch", monkeypatch, photo=photo)
    want = photo.astype(int)
    want[:, 32:38] = (20, 160, 60)
    np.testing.assert_allclose(got.armless, want, atol=3)


def test_beyond_the_photos_edge_something_is_made_up(monkeypatch):
    """A wide photo, letterboxed: above and below it its edge fades into a fill."""
    source, _, got = read(WIDTH, WIDTH, 1, "letterbox", monkeypatch, person())
    top, bottom = (HEIGHT - WIDTH) // 2, (HEIGHT + WIDTH) // 2
    np.testing.assert_array_equal(got.photo[top:bottom], source.image[top:bottom])
    edge = source.image[top, :4].astype(int)
    near, far = (np.abs(got.photo[row, :4] - edge).mean() for row in (top - 1, 0))
    assert near < 0.2 * far and far > 5


def test_a_person_has_its_own_colours_at_its_edge():
    """Red up to column 20, pink there, white beyond."""
    photo = np.full((1, 8, 32, 3), 1.0, np.float32)
    photo[:, :, :20], photo[:, :, 20] = (1, -1, -1), (1, 0.5, 0.5)
    there = np.zeros((1, 8, 32, 1), np.float32)
    there[:, :, :20], there[:, :, 20] = 1, 0.5
    given = jnp.asarray(photo), jnp.asarray(there)
    own = full_resolution._own_colours(*given, bodies.of(jnp.zeros((1, 18, 3))), 2)
    want = np.broadcast_to(np.float32([1, -1, -1]), photo.shape)
    np.testing.assert_allclose(own[:, :, :22], want[:, :, :22], atol=1e-5)


def test_what_is_thin_and_the_middle_of_a_body_keep_their_pixels():
    """A line of red pixels is somebody; the body is elsewhere, and was not found."""
    photo = np.random.default_rng(0).uniform(-1, 1, (1, HEIGHT, WIDTH, 3))
    photo = photo.astype(np.float32)
    there = np.zeros((1, HEIGHT, WIDTH, 1), np.float32)
    there[:, 44], photo[:, 44] = 1, (1, -1, -1)
    body = bodies.of(person()[None])
    own = full_resolution._own_colours(jnp.asarray(photo), jnp.asarray(there), body, 1)
    np.testing.assert_allclose(own[0, 44], photo[0, 44], atol=1e-5)
    np.testing.assert_allclose(own[0, 18, 16], photo[0, 18, 16], atol=1e-5)
    assert np.abs(own[0, 30, 2] - photo[0, 30, 2]).max() > 0.01
    nobody = bodies.of(jnp.zeros((1, 18, 3)))
    same = full_resolution._own_colours(jnp.asarray(photo), 0 * there, nobody, 1)
    np.testing.assert_array_equal(same, photo)
