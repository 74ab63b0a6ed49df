"""Who is held out, and that training never sees them."""

import collections
import hashlib
import itertools

import numpy as np
import pytest

from pg2_jax.input_pipeline import pair_reader


def test_the_people_are_those_with_the_smallest_hashes():
    names = [b"%04d" % number for number in range(40)]
    got = pair_reader.held_out(names * 3, 0.1)
    by_hash = sorted(names, key=lambda name: hashlib.sha256(name).hexdigest())
    assert got == by_hash[:4]
    # Whoever is held out stays so when the share grows.
    assert pair_reader.held_out(names, 0.5)[:4] == got


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.5, 2), (0.99, 3)])
def test_at_least_one_person_and_not_all(share, count):
    assert len(pair_reader.held_out([b"1", b"2", b"3", b"4"], share)) == count


def test_one_person_is_too_few():
    with pytest.raises(ValueError, match=r"validation_share=0.5 needs two .* is 1"):
        pair_reader.held_out([b"1", b"1"], 0.5)


@pytest.fixture(scope="module", params=["tf_data", "memory"])
def split(pair_dataset, request):
    return pair_reader.PairDataset(pair_dataset, 0.25, reader=request.param)


def pair(batch, row):
    return tuple(batch[k][row].tobytes() for k in ("source_image", "target_image"))


def pairs_of_epoch(dataset, seed=0, first_step=0):
    """Each training pair of one epoch, one a step."""
    batches = dataset.training_batches(batch_size=1, seed=seed, first_step=first_step)
    count = dataset.count("train") - first_step
    return [pair(batch, 0) for batch in itertools.islice(batches, count)]


def validation_pairs(dataset, **options):
    found = []
    for test in dataset.test_batches(batch_size=4, split="validation", **options):
        found += [pair(test.batch, row) for row in range(len(test.names))]
    return found


def test_training_and_validation_share_the_pairs_and_no_person(split, pair_dataset):
    whole = pair_reader.PairDataset(pair_dataset, reader=split.reader)
    trained, held = pairs_of_epoch(split), validation_pairs(split)
    assert len(held) == split.count("validation") > 0
    assert collections.Counter(trained + held) == collections.Counter(
        pairs_of_epoch(whole)
    )
    names = [
        name
        for test in split.test_batches(batch_size=4, split="validation")
        for name in test.names
    ]
    # A quarter of four people; Market-1501's names begin with the person.
    assert len({name[:4] for both in names for name in both}) == 1
    photos = {photo for both in held for photo in both}
    assert not photos & {photo for both in trained for photo in both}


def test_training_resumes_where_it_was(split):
    assert pairs_of_epoch(split, seed=3, first_step=5) == pairs_of_epoch(split, 3)[5:]


def test_a_limit_takes_the_first(split):
    assert validation_pairs(split, limit=3) == validation_pairs(split)[:3]


def test_without_a_share_there_is_no_validation(pair_dataset):
    with pytest.raises(ValueError, match="no pairs in split validation"):
        pair_reader.PairDataset(pair_dataset).count("validation")


def test_test_pairs_stay_as_they_are(split, pair_dataset):
    whole = pair_reader.PairDataset(pair_dataset, reader=split.reader)
    (one,), (other,) = (
        list(data.test_batches(batch_size=4, limit=4)) for data in (split, whole)
    )
    np.testing.assert_array_equal(
        one.batch["source_image"], other.batch["source_image"]
    )
    assert split.count("test") == whole.count("test")
