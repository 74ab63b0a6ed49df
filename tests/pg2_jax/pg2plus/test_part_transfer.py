"""The networks of pg2plus: what they are told, what they blend, what they judge."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pg2_jax import generation, inputs, pose, train_state
from pg2_jax.architecture import Architecture
from pg2_jax.inference import exported_model, pose_transfer
from pg2_jax.pg2plus import part_transfer, part_warp
from tests.pg2_jax import drawn_state
from tests.pg2_jax.pg2plus.people import (
    ARCHITECTURE,
    HEIGHT,
    WALKING,
    WIDTH,
    generators,
    make_batch,
    person,
    weights,
)

NOBODY = np.zeros((1, 18, 3), np.float32)


@jax.jit
def _guided(params, source, *poses):
    guide = part_transfer.guide(source, *poses, HEIGHT, WIDTH)
    network = part_transfer.PartTransferGenerator(ARCHITECTURE)
    layers = network.apply({"params": params}, source, guide, method="layers")
    return guide, layers, network.apply({"params": params}, source, guide)


def guided(source, source_keypoints, target_keypoints):
    """The guide, the layers and the picture."""
    return _guided(weights()[0], source, source_keypoints, target_keypoints)


def source_photo():
    return inputs.from_uint8(jnp.asarray(make_batch(1)["source_image"]))


def test_a_picture_is_the_weighted_sum_of_its_layers():
    rng = np.random.default_rng(0)
    *pictures, own = rng.uniform(-1, 1, (4, 2, 5, 4, 3))
    shares = rng.dirichlet((1, 1, 1, 1), (2, 5, 4))
    got = part_transfer.blend(*pictures, part_transfer.Layers(own, shares))
    want = sum(
        shares[..., i : i + 1] * picture for i, picture in enumerate([*pictures, own])
    )
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_the_guide_says_all_of_both_poses_in_order():
    source = source_photo()
    guide, _, _ = guided(source, person()[None], WALKING[None])
    poses = person()[None], WALKING[None]
    moved = jax.jit(part_warp.warp, static_argnums=(3, 4))(
        source, *poses, HEIGHT, WIDTH
    )
    size = HEIGHT, WIDTH
    free = jax.jit(part_warp.background, static_argnums=(1, 2))(poses[0], *size)
    front = np.broadcast_to([1.0, 0, 0, 1, 0, 0], (1, *size, 6))
    parts = [
        (moved.composite, 3),
        (jax.jit(part_warp.without_person)(source, free), 3),
        (moved.coverage, 1),
        (free, 1),
        (moved.masks, 10),
        (pose.heat_maps(poses[1], *size), 18),
        (pose.heat_maps(poses[0], *size), 18),
        (front, 6),
    ]
    assert guide.shape == (1, *size, 60) and part_transfer.GUIDE_CHANNELS == 60
    begin = 0
    for want, channels in parts:
        got = guide[..., begin : begin + channels]
        np.testing.assert_allclose(got, want, atol=1e-5)
        begin += channels
    # Of a person seen from behind the source's view alone changes.
    behind, _, _ = guided(source, person()[pose.MIRRORED][None], WALKING[None])
    np.testing.assert_array_equal(behind[0, 0, 0, -6:], [1, 0, 0, 0, 0, 1])


def test_weights_add_up_to_one_and_no_part_counts_where_none_lies():
    source = source_photo()
    guide, layers, picture = guided(source, person()[None], WALKING[None])
    shares = np.asarray(layers.weights)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    covered = guide[..., 6]
    assert (covered == 0).any()
    assert shares[covered == 0][:, 0].max() < 1e-4
    assert (shares.max(axis=(0, 1, 2)) > 0.2).all()
    want = part_transfer.blend(guide[..., :3], guide[..., 3:6], source, layers)
    np.testing.assert_allclose(picture, want, atol=1e-5)


@pytest.mark.parametrize(("final", "power"), [(False, 1.5), (True, 2.5)])
def test_sharp_blending_takes_nothing_of_the_photo_where_its_person_leaves(
    final, power
):
    """The same weights in the networks, to a power; the photo's besides by the share
    that stays."""
    sharp = dataclasses.replace(ARCHITECTURE, blending="sharp")
    source, poses = source_photo(), (person()[None], WALKING[None])

    @jax.jit
    def layers(params, source, *poses):
        guide = inputs.pose_input(source, *poses, sharp)
        network = part_transfer.PartTransferGenerator(sharp, final)
        return guide, network.apply({"params": params}, source, guide, method="layers")

    guide, got = layers(weights()[0], source, *poses)
    stays = np.asarray(part_warp.still(*poses, HEIGHT, WIDTH))
    np.testing.assert_allclose(guide[..., 60:], stays, atol=1e-5)
    soft, plain, _ = guided(source, *poses)
    np.testing.assert_allclose(guide[..., :60], soft, atol=1e-6)
    np.testing.assert_allclose(got.generated, plain.generated, atol=1e-5)
    want = np.array(plain.weights)
    want[..., 2:3] *= np.maximum(stays, 1e-3)
    want **= power
    want /= want.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(got.weights, want, atol=1e-4)
    assert (stays == 0).any()
    assert got.weights[..., 2:3][stays == 0].max() < 1e-2


def test_a_result_is_blended_most_sharply():
    """The image that no loss sees is that of the network as `final`."""
    sharp = dataclasses.replace(ARCHITECTURE, blending="sharp")
    photo, poses = make_batch(1)["source_image"], (person()[None], WALKING[None])

    @jax.jit
    def images(params, photo):
        drawn = generation.draw(params, None, photo, *poses, architecture=sharp)
        source = inputs.from_uint8(photo)
        guide = inputs.pose_input(source, *poses, sharp)
        network = part_transfer.PartTransferGenerator(sharp, final=True)
        return drawn["generated"], network.apply({"params": params}, source, guide)

    got, want = images(weights()[0], photo)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_without_source_keypoints_no_pixels_are_moved():
    source = source_photo()
    guide, layers, picture = guided(source, NOBODY, WALKING[None])
    np.testing.assert_array_equal(guide[..., :3], 0)
    np.testing.assert_array_equal(guide[..., 3:6], source)
    np.testing.assert_array_equal(guide[..., 6], 0)
    np.testing.assert_array_equal(guide[..., 7], 1)
    assert np.isfinite(picture).all()
    assert layers.weights[..., 0].max() < 1e-4


@pytest.mark.slow
def test_odd_sizes_keep_their_size():
    architecture = Architecture(
        image_height=33, image_width=17, coarse_network="part_transfer", base_channels=2
    )
    batch = make_batch(2, height=33, width=17)
    optimizer = train_state.make_optimizer(1e-3)
    params = drawn_state.of(architecture, optimizer).coarse.params

    @jax.jit
    def drawn(params, batch):
        seen = inputs.prepare(batch, architecture)
        return generation.generate_coarse(
            params, seen["source"], seen["pose"], architecture
        )

    picture = drawn(params, batch)
    assert picture.shape == (2, 33, 17, 3) and np.isfinite(picture).all()


def test_the_discriminator_judges_patches():
    """A verdict depends on 26 rows, and none of another picture of the batch."""
    network = part_transfer.PatchDiscriminator(ARCHITECTURE)
    rng = np.random.default_rng(1)
    seen = rng.uniform(-1, 1, (2, HEIGHT, WIDTH, 3 + 60)).astype(np.float32)

    params = weights()[1]

    @jax.jit
    def verdict(seen):
        image, guide = seen[..., :3], seen[..., 3:]
        ((logits, features),) = network.apply({"params": params}, guide, image)
        return logits[0, 6, 4], (logits, features)

    gradient, (logits, features) = jax.grad(verdict, has_aux=True)(seen)
    assert logits.shape == (2, HEIGHT // 4, WIDTH // 4)
    assert [x.shape[1:] for x in features] == [(24, 16, 2), (12, 8, 4), (12, 8, 8)]
    rows = np.flatnonzero(np.abs(gradient[0]).sum(axis=(1, 2)))
    assert len(rows) <= 26 and rows[-1] - rows[0] <= 25 and 6 * 4 in rows
    assert not gradient[1].any()


@pytest.mark.slow
@pytest.mark.parametrize("form", exported_model.FORMATS)
def test_an_exported_model_draws_the_same_for_any_batch(tmp_path, form):
    path = tmp_path / f"model.{form}"
    exported_model.write(path, generators(), form)
    batch = make_batch(3)
    arguments = batch["source_image"], batch["target_keypoints"]
    sources = batch["source_keypoints"]
    want = pose_transfer.PoseTransfer(generators()).batch(
        *arguments, source_poses=sources, batch_size=3
    )
    model = pose_transfer.PoseTransfer.restore(path)
    for count in (1, 3):
        few = (x[:count] for x in arguments)
        got = model.batch(*few, source_poses=sources[:count], batch_size=3)
        assert got.refined is None
        np.testing.assert_allclose(got.coarse, want.coarse[:count], atol=1)
    assert (model.batch(*arguments).coarse != want.coarse).any()
