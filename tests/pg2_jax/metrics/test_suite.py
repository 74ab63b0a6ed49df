"""All metrics at once: which are computed, on which mask."""

import jax
import numpy as np
import pytest

from pg2_jax.metrics import pixel, ssim, suite

MASKED = {f"masked_{name}" for name in suite._WHOLE}
MASKED |= {"body_l1", "body_gradient"}


def make_batch(height, width):
    rng = np.random.default_rng(0)
    generated, target = rng.integers(0, 256, (2, 2, height, width, 3)).astype(np.uint8)
    masks = {
        name: np.zeros((2, height, width, 1), np.float32)
        for name in (suite.TARGET, suite.SOURCE)
    }
    masks["target"][:, 4:, 4:] = 1
    masks["source"][:, :, :12] = 1
    return generated, target, masks


def test_each_mask_is_the_one_that_the_name_says():
    generated, target, masks = make_batch(20, 16)
    scores = jax.jit(suite.compute)(generated, target, masks)
    small = {"ssim_win51", "ssim_gauss_padded"}
    small |= {f"masked_{name}" for name in small}
    assert list(scores) == sorted(set(suite.METRICS) - small)

    def on_black(metric, name):
        bodies = (pixel.body_on_black(x, masks[name]) for x in (generated, target))
        return metric(*bodies)

    for name, want in {
        "ssim_pg2": ssim.ssim_pg2(generated, target),
        "masked_ssim_pg2": on_black(ssim.ssim_pg2, "target"),
        "source_masked_ssim_pg2": on_black(ssim.ssim_pg2, "source"),
        "masked_ssim_gauss": on_black(ssim.ssim_gauss, "target"),
        "masked_psnr": on_black(pixel.psnr, "target"),
        "masked_l2": on_black(pixel.l2, "target"),
        "body_l1": pixel.body_l1(generated, target, masks["target"]),
        "body_gradient": pixel.body_gradient(generated, target, masks["target"]),
    }.items():
        np.testing.assert_allclose(scores[name], want, rtol=1e-5, err_msg=name)
    # The whole is 20x16, the body 16x12 of it.
    want = scores["masked_l1"] * (20 * 16) / (16 * 12)
    np.testing.assert_allclose(scores["body_l1"], want, rtol=1e-5)
    assert (
        abs(scores["masked_ssim_pg2"] - scores["source_masked_ssim_pg2"]).min() > 0.05
    )


def test_padded_images_have_a_black_border_where_the_mask_ends():
    metrics = pytest.importorskip("skimage.metrics")
    generated, target, masks = make_batch(256, 176)
    scores = jax.jit(suite.compute)(
        generated[:1], target[:1], {"target": masks["target"][:1]}
    )
    bodies = [x[0] * masks["target"][0].astype(np.uint8) for x in (generated, target)]
    wide = [np.pad(body, ((0, 0), (40, 40), (0, 0))) for body in bodies]
    want = metrics.structural_similarity(
        wide[1],
        wide[0],
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    np.testing.assert_allclose(scores["masked_ssim_gauss_padded"], [want], atol=1e-6)
    assert set(scores) == set(suite.METRICS) - {"source_masked_ssim_pg2"}


def test_what_metrics_need():
    lacks = {
        name: suite.needs(metric, (64, 32), frozenset({"target"}))
        for name, metric in suite.METRICS.items()
    }
    assert {name: lack for name, lack in lacks.items() if lack} == {
        "ssim_gauss_padded": "images of 256x176 pixels",
        "ssim_win51": "images of at least 51x51 pixels",
        "masked_ssim_gauss_padded": "images of 256x176 pixels",
        "masked_ssim_win51": "images of at least 51x51 pixels",
        "source_masked_ssim_pg2": "the keypoints of the source images",
    }
    without = {
        name
        for name, metric in suite.METRICS.items()
        if "keypoints of the target" in suite.needs(metric, (256, 176), frozenset())
    }
    assert without == MASKED


def test_pairs_without_a_finite_value_are_explained():
    generated, target, masks = make_batch(20, 16)
    grey = np.full_like(target, 7)
    empty = {name: np.zeros_like(mask) for name, mask in masks.items()}
    scores = suite.compute(generated, target, empty) | {
        name: x for name, x in suite.compute(grey, grey, {}).items()
    }
    found = {name for name, x in scores.items() if not np.isfinite(x).all()}
    assert found == {
        "ssim_gauss",
        "masked_ssim_gauss",
        "psnr",
        "masked_psnr",
        "body_l1",
        "body_gradient",
    }
    assert all(suite.METRICS[name].undefined for name in found)
