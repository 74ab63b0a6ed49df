"""Pairs as index arrays, against brute force."""

import itertools
import tracemalloc

import numpy as np
import pytest

from data_prep.pairs import field_protocol, pair_list
from data_prep.pairs.pair_list import PairList
from tests.data_prep.small_sources import build, listing

GROUPS = [["a1"], ["b1", "b2", "b3"], [], ["c1", "c2"], ["d1"], [*"efghi"]]
BRUTE = [pair for group in GROUPS for pair in itertools.permutations(group, 2)]


@pytest.fixture
def on_disk(monkeypatch):
    """Every array lies in a file."""
    monkeypatch.setattr(pair_list, "MAX_BYTES_IN_MEMORY", 0)


def test_ordered_pairs_are_those_of_permutations():
    ordered = PairList.within(GROUPS)
    assert len(ordered) == len(BRUTE) == 3 * 2 + 2 + 5 * 4
    assert ordered.positions.dtype == np.int32
    assert [(ordered.photos[a], ordered.photos[b]) for a, b in ordered.positions] == (
        BRUTE
    )


@pytest.mark.parametrize("listed", [PairList.within(GROUPS), PairList.of(BRUTE)])
def test_a_pair_list_is_one_of_names(listed, monkeypatch):
    monkeypatch.setattr(pair_list, "BLOCK", 5)
    assert list(listed) == BRUTE and len(listed) == len(BRUTE)
    assert listed.used() == [*dict.fromkeys(name for pair in BRUTE for name in pair)]
    taken = listed.take(np.asarray([7, 0, 7]))
    assert list(taken) == [BRUTE[7], BRUTE[0], BRUTE[7]]
    assert not listed.take(np.asarray([], int))


@pytest.mark.parametrize("listed", [PairList.within(GROUPS), PairList.of(BRUTE)])
@pytest.mark.parametrize("bad", ["", "b2", "c1", "e", "ehi", "efghi"])
def test_pairs_of_bad_photos_are_left_out_in_order(listed, bad):
    bad = [bad] if bad in listed.photos else list(bad)
    kept = listed.only(np.asarray([name not in bad for name in listed.photos]))
    assert list(kept) == [pair for pair in BRUTE if not set(pair) & set(bad)]


def test_the_used_names_of_a_part_are_those_of_its_pairs():
    part = PairList.within(GROUPS).take(np.asarray([25, 2]))
    assert part.used() == [*BRUTE[25], *BRUTE[2]]


def test_pairs_by_the_numbers_of_their_photos(monkeypatch):
    monkeypatch.setattr(pair_list, "BLOCK", 5)
    pairs = PairList.within(GROUPS)
    numbers = np.arange(len(pairs.photos))[::-1] * 10
    names = {number: name for number, name in zip(numbers, pairs.photos, strict=True)}
    rows = pairs.numbered(numbers)
    assert [(names[a], names[b]) for a, b in rows] == BRUTE


def test_orders_are_those_of_numpy():
    order = pair_list.random_order(1000, 7)
    np.testing.assert_array_equal(order, np.random.RandomState(7).permutation(1000))


def test_large_arrays_lie_in_a_file_and_take_no_memory(monkeypatch):
    monkeypatch.setattr(pair_list, "MAX_BYTES_IN_MEMORY", 1000)
    sizes = [101] * 40
    groups = [
        [f"{who}_{photo}" for photo in range(size)] for who, size in enumerate(sizes)
    ]
    tracemalloc.start()
    try:
        pairs = PairList.within(groups)
        order = pair_list.random_order(len(pairs), 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(pairs) == 40 * 101 * 100
    assert peak < 2e6 < 8 * len(pairs) == pairs.positions.nbytes
    expected = np.random.RandomState(0).permutation(len(pairs))
    np.testing.assert_array_equal(order, expected)
    assert list(itertools.islice(pairs, 10_100)) == [
        *itertools.permutations(groups[0], 2)
    ]


def test_a_full_disk_is_named(on_disk, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pair_list.os, "posix_fallocate", refuse)
    with pytest.raises(
        ValueError,
        match=r"no space for 224 bytes .* No space "
        r".*TMPDIR",
    ):
        PairList.within(GROUPS)


def test_a_build_with_arrays_in_files_is_the_same(market, tmp_path, request):
    build(market, tmp_path / "memory")
    request.getfixturevalue("on_disk")
    build(market, tmp_path / "disk")
    assert listing(tmp_path / "disk") == listing(tmp_path / "memory")
    for file in (tmp_path / "memory").iterdir():
        assert (tmp_path / "disk" / file.name).read_bytes() == file.read_bytes()


def test_a_sample_of_a_large_pool_is_that_of_a_small_one(request):
    drawn = list(field_protocol.sample(PairList.of(BRUTE), 20, seed=0))
    assert len(drawn) == len(set(drawn)) == 20 and set(drawn) < set(BRUTE)
    request.getfixturevalue("on_disk")
    assert list(field_protocol.sample(PairList.within(GROUPS), 20, seed=0)) == drawn
