"""Pictures with the photo's own pixels."""

import functools

import jax
import numpy as np
import pytest

from pg2_jax import inputs
from pg2_jax.inference import (
    full_resolution,
    paste_back,
    pose_transfer,
    source_photo,
)
from pg2_jax.pg2plus import blending, guides, part_transfer, part_warp, skirts
from tests.pg2_jax.inference.stand_in import NoFinder, make_photo
from tests.pg2_jax.pg2plus.people import (
    ARCHITECTURE,
    HEIGHT,
    WALKING,
    WIDTH,
    generators,
    person,
    weights,
)

# Seen from behind: the head is hair.
AWAY = WALKING.copy()
AWAY[[0, 14, 15]] = 0


@functools.cache
def model():
    return pose_transfer.PoseTransfer(generators(), finder=NoFinder())


def times(keypoints, scale):
    """Places of the model's pixels in an image so many times as large."""
    half = np.array([0.5, 0.5, 0])
    return (keypoints + half) * np.array([scale, scale, 1]) - half


def drawn(scale, **options):
    """A photo so many times as large as the model's images, and its result."""
    photo = make_photo(scale * HEIGHT, scale * WIDTH)
    joints = person() * np.array([scale, scale, 1])
    options = {"fit": "stretch", "source_pose": joints} | options
    return photo, model()(photo, AWAY, **options)


CLOTH = np.ones((1, skirts.ROWS), np.float32)  # whatever the photo shows


@jax.jit
def by_definition(params, image, photo, background, _, sure, own, armless, hairy):
    """Weights and image of the network, enlarged, and pixels of the photo."""
    images = image, photo, background, own, armless, hairy
    small, large, behind, person_s, armless, hairy = map(inputs.from_uint8, images)
    poses = person()[None], AWAY[None]
    guide = guides.guide(small, *poses, HEIGHT, WIDTH)
    network = part_transfer.PartTransferGenerator(ARCHITECTURE, final=True)
    own, shares = network.apply({"params": params}, small, guide, method="layers")
    shares = blending.without_what_leaves(shares, guide)
    size = photo.shape[1:3]
    own = jax.image.resize(own, (1, *size, 3), "bilinear")
    from_source, to_target = (times(points, 2).astype(np.float32) for points in poses)
    known = sure, armless, hairy, CLOTH
    moved = part_warp.warp(person_s, from_source, to_target, *size, *known)
    shares = blending.enlarged(shares, guide, moved.coverage)
    # Away from the person the background is in the place of the network's image.
    away = part_warp.background(to_target, *size, 0.1)
    own = away * behind + (1 - away) * own
    picture = (
        shares[..., :1] * moved.composite
        + shares[..., 1:2] * behind
        + shares[..., 2:3] * large
        + shares[..., 3:] * own
    )
    return inputs.to_uint8(picture)


@pytest.mark.slow
def test_weights_are_enlarged_and_pixels_are_the_photos_own(monkeypatch):
    monkeypatch.setattr(skirts, "cloth", lambda *_: CLOTH)
    photo, result = drawn(2)
    joints = person() * np.array([2, 2, 1])
    size = HEIGHT, WIDTH
    source = source_photo.read_source(photo, joints, size, NoFinder(), "stretch")
    place = full_resolution.take_apart(source, photo)
    given = jax.tree.map(lambda x: x[None], (result.source, *place))
    want = by_definition(weights()[0], *given)[0]
    assert result.large.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    difference = np.abs(result.large.astype(int) - np.asarray(want, int))
    assert difference.max() <= 1
    # It has more of the photo in it than the small image has.
    enlarged = result.image.repeat(2, axis=0).repeat(2, axis=1)
    assert np.abs(result.large.astype(int) - enlarged).mean() > 5


def test_the_whole_photo_gets_the_large_picture():
    photo, result = drawn(2, paste_back=True)
    body = paste_back.body(result.pose, HEIGHT, WIDTH).repeat(2, 0).repeat(2, 1) == 1
    body[1:-1] &= body[:-2] & body[2:]
    body[:, 1:-1] &= body[:, :-2] & body[:, 2:]
    assert body.any() and result.whole.shape == photo.shape
    np.testing.assert_array_equal(result.whole[body], result.large[body])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "max_side", "times_as_large"),
    [(4, 1024, 4), (4, 2 * HEIGHT, 2), (4, 3 * HEIGHT, 2), (2, 2 * HEIGHT - 1, 1)],
)
def test_the_longest_side_is_limited(scale, max_side, times_as_large):
    _, result = drawn(scale, max_side=max_side)
    want = times_as_large * HEIGHT, times_as_large * WIDTH, 3
    assert result.large.shape == want


def test_what_has_no_more_pixels_is_not_enlarged():
    assert drawn(1)[1].large.shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(ValueError, match=r"^max_side=0 must be 1 or more"):
        drawn(2, max_side=0)


def test_without_joints_there_are_no_pixels_to_move():
    words = (
        r"the person's joints are is not known, .* Give the joints \(`source_pose`\)"
    )
    with pytest.warns(UserWarning, match=words):
        _, result = drawn(2, source_pose=None)
    assert result.large is None and result.image.shape == (HEIGHT, WIDTH, 3)
