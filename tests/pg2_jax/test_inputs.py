"""What the networks see of a pair in the source's background."""

import jax
import numpy as np
import optax
import pytest

from pg2_jax import inputs, sharding, train_step
from pg2_jax.architecture import Architecture
from pg2_jax.pg2plus import part_warp
from tests.pg2_jax.pg2plus.people import HEIGHT, WALKING, WIDTH, make_batch, person


def test_images_are_looked_up_where_the_photos_are():
    """On every device its own, of a batch that is split, so that no image moves."""
    photos = np.random.default_rng(0).integers(0, 256, (5, 4, 2, 3), np.uint8)
    count = 2 * jax.device_count()
    source = np.arange(count, dtype=np.int32) % 5
    batch = {"source_image": source, "target_image": source[::-1], "other": source}
    want = {
        "source_image": np.stack([photos[n] for n in source]),
        "target_image": np.stack([photos[n] for n in source[::-1]]),
        "other": source,
    }
    mesh = sharding.data_mesh()
    split, whole = sharding.batched(mesh), sharding.replicated(mesh)
    look_up = jax.jit(inputs.with_images, in_shardings=(split, whole))
    got = look_up(batch, photos)
    for found in (got, inputs.with_images(batch, photos)):
        jax.tree.map(np.testing.assert_array_equal, dict(found), want)
    assert got["source_image"].sharding.is_equivalent_to(split, 4)
    text = look_up.lower(batch, photos).compile().as_text()
    for moving in ("all-reduce", "all-to-all", "collective-permute", "all-gather"):
        assert moving not in text
    assert inputs.with_images(batch, None) is batch


def test_the_target_stands_in_the_background_of_the_source():
    architecture = Architecture(image_height=HEIGHT, image_width=WIDTH)
    aside = WALKING + np.array([6, 0, 0], np.float32)
    batch = make_batch(1) | {
        "source_keypoints": person()[None],
        "target_keypoints": aside[None],
    }
    seen = jax.jit(inputs.prepare, static_argnums=1)(batch, architecture)
    got = jax.jit(inputs.with_background_of_source)(seen, batch)
    background = jax.jit(part_warp.background, static_argnums=(1, 2))
    source, target = (
        np.asarray(background(k[None], HEIGHT, WIDTH))[0, ..., 0] < 0.5
        for k in (person(), aside)
    )
    assert (source & ~target).sum() > 20  # what the source's person hides
    for row in range(HEIGHT):
        for column in range(WIDTH):
            place = 0, row, column
            from_target = target[row, column]
            of = "target" if from_target else "source"
            want = batch[f"{of}_image"][place] / 127.5 - 1
            np.testing.assert_allclose(got["target"][place], want, atol=1e-6)
            asked = 1 if from_target else -1 if source[row, column] else 0
            assert got["mask"][place][0] == asked
    np.testing.assert_array_equal(got["source"], seen["source"])
    np.testing.assert_array_equal(got["pose"], seen["pose"])


@pytest.mark.parametrize(
    ("counts_twice", "background", "wanted"),
    [
        (True, "target", {0, 1}),
        (False, "target", {0}),
        (True, "source", {-1, 0, 1}),
        (False, "source", {-1, 0}),
    ],
)
def test_where_training_asks_how_much(counts_twice, background, wanted):
    """Plain L1 leaves out what nobody knows, too."""
    architecture = Architecture(image_height=HEIGHT, image_width=WIDTH)
    objective = train_step.Objective(
        optimizer=optax.sgd(1.0),
        seed=0,
        pose_mask_loss=counts_twice,
        background=background,
    )
    options = architecture, objective
    seen = jax.jit(lambda batch: train_step.training_inputs(0, batch, *options))
    assert set(np.unique(seen(make_batch())["mask"])) == wanted
