"""Which of the training people are held out, to choose by in place of test people."""

import hashlib
from collections.abc import Iterable

from pg2_jax import errors


def held_out(identities: Iterable[bytes], share: float) -> list[bytes]:
    """The people of the validation split, the same for every seed and in every run: a
    share, above 0 and below 1, of those who are named once or more; at least one and
    not all, those whose names have the smallest SHA-256. A single person is a
    ValueError."""
    people = sorted(set(identities), key=lambda name: hashlib.sha256(name).digest())
    if len(people) < 2:
        rule = f" needs two training people or more; there is {len(people)}."
        raise errors.ArgumentError("validation_share", share, rule)
    return people[: min(max(1, round(share * len(people))), len(people) - 1)]
