"""The published pairing protocol, against brute force and pandas."""

import numpy as np
import pytest

from data_prep import build_options
from data_prep.pairs import field_protocol, pair_choice
from data_prep.pairs.pair_list import PairList


def _pose(*missing):
    keypoints = np.ones((18, 3), np.float32)
    keypoints[list(missing)] = 0
    return keypoints


def _market(*names):
    return {name: _pose() for name in names}


def _all_pairs(annotated):
    return list(field_protocol.all_pairs(annotated, "market1501"))


def _list_pairs(annotated, split, count, seed):
    choice = build_options.Options(
        max_train_pairs=count, max_test_pairs=count, seed=seed
    )
    named = annotated, annotated.keys(), "market1501"
    return list(pair_choice.by_protocol(choice, split, *named))


def test_order_is_first_appearance_then_permutations():
    annotated = _market("7_b.jpg", "3_a.jpg", "7_a.jpg", "3_c.jpg", "7_c.jpg", "9_.jpg")
    expected = []
    for person in ("7", "3"):
        names = [name for name in annotated if name.startswith(person)]
        for source in names:
            expected += [(source, target) for target in names if target != source]
    assert _all_pairs(annotated) == expected


def test_invalid_photo_does_not_open_its_group_early():
    annotated = {"2_a": _pose(2), "1_a": _pose(), "2_b": _pose(), "1_b": _pose()}
    annotated["2_c"] = _pose()
    assert _all_pairs(annotated) == [
        ("1_a", "1_b"),
        ("1_b", "1_a"),
        ("2_b", "2_c"),
        ("2_c", "2_b"),
    ]


@pytest.mark.parametrize("count", [1, 5, 12_000])
@pytest.mark.parametrize("seed", [0, 7])
def test_sample_equals_pandas(count, seed):
    pandas = pytest.importorskip("pandas")
    pool = [(str(i), str(-i)) for i in range(50)]
    frame = pandas.DataFrame(pool, columns=["from", "to"])
    drawn = frame.sample(n=min(count, 50), replace=False, random_state=seed)
    sampled = list(field_protocol.sample(PairList.of(pool), count, seed))
    assert sampled == list(drawn.itertuples(index=False, name=None))


def test_large_protocol_equals_the_published_procedure_in_pandas():
    """The procedure of the published scripts, on 296,000 pairs."""
    pandas = pytest.importorskip("pandas")
    names = [
        f"{person:04d}_{photo}.jpg" for photo in range(20) for person in range(780)
    ]
    annotated = _market(*names)
    pool = _all_pairs(annotated)
    assert len(pool) == 779 * 20 * 19  # Person 0000 is a distractor.
    frame = pandas.DataFrame(pool, columns=["from", "to"])
    drawn = frame.sample(n=min(12_000, len(pool)), replace=False, random_state=0)
    result = _list_pairs(annotated, "test", field_protocol.MAX_TEST_PAIRS, 0)
    assert result == list(drawn.itertuples(index=False, name=None))


def test_small_test_pool_is_shuffled_whole():
    annotated = _market(*(f"1_{i}" for i in range(6)))
    pool = _all_pairs(annotated)
    result = _list_pairs(annotated, "test", field_protocol.MAX_TEST_PAIRS, 0)
    assert sorted(result) == sorted(pool) and result != pool


def test_training_cap_is_a_seeded_sample():
    annotated = _market(*(f"1_{i}" for i in range(6)))
    pool = _all_pairs(annotated)
    assert _list_pairs(annotated, "train", None, 0) == pool
    capped = _list_pairs(annotated, "train", 10, 3)
    assert len(set(capped)) == 10 and set(capped) < set(pool)
    assert capped == _list_pairs(annotated, "train", 10, 3)
    assert capped != _list_pairs(annotated, "train", 10, 4)


def test_unused_photos_are_counted_by_reason():
    annotated = _market("1_a", "1_b", "1_c", "2_a", "-1_a", "0000_a")
    annotated["1_d"] = _pose(11)
    listed = PairList.of([("1_a", "1_b")])
    assert field_protocol.unused(annotated, listed, "market1501", "field") == {
        "junk or distractor by name": 2,
        "a shoulder or a hip is missing": 1,
        "the only usable photo of the person": 1,
        "in none of the listed pairs": 1,
    }
