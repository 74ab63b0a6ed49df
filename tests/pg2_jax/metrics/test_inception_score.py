"""The Inception Score by hand and against the authors' figures."""

import numpy as np
import pytest
from scipy import special

from pg2_jax.metrics import inception_score


def golden_probabilities(golden):
    stored = np.load(golden / "metrics_golden.npz")
    logits = stored["is_factor_a"].astype(np.float64) @ stored["is_factor_b"]
    rows = special.softmax(logits / stored["is_logit_divisor"], axis=-1)
    np.testing.assert_allclose(rows[:2], stored["is_probs_first_rows"], rtol=1e-5)
    return rows, stored


@pytest.mark.parametrize(("count", "splits"), [(1000, 10), (997, 10), (1000, 1)])
def test_it_equals_the_authors(golden, count, splits):
    rows, stored = golden_probabilities(golden)
    found = inception_score.inception_score(rows[:count], splits)
    name = f"is_{count}_1split" if splits == 1 else f"is_{count}_mean_std"
    np.testing.assert_allclose(found, stored[name], rtol=1e-5, atol=1e-6)
    if splits == 10:
        np.testing.assert_allclose(found, stored[f"{name}_float64"], rtol=1e-6)


def test_images_of_one_class_each_score_the_number_of_classes():
    rows = np.eye(4)[[0, 1, 2, 3, 0, 1, 2, 3]]
    assert inception_score.inception_score(rows, 2) == pytest.approx((4, 0))
    # Now each half has two classes.
    halves = rows[[0, 4, 1, 5, 2, 6, 3, 7]]
    assert inception_score.inception_score(halves, 2) == pytest.approx((2, 0))


def test_images_that_look_alike_score_1():
    rows = np.full((20, 5), 0.2)
    assert inception_score.inception_score(rows) == pytest.approx((1, 0))


def test_the_deviation_is_over_splits():
    # The first split scores 2, the second 1.
    rows = np.eye(2)[[0, 1, 0, 0]]
    assert inception_score.inception_score(rows, 2) == pytest.approx((1.5, 0.5))


def test_unequal_splits_are_those_of_improved_gan():
    # 5 rows in 2 splits: 2 and 3.
    rows = np.eye(3)[[0, 1, 0, 1, 2]]
    assert inception_score.inception_score(rows, 2) == pytest.approx((2.5, 0.5))


def test_fewer_images_than_splits():
    with pytest.raises(ValueError, match="10 splits needs at least 10 images, got 9"):
        inception_score.inception_score(np.full((9, 2), 0.5))
    with pytest.raises(ValueError, match="got 0"):
        inception_score.inception_score(np.zeros((0, 2)), 1)


def test_a_single_image_scores_1_without_deviation():
    assert inception_score.inception_score([[0.3, 0.7]], 1) == pytest.approx((1, 0))


def test_few_images_are_remarked_upon():
    remark = inception_score.remark(400, 1008)
    assert "400 images in 10 splits: no split of 40 can score above 40" in remark
    assert inception_score.remark(10_080, 1008) == ""
    assert inception_score.remark(10_079, 1008)
