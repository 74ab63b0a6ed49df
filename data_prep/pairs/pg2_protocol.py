"""The pairs of PG2's own program, which are not those that later papers share.

`datasets/convert_market.py` and `convert_DF.py` of the authors' code: every ordered
pair of photos of one person, shuffled with Python's `random`, seeded with 0; of these
the pairs whose photos are both in the file of poses, and of Market-1501's test pairs
the first 12,800. No pose is left out for missing points: the authors had filtered their
pose files before, by a rule that is not known.

On the way to the shuffle that counts, their program shuffles pairs of different people,
which it then drops. How many there are moves the generator on, so they are counted.
"""

import itertools
import random
from collections.abc import Collection

from data_prep.pairs.identity import identity_of, is_junk
from data_prep.pairs.pair_list import Pair

# Their reader stops there; of DeepFashion it takes every test pair.
MAX_TEST_PAIRS = {"market1501": 12_800}
# A pair of different people is made for every so many photos.
_NEGATIVE_STEP = 2000


def list_pairs(
    photos: Collection[str],
    posed: Collection[str],
    dataset: str,
    *,
    limit: int | None,
    seed: int = 0,
) -> list[Pair]:
    """Lists the pairs of a split in the order of the authors' records, `limit` at most.
    The shuffle depends on all photos, posed or not; the authors' seed is 0."""
    names = sorted(name for name in photos if not is_junk(name, dataset))
    people = [identity_of(name, dataset) for name in names]
    generator = random.Random(seed)
    # Their pairs (i, j) of different people: i < j, j a multiple of 2,000.
    negatives = sum(
        sum(person != people[second] for person in people[:second])
        for second in range(0, len(people), _NEGATIVE_STEP)
    )
    _shuffle([None] * negatives, generator)
    # Sorted names keep the photos of one person together.
    pairs = [
        pair
        for _, photos_of_one in itertools.groupby(
            names, lambda name: identity_of(name, dataset)
        )
        for first, second in itertools.combinations(photos_of_one, 2)
        for pair in ((first, second), (second, first))
    ]
    _shuffle(pairs, generator)
    known = set(posed)
    kept = [pair for pair in pairs if pair[0] in known and pair[1] in known]
    return kept[:limit]


def _shuffle(items: list, generator: random.Random) -> None:
    """`random.shuffle` of Python 2, which draws otherwise than Python 3's."""
    for last in range(len(items) - 1, 0, -1):
        chosen = int(generator.random() * (last + 1))
        items[last], items[chosen] = items[chosen], items[last]
