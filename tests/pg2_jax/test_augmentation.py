"""Random changes of pairs: both photos and both poses alike, the same in every run."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import augmentation, inputs
from pg2_jax.augmentation import Augmentation
from tests.pg2_jax.pg2plus.people import HEIGHT, WIDTH, make_batch, person

move = jax.jit(augmentation.move_at_random)
recolour = jax.jit(augmentation.recolour_at_random)
KEY = jax.random.key(5)


@functools.partial(jax.jit, static_argnames="options")
def augmented(batch, step, *, options):
    batch = augmentation.augmented(batch, options, 7, step)
    return augmentation.hide_source_poses(batch, options, 7, step)


ALL = Augmentation(
    colour_augmentation=True,
    geometry_augmentation=True,
    source_pose_dropout=0.5,
    keypoint_noise=1.0,
)


def twins(count=8):
    """Pairs whose target is the source."""
    batch = make_batch(count)
    return batch | {
        "target_image": batch["source_image"],
        "target_keypoints": batch["source_keypoints"],
    }


@pytest.mark.parametrize("change", [move, recolour])
def test_source_and_target_change_alike(change):
    batch = twins()
    changed = change(batch, KEY)
    for what in ("image", "keypoints"):
        source, target = changed[f"source_{what}"], changed[f"target_{what}"]
        np.testing.assert_array_equal(source, target)
        assert source.dtype == batch[f"source_{what}"].dtype
    assert (changed["source_image"] != batch["source_image"]).mean() > 0.5
    # Each pair has a change of its own.
    same = {name: np.repeat(array[:1], 8, axis=0) for name, array in batch.items()}
    others = np.asarray(change(same, KEY)["source_image"])
    assert len({image.tobytes() for image in others}) == 8


def test_a_dot_stays_at_its_keypoint():
    """Smooth dots of each joint, of which the middle is found after the change."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    points = person(np.full((18, 2), 0.0)) * 0
    points[:2] = [[12, 20, 1], [19, 30, 1]]
    count = 32
    batch = make_batch(count)
    batch["source_keypoints"] = np.repeat(points[None], count, axis=0)
    for joint, (x, y, _) in enumerate(points[:2]):
        dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
        batch["source_image"][..., joint] = dot.round()
    moved = move(batch, KEY)
    for joint in range(2):
        dots = np.asarray(moved["source_image"][..., joint], float)
        total = dots.sum(axis=(1, 2))
        x = (dots * columns).sum(axis=(1, 2)) / total
        y = (dots * rows).sum(axis=(1, 2)) / total
        got = np.asarray(moved["source_keypoints"][:, joint])
        np.testing.assert_allclose(got[:, 0], x, atol=0.1)
        np.testing.assert_allclose(got[:, 1], y, atol=0.1)
        # Some 5 % of the size and 7 degrees: they do move, and not too far.
        offset = np.hypot(got[:, 0] - points[joint, 0], got[:, 1] - points[joint, 1])
        assert 1 < offset.mean() < 4 and offset.max() < 7
    np.testing.assert_array_equal(moved["source_keypoints"][:, 2:], 0)


def test_colours_change_by_one_affine_map():
    """Recomputed for one pair from what its grey, red, green and blue became."""
    patches = np.array([[128] * 3, [158, 128, 128], [128, 158, 128], [128, 128, 158]])
    batch = make_batch(4)
    for image in (batch["source_image"], batch["target_image"]):
        image[:, 0, :4] = patches
        # Small enough that nothing is clipped.
        image[:, 1:] = image[:, 1:] // 8 + 112
    changed = recolour(batch, KEY)
    for before, after in (
        (batch["source_image"], np.asarray(changed["source_image"], float)),
        (batch["target_image"], np.asarray(changed["target_image"], float)),
    ):
        for i in range(4):
            grey = after[i, 0, 0]
            columns = (after[i, 0, 1:4] - grey).T / 30
            want = (before[i, 1:] - 128.0) @ columns.T + grey
            np.testing.assert_allclose(after[i, 1:], want.clip(0, 255), atol=2.5)


def test_grey_stays_near_grey():
    """Its channels part by the tint alone: gains of 0.85 to 1.15."""
    ramp = np.broadcast_to(np.linspace(0, 255, WIDTH)[:, None], (HEIGHT, WIDTH, 3))
    batch = twins(64) | {"source_image": np.stack([ramp.astype(np.uint8)] * 64)}
    grey = np.asarray(recolour(batch, KEY)["source_image"], float)
    scaled = np.asarray(inputs.from_uint8(ramp.astype(np.uint8)))
    middle = grey[:, 0, np.abs(scaled[0, :, 0]) < 0.2]
    # Of a value x of at most 0.2, 1.3 * (1.15 - 0.85) * x is at most 0.08.
    apart = middle.max(axis=-1) - middle.min(axis=-1)
    assert apart.max() <= 0.08 * 127.5 + 1
    assert apart.max() > 1
    # Brightness: the middle grey moves by at most 0.2.
    assert np.abs(middle.mean(axis=(1, 2)) - 127.5).max() <= (0.2 + 0.05) * 127.5


def test_as_many_poses_are_hidden_as_asked_for():
    batch = make_batch(400)
    options = Augmentation(flip=False, source_pose_dropout=0.3)
    hide = jax.jit(lambda step: augmentation.hide_source_poses(batch, options, 7, step))
    got = hide(2)
    hidden = (np.asarray(got["source_keypoints"]) == 0).all(axis=(1, 2))
    assert 0.22 < hidden.mean() < 0.38
    kept = batch["source_keypoints"][~hidden]
    np.testing.assert_array_equal(got["source_keypoints"][~hidden], kept)
    np.testing.assert_array_equal(got["target_keypoints"], batch["target_keypoints"])
    other = (np.asarray(hide(3)["source_keypoints"]) == 0).all(axis=(1, 2))
    assert (hidden != other).any()


def test_noise_is_on_visible_points_alone():
    batch = make_batch(200)
    for name in ("source_keypoints", "target_keypoints"):
        batch[name][:, ::3] = 0
    got = augmentation.add_noise_to_keypoints(batch, 1.5, KEY)
    moves = []
    for name in ("source_keypoints", "target_keypoints"):
        change = np.asarray(got[name]) - batch[name]
        np.testing.assert_array_equal(change[:, ::3], 0)
        np.testing.assert_array_equal(change[..., 2], 0)
        seen = np.delete(change, np.s_[::3], axis=1)[..., :2]
        assert seen.std() == pytest.approx(1.5, rel=0.05)
        assert abs(seen.mean()) < 0.05
        moves.append(seen)
    assert abs(np.corrcoef(moves[0].ravel(), moves[1].ravel())[0, 1]) < 0.1


def test_a_resumed_step_gets_the_same_and_the_next_another():
    batch = make_batch()
    first, again, later = (
        augmented(batch, jnp.int32(step), options=ALL) for step in (3, 3, 4)
    )
    jax.tree.map(np.testing.assert_array_equal, first, again)
    for name in ("source_image", "target_keypoints"):
        assert (np.asarray(first[name]) != later[name]).any()


def test_nothing_changes_unless_asked_for():
    batch = make_batch()
    same = augmented(batch, jnp.int32(3), options=Augmentation(flip=False))
    jax.tree.map(np.testing.assert_array_equal, same, batch)
