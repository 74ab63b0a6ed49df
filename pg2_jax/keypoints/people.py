"""Which of several people is meant: of one photo, and through the frames of a video."""

import collections
from collections.abc import Mapping, Sequence

import numpy as np

_NECK, _HIPS = 1, (8, 11)
# People at least this large beside the largest count as equally large.
_EQUAL = 0.9
# Shares of the body's size, from frame to frame: a usual move, and an impossible one.
_USUAL_STEP, _LONGEST_STEP = 0.1, 0.5

# The number of each person of a frame, which may be unknown.
Tracks = Sequence[int | None]


def order(people: np.ndarray, ranks: Sequence[tuple[float, ...]] = ()) -> list[int]:
    """Numbers those people [P, 18, 3] = (x, y, visible) of whom a point is seen, the
    one whom a photo shows first. Complete people, with neck and a hip, come first, then
    the larger ones, by the diagonal of the box around their points. Among those about
    as large as the first their `ranks` decide, larger is better."""
    seen = people[..., 2] > 0
    complete = (seen[:, _NECK] & seen[:, _HIPS].any(axis=1)).tolist()
    sizes = [size(person) for person in people]
    numbers = np.flatnonzero(seen.any(axis=1)).tolist()
    numbers.sort(key=lambda i: (not complete[i], -sizes[i]))
    if not numbers or not ranks:
        return numbers
    whole, least = complete[numbers[0]], _EQUAL * sizes[numbers[0]]
    alike = [i for i in numbers if complete[i] == whole and sizes[i] >= least]
    best = max(alike, key=lambda i: ranks[i])
    return [best, *(i for i in numbers if i != best)]


def size(person: np.ndarray) -> float:
    """The diagonal of the box around the visible points [18, 3], 0 without any."""
    seen = person[person[:, 2] > 0, :2]
    return float(np.hypot(*np.ptp(seen, axis=0))) if len(seen) else 0.0


def follow(
    frames: Sequence[np.ndarray], first: int = 1, tracks: Sequence[Tracks] = ()
) -> list[np.ndarray | None]:
    """One person through the frames of a video, each float32 [P, 18, 3] = (x, y,
    visible), P people in the order of `order`: in each the pose [18, 3], None where it
    is not seen.

    The person is number `first`, counted from 1, of the first frame that has so many;
    from there, in both directions, the nearest one is taken. Where the person moves
    little otherwise, one who stands further away than half of a body's size is somebody
    else. Where a tracker has numbered people, `tracks` by frame, whoever has the
    person's is taken, and nobody who once stood beside it. A ValueError if no frame has
    so many people.
    """
    start = next((i for i, people in enumerate(frames) if len(people) >= first), None)
    if start is None:
        most = max((len(people) for people in frames), default=0)
        raise ValueError(f"no frame shows {first} people, at most {most}")
    if max(len(people) for people in frames) == 1:
        return [people[0] if len(people) else None for people in frames]
    numbered = tracks or [[None] * len(people) for people in frames]
    seen = list(zip(frames, numbered, strict=True))
    beside = _beside(numbered)

    def walk(longest: float) -> tuple[list[np.ndarray | None], list[float]]:
        before, back = _walk(seen[start::-1], first - 1, longest, beside)
        after, forth = _walk(seen[start:], first - 1, longest, beside)
        return [*before[:0:-1], *after], back + forth

    found, steps = walk(np.inf)
    if steps and np.median(steps) <= _USUAL_STEP:
        found, _ = walk(_LONGEST_STEP)
    return found


def _walk(
    frames: Sequence[tuple[np.ndarray, Tracks]],
    first: int,
    longest: float,
    beside: Mapping[int | None, set[int | None]],
) -> tuple[list[np.ndarray | None], list[float]]:
    """A person of the first frame in all of them, and by how much of its size it moved
    at each step; `longest` is what it may move in one frame, and `beside` has the
    numbers of those who are somebody else."""
    last, track = frames[0][0][first], frames[0][1][first]
    found: list[np.ndarray | None] = [last]
    steps, waited = [], 1
    for people, tracks in frames[1:]:
        unit = max(size(last), 1.0)
        distances = [_distance(last, person) for person in people]
        # By its number a person may be anywhere.
        places = [i for i, x in enumerate(tracks) if x is not None and x == track]
        if not places:
            others, near = beside.get(track, set()), longest * unit * waited
            close = [i for i, distance in enumerate(distances) if distance <= near]
            places = [i for i in close if tracks[i] not in others]
        if not places:
            found.append(None)
            waited += 1
            continue
        nearest = min(places, key=lambda i: distances[i])
        steps.append(distances[nearest] / unit)
        last, waited = people[nearest], 1
        if tracks[nearest] is not None:
            track = tracks[nearest]
        found.append(last)
    return found, steps


def _beside(frames: Sequence[Tracks]) -> dict[int | None, set[int | None]]:
    """By each number those that were in a frame together with it."""
    together = collections.defaultdict[int | None, set[int | None]](set)
    for tracks in frames:
        numbers = set(tracks) - {None}
        for track in numbers:
            together[track] |= numbers - {track}
    return together


def apart(one: np.ndarray, other: np.ndarray) -> float | None:
    """Mean distance of the points [18, 3] that both show, None if there is none."""
    both = (one[:, 2] > 0) & (other[:, 2] > 0)
    gaps = one[both, :2] - other[both, :2]
    return float(np.hypot(*gaps.T).mean()) if both.any() else None


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """How far two people are apart, by their middles if they show no same point."""
    if (distance := apart(one, other)) is not None:
        return distance
    middles = [person[person[:, 2] > 0, :2].mean(axis=0) for person in (one, other)]
    return float(np.hypot(*(middles[0] - middles[1])))
