"""Pairs that are counted instead of listed, against brute force."""

import itertools
import tracemalloc

import numpy as np
import pytest

from data_prep.pairs import field_protocol, pair_list
from data_prep.pairs.pair_list import (
    ComputedOrder,
    NumberedPairs,
    OrderedPairs,
    PairList,
)
from data_prep.records import write_dataset
from tests.data_prep.small_sources import build, pair_names, read_records

GROUPS = [["a1"], ["b1", "b2", "b3"], [], ["c1", "c2"], ["d1"], [*"efghi"]]
BRUTE = [pair for group in GROUPS for pair in itertools.permutations(group, 2)]


def test_ordered_pairs_are_numbered_as_permutations_lists_them():
    sizes = [len(group) for group in GROUPS]
    photos = [name for group in GROUPS for name in group]
    ordered = OrderedPairs(sizes)
    assert len(ordered) == len(BRUTE) == 3 * 2 + 2 + 5 * 4
    found = ordered[np.arange(len(ordered))]
    assert [(photos[a], photos[b]) for a, b in found] == BRUTE
    shuffled = np.random.default_rng(0).permutation(len(ordered))
    np.testing.assert_array_equal(ordered[shuffled], found[shuffled])


@pytest.mark.parametrize("listed", [PairList.within(GROUPS), PairList.of(BRUTE)])
def test_a_pair_list_is_a_sequence_of_names(listed, monkeypatch):
    monkeypatch.setattr(pair_list, "_BLOCK", 5)
    assert list(listed) == BRUTE and listed == BRUTE
    assert listed != BRUTE[::-1] and listed != BRUTE[1:] and listed != 3
    assert listed[3] == BRUTE[3] and listed[-1] == BRUTE[-1]
    assert listed[4:11:2] == BRUTE[4:11:2] and listed[9:2:-3] == BRUTE[9:2:-3]
    with pytest.raises(IndexError):
        listed[len(BRUTE)]
    assert listed.used() == [*dict.fromkeys(name for pair in BRUTE for name in pair)]
    assert listed.take(np.asarray([7, 0, 7])) == [BRUTE[7], BRUTE[0], BRUTE[7]]
    assert not listed.take(np.asarray([], int))


@pytest.mark.parametrize("listed", [PairList.within(GROUPS), PairList.of(BRUTE)])
@pytest.mark.parametrize("bad", ["", "b2", "c1", "e", "ehi", "efghi"])
def test_pairs_of_bad_photos_are_left_out_in_order(listed, bad):
    bad = [bad] if bad in listed.photos else list(bad)
    kept = listed.only(np.asarray([name not in bad for name in listed.photos]))
    assert kept == [pair for pair in BRUTE if not set(pair) & set(bad)]


def test_the_used_names_of_a_part_are_those_of_its_pairs():
    part = PairList.within(GROUPS).take(np.asarray([25, 2]))
    assert part.used() == [*BRUTE[25], *BRUTE[2]]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 63, 64, 65, 1000, 4097])
def test_a_computed_order_is_a_permutation(size):
    order = ComputedOrder(size, seed=3)[np.arange(size)]
    assert sorted(order.tolist()) == list(range(size))


def test_a_computed_order_is_random():
    size = 50_000
    order = ComputedOrder(size, seed=0)
    values = order[np.arange(size)]
    assert (values != ComputedOrder(size, seed=1)[np.arange(size)]).mean() > 0.99
    # Neighbours are uncorrelated, and each tenth of the places holds all values evenly.
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.02
    for part in np.split(values, 10):
        counts, _ = np.histogram(part, bins=10, range=(0, size))
        assert counts.min() > 400 and counts.max() < 600


def test_small_orders_are_those_of_numpy_and_large_ones_are_computed(monkeypatch):
    order = pair_list.random_order(1000, 7)
    np.testing.assert_array_equal(order, np.random.RandomState(7).permutation(1000))
    monkeypatch.setattr(pair_list, "MAX_PERMUTATION", 999)
    assert isinstance(pair_list.random_order(1000, 7), ComputedOrder)


def test_a_thousand_million_pairs_take_the_memory_of_their_photos():
    tracemalloc.start()
    try:
        listed = OrderedPairs([101] * 100_000)
        count = len(listed)
        numbered = NumberedPairs(
            listed, np.arange(10_100_000), pair_list.random_order(count, 0)
        )
        (block,) = numbered.blocks(count - 1000, count)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1_010_000_000
    assert (block[:, 0] // 101 == block[:, 1] // 101).all()
    assert (block[:, 0] != block[:, 1]).all()
    assert peak < 100e6  # 81 MB are the numbers of the photos.


def test_a_build_with_a_computed_order_holds_every_pair_once(
    market, tmp_path, monkeypatch
):
    build(market, tmp_path / "table")
    monkeypatch.setattr(pair_list, "MAX_PERMUTATION", 1)
    build(market, tmp_path / "computed")
    table, computed = (
        pair_names(read_records(tmp_path / name, "train"))
        for name in ("table", "computed")
    )
    assert sorted(table) == sorted(computed) and table != computed


def test_a_sample_of_a_large_pool_has_no_pair_twice(monkeypatch):
    monkeypatch.setattr(pair_list, "MAX_PERMUTATION", 10)
    drawn = field_protocol.sample(PairList.within(GROUPS), 20, seed=0)
    assert len(drawn) == len(set(drawn)) == 20 and set(drawn) < set(BRUTE)


def test_the_pictured_records_are_drawn_without_a_table():
    """As numpy draws them; of 100 million pairs in next to no memory."""
    drawn = np.random.RandomState(3).choice(50, write_dataset.NUM_PICTURED_PAIRS, False)
    assert write_dataset.pictured_rows(50, seed=3) == drawn.tolist()
    assert sorted(write_dataset.pictured_rows(2, seed=0)) == [0, 1]
    tracemalloc.start()
    rows = write_dataset.pictured_rows(100_000_000, seed=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(rows)) == write_dataset.NUM_PICTURED_PAIRS and peak < 2**20
