"""Means, deviations, bootstrap intervals, and what is said of missing values."""

import numpy as np
import pytest

from experiments.evaluate import statistics

FACTS = {
    "image_size": "128x64",
    "resize": "none",
    "masks": {"target": "a mask", "source": "another mask"},
}


def record(name, values):
    scores = {"generated": {name: np.asarray(values, np.float32)}}
    return statistics.records(scores, **FACTS)["generated"][name]


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


def test_missing_metrics_are_listed_with_what_they_need():
    missing = statistics.not_computed((64, 32), frozenset())
    assert missing["ssim_win51"] == "needs images of at least 51x51 pixels"
    assert missing["ssim_gauss_padded"] == "needs images of 256x176 pixels"
    assert missing["masked_l1"] == "needs the keypoints of the target images"
    later = {"inception_score", "fid_tf", "fid_torchvision", "lpips_alex", "pckh"}
    assert later < set(missing)
    assert all(why.startswith("needs ") for why in missing.values())
    assert not {"ssim_pg2", "l1"} & set(missing)


def test_the_table_shows_everything_once(capsys):
    ssims, psnrs = np.array([0.25, 0.75]), np.array([20, np.inf])
    scores = {
        "coarse": {"ssim_pg2": ssims, "psnr": psnrs, "masked_l2": ssims},
        "refined": {"ssim_pg2": ssims, "psnr": psnrs * np.inf, "masked_l2": ssims},
    }
    missing = {
        "fid_tf": "needs a",
        "fid_torchvision": "needs a",
        "lpips": "needs b: pip install 'x[pose]'",
    }
    statistics.show("step 7 of [x]", statistics.records(scores, **FACTS), missing)
    shown = capsys.readouterr().out
    assert "step 7 of [x]" in shown
    rows = [line for line in shown.splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in rows]
    assert rows == [
        ["ssim_pg2 ↑", "0.500 (0.250)", "0.500 (0.250)"],
        ["psnr ↑", "20.00", "undefined"],
        ["masked_l2 ↓", "0.500 (0.250)", "0.500 (0.250)"],
    ]
    notes = " ".join(shown.split())
    assert "- ssim_pg2: SSIM of PG2's score.py: uniform 7x7 windows" in notes
    assert "- masked_...: the same, all but the target's body black" in notes
    assert "! psnr of refined: 2 of 2 pairs left out, both images are equal" in notes
    assert "x fid_tf, fid_torchvision: not computed: needs a" in notes
    assert "x lpips: not computed: needs b: pip install 'x[pose]'" in notes


def test_one_kind_is_shown_with_its_interval(capsys):
    scores = {"generated": {"l1": np.array([1.0, 3.0])}}
    statistics.show("title", statistics.records(scores, **FACTS), {})
    assert "1.00 to 3.00" in capsys.readouterr().out
    scores = {"generated": {"l1": np.array([1.0])}}
    statistics.show("title", statistics.records(scores, **FACTS), {})
    shown = capsys.readouterr().out
    assert "generated: one pair has no deviation and no interval" in shown
