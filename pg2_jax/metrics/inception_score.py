"""The Inception Score of Salimans et al. (2016), from class probabilities: it rises
when each image looks like one class and all together like many."""

import itertools

import numpy as np
from scipy import special

SPLITS = 10  # as improved-gan has it, and with it PG2


def inception_score(
    probabilities: np.ndarray, splits: int = SPLITS
) -> tuple[float, float]:
    """exp of the mean KL divergence of each image's classes from those of its split:
    mean and standard deviation (divisor `splits`) over the splits. Probabilities are
    [N, C] in listing order. Split i has the rows i N // splits to (i + 1) N // splits.
    """
    check_count(len(probabilities), splits)
    rows = np.asarray(probabilities, np.float64)
    ends = [i * len(rows) // splits for i in range(splits + 1)]
    scores = []
    for part in (rows[a:b] for a, b in itertools.pairwise(ends)):
        # 0 log 0 is 0: a class that the network rules out.
        divergence = special.rel_entr(part, part.mean(axis=0, keepdims=True))
        scores.append(float(np.exp(divergence.sum(axis=1).mean())))
    return float(np.mean(scores)), float(np.std(scores))


def check_count(images: int, splits: int = SPLITS) -> None:
    """Raises ValueError if there are fewer images than splits."""
    if images < splits:
        raise ValueError(
            f"The Inception Score over {splits} splits needs at least {splits} images, "
            f"got {images}."
        )


def remark(images: int, classes: int, splits: int = SPLITS) -> str:
    """What a reader of a score must know; empty if there are images enough: the score
    of a split lies below the smaller of its classes and its images."""
    per_split = images // splits
    if per_split >= classes:
        return ""
    return (
        f"{images:,} images in {splits} splits: no split of {per_split:,} can score "
        f"above {per_split:,}, and the score rises with their number; compare it only "
        "with scores of as many images"
    )
