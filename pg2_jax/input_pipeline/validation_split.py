"""Which of the training people are held out, to choose by in place of test people."""

import hashlib
from collections.abc import Iterable

from pg2_jax import errors


def held_out(identities: Iterable[bytes], share: float) -> list[bytes]:
    """The people of the validation split, the same for every seed and in every run: at
    least one and not all, those whose names have the smallest SHA-256.

    Args:
        identities: of the training people, each any number of times.
        share: of the people, above 0 and below 1.

    Raises:
        ValueError: there is a single person.
    """
    people = sorted(set(identities), key=lambda name: hashlib.sha256(name).digest())
    if len(people) < 2:
        rule = f" needs two training people or more; there is {len(people)}."
        raise errors.ArgumentError("validation_share", share, rule)
    return people[: min(max(1, round(share * len(people))), len(people) - 1)]
