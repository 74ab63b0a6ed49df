"""Which photo is paired with which by the protocol of the pose transfer literature
(pose-gan, PATN and their followers), to the letter, so that its lists of 263,632
training and 12,000 test pairs of Market-1501 come out row by row."""

import collections
from collections.abc import Mapping

import numpy as np

from data_prep.pairs import identity, pair_list
from data_prep.pairs.pair_list import PairList

MAX_TEST_PAIRS = 12_000


def all_pairs(annotated: Mapping[str, np.ndarray], dataset: str) -> PairList:
    """All ordered pairs of usable photos of one person: identities as they appear in
    `annotated` (photo name -> [18, 3]), in one as `itertools.permutations`."""
    groups: dict[str, list[str]] = {}
    for name, keypoints in annotated.items():
        if identity.usable(name, keypoints, dataset, "field"):
            groups.setdefault(identity.identity_of(name, dataset), []).append(name)
    return PairList.within(groups.values())


def sample(pairs: PairList, count: int, seed: int) -> PairList:
    """`count` pairs by seed without replacement, in random order, exactly as
    `DataFrame.sample` of pandas; fewer pairs are returned whole, shuffled."""
    # RandomState.choice without replacement is the head of its permutation.
    return pairs.take(pair_list.random_order(len(pairs), seed)[:count])


def unused(
    annotated: Mapping[str, np.ndarray], pairs: PairList, dataset: str, protocol: str
) -> collections.Counter[str]:
    """Counts the annotated photos (name -> [18, 3]) that are in none of the pairs, by
    reason; one of `identity.PROTOCOLS` decides what a usable photo is."""
    usable = {
        name
        for name, keypoints in annotated.items()
        if identity.usable(name, keypoints, dataset, protocol)
    }
    people = (identity.identity_of(name, dataset) for name in usable)
    photos_of = collections.Counter(people)
    counts: collections.Counter[str] = collections.Counter()
    for name in annotated.keys() - set(pairs.used()):
        if identity.is_junk(name, dataset):
            counts["junk or distractor by name"] += 1
        elif name not in usable:
            counts[identity.UNUSABLE[protocol]] += 1
        elif photos_of[identity.identity_of(name, dataset)] == 1:
            counts["the only usable photo of the person"] += 1
        else:
            counts["in none of the listed pairs"] += 1
    return counts
