"""Means, deviations, bootstrap intervals, and what is said of missing values."""

import numpy as np
import pytest

from experiments.evaluate import protocol, statistics

FACTS = protocol.Facts("128x64", "none", {"target": "a mask", "source": "another mask"})


def record(name, values):
    scores = {"generated": {name: np.asarray(values, np.float32)}}
    return statistics.records(scores, FACTS)["generated"][name]


def test_a_record_says_how_the_number_came_about():
    found = record("masked_ssim_gauss", [0.25, 0.75])
    assert (found["pairs"], found["mean"], found["std"]) == (2, 0.5, 0.25)
    assert found["variant"] == "masked_ssim_gauss"
    assert found["mask"] == "a mask"
    assert (found["image_size"], found["resize"]) == ("128x64", "none")
    assert found["library"].startswith("pg2_jax 0.")
    assert "gaussian_weights=True" in found["reference"]
    assert "higher is better" in found["definition"]
    assert record("source_masked_ssim_pg2", [0, 1])["mask"] == "another mask"
    assert record("l1", [0, 1])["mask"] == "none"


def test_the_interval_is_that_of_the_mean():
    rng = np.random.default_rng(1)
    values = rng.normal(3, 2, 10_000)
    found = record("l1", values)
    low, high = found["interval_95"]
    # The central limit theorem; 1000 resamples leave some 5 % of the half-width open.
    half = 1.96 * values.std() / 100
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert found["interval_95"] == record("l1", values)["interval_95"]


def test_the_interval_of_two_values_by_hand():
    # The mean of a resample is 0, 1/2 or 1 with probability 1/4, 1/2 and 1/4.
    assert record("l1", [0, 1])["interval_95"] == [0, 1]
    # Of six zeros and ones: P(mean 0) is 1/64, P(mean at most 1/6) is 7/64.
    interval = record("l1", [0, 1] * 3)["interval_95"]
    np.testing.assert_allclose(interval, [1 / 6, 5 / 6])


def test_pairs_without_a_value_are_counted_and_explained():
    found = record("body_l1", [4, np.nan, 6])
    assert (found["pairs"], found["mean"], found["std"]) == (2, 5, 1)
    assert found["pairs_left_out"] == 1
    assert found["left_out_because"] == "the mask is empty"
    low, high = found["interval_95"]
    assert (low, high) == (4, 6)
    found = record("psnr", [np.inf, 20, 30])
    assert (found["mean"], found["pairs_left_out"]) == (25, 1)
    assert "equal" in found["left_out_because"]
    assert "pairs_left_out" not in record("l1", [1, 2])


def test_one_pair_has_no_deviation_and_none_no_mean():
    found = record("l1", [3])
    assert (found["mean"], found["std"], found["interval_95"]) == (3, None, None)
    found = record("body_l1", [np.nan, np.nan])
    assert (found["pairs"], found["mean"], found["std"]) == (0, None, None)
    assert found["interval_95"] is None and found["pairs_left_out"] == 2
