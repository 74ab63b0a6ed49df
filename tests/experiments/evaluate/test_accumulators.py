"""All numbers of an evaluation together."""

import numpy as np
import pytest

from experiments.config import Config
from experiments.evaluate import accumulators, protocol, statistics


@pytest.fixture
def numbers():
    """Of two pairs of 64x32 without keypoints, of which one number is known."""
    images = np.zeros((2, 64, 32, 3), np.uint8)
    scores = {"generated": {"l1": np.array([1.0, 3.0], np.float32)}}
    names = [("", "a.jpg"), ("", "b.jpg")]
    config = Config(mode="evaluate", workdir="w", data_dir="d", lpips="")
    numbers = accumulators.numbers(config)
    batch = protocol.Batch(names, {"generated": images}, images, None, scores)
    accumulators.take([batch, batch], [numbers], total=4, shown=False)
    return numbers


def test_missing_metrics_are_listed_with_what_they_need(numbers):
    missing = numbers.content(protocol.Facts("64x32", "none", {}))["not_computed"]
    assert missing["ssim_win51"] == "needs images of at least 51x51 pixels"
    assert missing["ssim_gauss_padded"] == "needs images of 256x176 pixels"
    assert missing["masked_l1"] == "needs the keypoints of the target images"
    later = {"inception_score", "fid_tf", "fid_torchvision", "lpips_alex", "pckh"}
    assert later < set(missing)
    assert all(why.startswith("needs ") for why in missing.values())
    assert not {"ssim_pg2", "l1"} & set(missing)
    # In the order of all metrics.
    assert list(missing) == [name for name in statistics.METRICS if name in missing]


def test_the_batches_are_one_set_of_pairs(numbers):
    assert [target for _, target in numbers.names] == ["a.jpg", "b.jpg"] * 2
    scores = numbers.scores()["generated"]
    np.testing.assert_array_equal(scores["l1"], [1, 3, 1, 3])
    content = numbers.content(protocol.Facts("64x32", "none", {}))
    (record,) = content["metrics"]["generated"].values()
    assert (record["pairs"], record["mean"], record["std"]) == (4, 2, 1)
    assert record["image_size"] == "64x32"
