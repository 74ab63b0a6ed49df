"""Who of a photo the person is: what `find` makes of weights, and what teaches it."""

import jax
import numpy as np
import pytest

from pg2_jax.pg2plus import find_person, guides, part_transfer, part_warp
from tests.pg2_jax.pg2plus.people import (
    HEIGHT,
    SHARP,
    WALKING,
    WIDTH,
    person,
    source_photo,
    weights,
)

NOBODY = np.zeros((18, 3), np.float32)


def tidied(person, keypoints, size):
    """What `find` makes of how little is kept, [H, W]: certainly the middle of the
    parts, no small gaps, nothing far away."""
    inside = np.asarray(part_warp.inside(keypoints, *size))
    person_or_not = np.maximum(person, inside)[0, ..., 0]

    def around(x, of, edge):
        padded = np.pad(x, 1, constant_values=edge)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
        return of(windows, axis=(2, 3))

    closed = around(around(person_or_not, np.max, 0), np.min, 1)
    near = 1 - np.asarray(part_warp.background(keypoints, *size, 1.0))[0, ..., 0]
    return near * closed


def test_the_person_is_what_is_not_kept_where_nobody_shall_be():
    source, keypoints = source_photo(), person(left_ankle=None)[None]
    params, size = weights()[0], (HEIGHT, WIDTH)

    @jax.jit
    def found(params, source, keypoints):
        guide = guides.guide(source, keypoints, None, *size, "sharp")
        network = part_transfer.PartTransferGenerator(SHARP)
        layers = network.apply({"params": params}, source, guide, method="layers")
        got = find_person.find(params, source, keypoints, SHARP)
        return guide, layers.weights, got

    guide, shares, got = found(params, source, keypoints)
    # Nothing is moved nowhere, and nothing is said to leave.
    for empty in (slice(3), slice(6, 7), slice(8, 36)):
        np.testing.assert_array_equal(guide[..., empty], 0)
    np.testing.assert_array_equal(guide[..., 54:57], guide[..., 57:60])  # the views
    np.testing.assert_array_equal(guide[..., 60:61], 1)
    np.testing.assert_array_equal(guide[..., 61:], 0)
    want = tidied(1 - shares[..., 2:3], keypoints, size)
    np.testing.assert_allclose(got[0, ..., 0], want, atol=1e-5)
    nobody = found(params, source, np.zeros_like(keypoints))[2]
    np.testing.assert_array_equal(nobody, 0)


def test_the_person_of_a_large_photo_is_found_at_half_its_size():
    source, keypoints = source_photo(), person()[None]
    params, size = weights()[0], (2 * HEIGHT, 2 * WIDTH)
    large = np.asarray(source).repeat(2, axis=1).repeat(2, axis=2)
    points = keypoints.copy()
    points[..., :2] = 2 * keypoints[..., :2] + 0.5

    @jax.jit
    def found(params, source, large):
        guide = guides.guide(source, keypoints, None, HEIGHT, WIDTH, "sharp")
        network = part_transfer.PartTransferGenerator(SHARP)
        layers = network.apply({"params": params}, source, guide, method="layers")
        return layers.weights, find_person.find(params, large, points, SHARP)

    shares, got = found(params, source, large)
    assert min(HEIGHT, WIDTH) < 64 <= min(size)
    enlarged = jax.image.resize(1 - shares[..., 2:3], (1, *size, 1), "linear")
    want = tidied(np.asarray(enlarged), points, size)
    np.testing.assert_allclose(got[0, ..., 0], want, atol=1e-4)


def lesson_of(source, target, *poses):
    given = source, target, *(points[None] for points in poses)
    lesson = jax.jit(find_person.lesson, static_argnums=4)(*given, SHARP)
    return lesson._replace(known=np.asarray(lesson.known))


def zones(points):
    """In the middle of the parts; near; beyond the margin; [H, W] each, of a pose."""
    middle, near, beyond = (
        np.asarray(part_warp.background(points[None], HEIGHT, WIDTH, *margin))[
            0, ..., 0
        ]
        for margin in ((-0.1,), (1.0,), ())
    )
    return middle == 0, near < 1, beyond == 1


def test_in_the_same_scene_what_differs_is_the_person():
    """Near the source's person, where nobody stands in the target; a quarter of 0.15
    that differs is a quarter of somebody."""
    rng, standing = np.random.default_rng(0), person()
    middle, near, beyond = zones(standing)
    free = zones(WALKING)[2]
    target = source_photo()
    by = np.where(beyond, 0.0, rng.uniform(0, 0.3, (HEIGHT, WIDTH)))
    source = target + by[None, ..., None].astype(np.float32)
    lesson = lesson_of(source, target, standing, WALKING)
    np.testing.assert_array_equal(lesson.known[0, ..., 0], middle | (near & free))
    want = np.where(middle, 0, np.clip(1 - by / 0.15, 0, 1))
    np.testing.assert_allclose(lesson.stays[0, ..., 0], want, atol=1e-4)
    assert 0 < want[near & free].mean() < 1
    np.testing.assert_array_equal(lesson.source, source)
    guide = guides.guide(source, standing[None], None, HEIGHT, WIDTH, SHARP.blending)
    np.testing.assert_allclose(lesson.guide, guide, atol=1e-5)


@pytest.mark.parametrize(("share", "changed"), [(0.29, False), (0.31, True)])
def test_in_another_scene_the_pose_tells(share, changed):
    """Another one differs by 0.3 of 0.15 and more, on average where nobody is."""
    standing = person()
    middle, near, beyond = zones(standing)
    free = zones(WALKING)[2]
    target = source_photo()
    lesson = lesson_of(target + share * 0.15, target, standing, WALKING)
    known = near & beyond if changed else near & free
    np.testing.assert_array_equal(lesson.known[0, ..., 0], middle | known)
    stays = beyond if changed else 1 - share
    want = np.where(middle, 0, stays)
    np.testing.assert_allclose(lesson.stays[0, ..., 0], want, atol=1e-4)


def test_nobody_asks_of_people_without_joints():
    source = source_photo()
    lesson = lesson_of(source, source, NOBODY, person())
    assert not lesson.known.any()


FACE_ALONE = np.where(np.arange(18)[:, None] == 0, person(), NOBODY)


@pytest.mark.parametrize("target", [NOBODY, FACE_ALONE, np.full_like(NOBODY, np.nan)])
def test_where_a_target_without_parts_stands_is_not_known(target):
    source, standing = source_photo(), person()
    lesson = lesson_of(source, source, standing, target)
    np.testing.assert_array_equal(lesson.known[0, ..., 0], zones(standing)[0])


def test_the_loss_of_a_lesson():
    """The cross entropy by numpy, over all pixels, of which some are not known."""
    rng = np.random.default_rng(1)
    source, params = source_photo(), weights()[0]
    lesson = lesson_of(source, source, person(), WALKING)
    stays, known = rng.random((2, 1, HEIGHT, WIDTH, 1), np.float32)
    lesson = lesson._replace(stays=stays, known=known < 0.5)

    @jax.jit
    def both(params, lesson):
        network = part_transfer.PartTransferGenerator(SHARP)
        given = lesson.source, lesson.guide
        layers = network.apply({"params": params}, *given, method="layers")
        loss = find_person.lesson_loss(params, lesson, SHARP)
        return loss, layers.weights[..., 2:3]

    loss, kept = map(np.asarray, both(params, lesson))
    entropy = -stays * np.log(kept) - (1 - stays) * np.log(1 - kept)
    np.testing.assert_allclose(loss, [(entropy * (known < 0.5)).mean()], rtol=1e-5)
