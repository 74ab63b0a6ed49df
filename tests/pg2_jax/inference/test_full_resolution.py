"""Pictures with the photo's own pixels."""

import functools

import jax
import numpy as np
import pytest

from pg2_jax import inputs
from pg2_jax.inference import paste_back, pose_transfer
from pg2_jax.pg2plus import part_transfer, part_warp
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
    return photo, model()(photo, WALKING, **options)


@jax.jit
def by_definition(params, image, photo):
    """Weights and image of the network, enlarged, and pixels of the photo."""
    small, large = inputs.from_uint8(image), inputs.from_uint8(photo)
    poses = person()[None], WALKING[None]
    guide = part_transfer.guide(small, *poses, HEIGHT, WIDTH)
    network = part_transfer.PartTransferGenerator(ARCHITECTURE)
    layers = network.apply({"params": params}, small, guide, method="layers")
    size = photo.shape[1:3]
    own, shares = (
        jax.image.resize(x, (1, *size, x.shape[-1]), "bilinear") for x in layers
    )
    doubled = (times(points, 2).astype(np.float32) for points in poses)
    from_source, to_target = doubled
    moved = part_warp.warp(large, from_source, to_target, *size)
    behind = part_warp.without_person(large, part_warp.background(from_source, *size))
    picture = (
        shares[..., :1] * moved.composite
        + shares[..., 1:2] * behind
        + shares[..., 2:3] * large
        + shares[..., 3:] * own
    )
    return inputs.to_uint8(picture)


@pytest.mark.slow
def test_weights_are_enlarged_and_pixels_are_the_photos_own():
    photo, result = drawn(2)
    want = by_definition(weights()[0], result.source[None], photo[None])[0]
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
    if times_as_large == 1:
        assert result.large is None
    else:
        want = times_as_large * HEIGHT, times_as_large * WIDTH, 3
        assert result.large.shape == want


def test_what_has_no_more_pixels_is_not_enlarged():
    assert drawn(1)[1].large is None
    with pytest.raises(ValueError, match=r"^max_side=0 must be 1 or more"):
        drawn(2, max_side=0)


def test_without_joints_there_are_no_pixels_to_move():
    words = r"the person's joints are is not known, .* Give the joints \(source_pose\)"
    with pytest.warns(UserWarning, match=words):
        _, result = drawn(2, source_pose=None)
    assert result.large is None and result.image.shape == (HEIGHT, WIDTH, 3)
