"""Inception Score and FID of sets of images, with a stand-in for the network."""

import functools
import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from experiments.evaluate import fid_reference, inception_scores, protocol, table
from pg2_jax import pose
from pg2_jax.metrics import fid, inception, inception_score, pixel

CLASSES = 4
FACTS = protocol.Facts("32x16", "none", {"target": "a mask"})


def features_of(images):
    flat = np.asarray(images, np.float32).reshape(len(images), -1)
    return flat[:, : inception.FEATURES] / 255


def logits_of(images):
    return np.asarray(images, np.float32).reshape(len(images), -1)[:, :CLASSES] / 50


def weights_of(network, name="a.pth"):
    params = {"fc_bias": jnp.arange(float(CLASSES))}
    return inception.Weights(network, params, name, "0" * 64)


@pytest.fixture
def both(monkeypatch):
    """Weights of both networks; pixels take the place of features and logits."""
    monkeypatch.setattr(inception, "FEATURES", 32)

    def apply(network, params, images):
        logits = logits_of(images)
        biased = logits + np.asarray(params["fc_bias"])[None]
        return inception.Output(features_of(images), biased, logits)

    program = functools.partial(functools.partial, apply)
    monkeypatch.setattr(protocol, "applied", program)
    return [weights_of(inception.TF_2015), weights_of(inception.TORCHVISION, "b.pth")]


def make_pairs(count=24, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (2, count, 32, 16, 3), np.uint8)
    keypoints = np.ones((count, 18, 3), np.float32)
    keypoints[:, :, :2] = rng.integers(1, 15, (count, 18, 2))
    return images[0], images[1], keypoints


def collected(weights, generated, target, keypoints=None, size=10, references=None):
    """The pairs in batches of one size, the last padded."""
    sets = inception_scores.SetScores(weights, references or {})
    for first in range(0, len(target), size):
        rows = np.minimum(np.arange(first, first + size), len(target) - 1)
        given = None if keypoints is None else keypoints[rows]
        count = min(size, len(target) - first)
        kinds = {"generated": generated[rows]}
        names = [("", "")] * count
        sets.add(protocol.Batch(names, kinds, target[rows], given, {}))
    return sets


def records_of(sets):
    return sets.records(FACTS)["generated"]


def score(images, bias=0.0):
    rows = special.softmax((logits_of(images) + bias).astype(np.float64), axis=-1)
    return inception_score.inception_score(rows)


def test_every_number_is_that_of_its_arithmetic(both):
    generated, target, keypoints = make_pairs()
    reference = fid_reference.Reference(
        fid.Gaussian(np.zeros(32), np.zeros((32, 32)), 40), "nothing", "1" * 64
    )
    references = dict.fromkeys([inception.TF_2015, inception.TORCHVISION], reference)
    sets = collected(both, generated, target, keypoints, references=references)
    assert sets.not_computed() == {}
    found = records_of(sets)
    assert list(found) == list(inception_scores.METRICS)
    bodies = pixel.body_on_black(generated, pose.body_mask(keypoints, 32, 16))
    bias = np.arange(CLASSES)[None]
    for name, want in {
        "inception_score": score(generated),
        "inception_score_with_bias": score(generated, bias),
        "masked_inception_score": score(bodies),
        "masked_inception_score_with_bias": score(bodies, bias),
    }.items():
        assert (found[name]["mean"], found[name]["std"]) == pytest.approx(want)
    gaussians = []
    for images in (generated, target):
        rows = features_of(images).astype(np.float64)
        covariance = np.cov(rows, rowvar=False)
        gaussians.append(fid.Gaussian(rows.mean(axis=0), covariance, len(rows)))
    distance = fid.frechet_distance(*gaussians)
    assert distance > 1
    for name in ("fid_tf", "fid_torchvision"):
        assert found[name]["mean"] == pytest.approx(distance)
        assert found[name]["std"] is None
        assert found[name]["compared_with"] == "the targets of the same pairs"
        # The distance to a point at 0.
        rows = gaussians[0]
        want = (rows.mean**2).sum() + np.trace(rows.covariance)
        record = found[f"{name}_reference"]
        assert record["mean"] == pytest.approx(want)
        assert (record["compared_with"], record["compared_images"]) == ("nothing", 40)


def test_a_record_names_weights_and_rules(both):
    found = records_of(collected(both, *make_pairs()))
    record = found["fid_torchvision"]
    assert (record["weights"], record["weights_sha256"]) == ("b.pth", "0" * 64)
    assert record["extractor"] == "torchvision's Inception-v3 of ImageNet"
    assert "half-pixel" in record["resize"]
    assert (record["pairs"], record["mask"]) == (24, "none")
    assert "FID from 24 images" in record["remark"]
    json.dumps(found, allow_nan=False)


def test_what_is_missing_is_said(both):
    generated, target, keypoints = make_pairs(9)
    nothing = collected([], generated, target).not_computed()
    assert set(nothing) == set(inception_scores.METRICS)
    assert "--inception with the path of pytorch-fid's" in nothing["fid_tf"]
    few = collected(both[:1], generated, target).not_computed()
    assert "at least 10 images, got 9" in few["inception_score"]
    assert few["masked_inception_score"] == "needs the keypoints of the target images"
    assert "inception_v3_google" in few["fid_torchvision"]
    assert "fid_tf" not in few
    assert "--fid_reference=train" in few["fid_tf_reference"]
    one = collected(both, generated[:1], target[:1], keypoints[:1])
    assert "at least 2 images on either side, got 1" in one.not_computed()["fid_tf"]
    assert records_of(one) == {}


def test_equal_sets_in_another_order_have_no_distance(both):
    generated, _, _ = make_pairs()
    found = records_of(collected(both[:1], generated, generated[::-1]))
    assert found["fid_tf"]["mean"] == pytest.approx(0, abs=1e-6)


def test_black_bodies_score_1(both):
    generated, target, keypoints = make_pairs()
    found = records_of(collected(both, generated, target, keypoints * 0))
    assert found["masked_inception_score"]["mean"] == pytest.approx(1)


def test_the_table_shows_them(both, capsys):
    sets = collected(both, *make_pairs())
    metrics, missing = {"generated": records_of(sets)}, sets.not_computed()
    content = {"metrics": metrics, "not_computed": missing, "image_size": "32x16"}
    table.show("title", content)
    shown = " ".join(capsys.readouterr().out.split())
    assert "inception_score ↑" in shown
    assert "fid_tf ↓" in shown
    assert "! 24 images in 10 splits: no split of 2 can score above 2" in shown
