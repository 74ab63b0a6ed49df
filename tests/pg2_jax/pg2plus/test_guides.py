"""What the networks are told of a photo and of two poses."""

import numpy as np
import pytest

from pg2_jax import pose
from pg2_jax.pg2plus import guides, part_warp, pull_push, skirts
from tests.pg2_jax.pg2plus.people import (
    HEIGHT,
    WALKING,
    WIDTH,
    found,
    middle,
    person,
    source_photo,
    told_of,
)


def test_the_guide_says_all_of_both_poses_in_order():
    source, poses = source_photo(), (person()[None], WALKING[None])
    guide, size = told_of(source, middle(), *poses), (HEIGHT, WIDTH)
    front = np.broadcast_to([1.0, 0, 0, 1, 0, 0], (1, *size, 6))
    masks = part_warp.warp(source, *poses, *size, found(middle())).masks
    parts = [
        (guides.FINE - 10, masks),
        (guides.FINE, pose.heat_maps(poses[1], *size)),
        (guides.FINE + 18, pose.heat_maps(poses[0], *size)),
        (guides.CHANNELS - 6, front),
    ]
    assert guide.shape == (1, *size, 62) and guides.CHANNELS == 60
    for begin, want in parts:
        got = guide[..., begin : begin + want.shape[-1]]
        np.testing.assert_allclose(got, want, atol=1e-5)
    # Of a person seen from behind the source's view alone changes.
    behind = told_of(source, middle(), person()[pose.MIRRORED][None], WALKING[None])
    np.testing.assert_array_equal(behind[0, 0, 0, 54:60], [1, 0, 0, 0, 0, 1])


def test_the_guide_is_told_who_the_person_is():
    source, poses = source_photo(), (person()[None], WALKING[None])
    known = np.asarray(told_of(source, middle(), *poses))
    cloth = skirts.cloth(source, poses[0], middle())
    moved = part_warp.warp(source, *poses, HEIGHT, WIDTH, found(middle()), cloth=cloth)
    np.testing.assert_allclose(known[..., :3], moved.composite, atol=1e-4)
    np.testing.assert_allclose(known[..., 6:7], moved.coverage, atol=1e-5)
    # The background begins a pixel from the person, and is not in the middle of parts.
    free = known[..., 7:8]
    assert (free[:, :, 9:24] == 0).all() and free[0, 2, 8] == 1
    assert (
        free[0, 24, 8] < 0.2 and free[0, 24, 4] == 1
    )  # the right wrist, and beside it
    ends = np.asarray(part_warp.background(poses[0], HEIGHT, WIDTH, -0.1)) > 0
    assert (free[~ends] == 0).all() and free[0, 2, 2] == 1
    want = pull_push.without_person(source, free)
    np.testing.assert_allclose(known[..., 3:6], want, atol=1e-5)
    # Only the person leaves, with the pixels about it.
    still = np.asarray(part_warp.still(*poses, HEIGHT, WIDTH))
    about = np.pad(free[0, ..., 0], 1, mode="edge")
    about = np.lib.stride_tricks.sliding_window_view(about, (3, 3)).min(axis=(2, 3))
    want = 1 - (1 - still) * (1 - about[None, ..., None])
    stays = known[..., 60:61]
    np.testing.assert_allclose(stays, want, atol=1e-5)
    assert (stays == 0).any() and (still != stays).any()
    inside = np.maximum(part_warp.inside(poses[1], HEIGHT, WIDTH), moved.lap)
    np.testing.assert_allclose(known[..., 61:], inside, atol=1e-5)


@pytest.mark.parametrize(
    ("likely", "free", "moves"), [(0.2, 0.7, 0), (0.42, 0.04, 0.05), (0.6, 0, 0.5)]
)
def test_in_doubt_it_is_the_person_for_the_background_alone(likely, free, moves):
    source, poses = source_photo(), (person()[None], WALKING[None])
    told = np.asarray(told_of(source, middle(likely), *poses))
    np.testing.assert_allclose(told[0, 2, 9:12, 7], free, atol=1e-5)
    cloth = skirts.cloth(source, poses[0], middle(likely))
    there = found(middle(moves))
    moved = part_warp.warp(source, *poses, HEIGHT, WIDTH, there, cloth=cloth)
    np.testing.assert_allclose(told[..., 6:7], moved.coverage, atol=1e-5)


@pytest.mark.parametrize("likely", [1.0, 0.2])
def test_hair_goes_on_in_its_colour_and_a_forehead_is_none(likely):
    """Hair above row 3 is 0.5, what is taken for hair in the face is -1; even where
    nothing is surely hair."""
    photo = np.zeros((1, HEIGHT, WIDTH, 3), np.float32)
    hair = np.zeros((1, HEIGHT, WIDTH, 1), np.float32)
    photo[:, :3, 11:22], photo[:, 4:9, 15:18] = 0.5, -1.0
    hair[:, :3, 11:22], hair[:, 4:9, 15:18] = likely, likely
    photo[:, 1, 14] = 0.6  # a curl
    got, light, sure = guides.hairy(photo, person()[None], hair)
    got = np.asarray(guides.shaded(got, light))[0]
    assert sure[0, 1, 14] == 1 and sure[0, 6, 16] == 0
    # Half as bright as white, less 35 % at the chin and below; row 6, of the ears, is
    # at 7/18 of the face.
    np.testing.assert_allclose(got[30, 5], 1.5 * 0.65 - 1, atol=0.01)
    want = 1.5 * (1 - 0.35 * (0.5 - 0.04 / 0.44)) - 1
    np.testing.assert_allclose(got[6, 16], want, atol=0.01)
    np.testing.assert_allclose(got[1, 14], 0.6, atol=1e-5)
