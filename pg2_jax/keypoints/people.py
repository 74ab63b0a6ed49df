"""Which of several people is meant: of one photo, and through the frames of a video."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_NECK, _HIPS = 1, (8, 11)
# People at least this large beside the largest count as equally large.
_EQUAL = 0.9
# Shares of the body's size, from frame to frame: a usual move, and an impossible one.
_USUAL_STEP, _LONGEST_STEP = 0.1, 0.5


def order(people: np.ndarray, ranks: Sequence[Sequence[float]] = ()) -> list[int]:
    """Numbers people [P, 18, 3] = (x, y, visible), the one whom a photo shows first.
    Complete people, with neck and a hip, come first, then the larger ones, by the
    diagonal of the box around their points. Among those about as large as the first
    their `ranks` decide, larger is better; without ranks the number of points."""
    seen = people[..., 2] > 0
    if not len(ranks):
        ranks = [(float(count),) for count in seen.sum(axis=1)]
    complete = (seen[:, _NECK] & seen[:, _HIPS].any(axis=1)).tolist()
    sizes = [size(person) for person in people]
    numbers = sorted(range(len(people)), key=lambda i: (not complete[i], -sizes[i]))
    if not numbers:
        return []
    whole, least = complete[numbers[0]], _EQUAL * sizes[numbers[0]]
    alike = [i for i in numbers if complete[i] == whole and sizes[i] >= least]
    best = min(alike, key=lambda i: [-rank for rank in ranks[i]])
    return [best, *(i for i in numbers if i != best)]


def size(person: np.ndarray) -> float:
    """The diagonal of the box around the visible points [18, 3], 0 without any."""
    seen = person[person[:, 2] > 0, :2]
    return float(np.hypot(*np.ptp(seen, axis=0))) if len(seen) else 0.0


Tracks = Sequence[Sequence[int | None]]


class _Seen(NamedTuple):
    """A frame: the people [P, 18, 3], and their numbers, which may be unknown."""

    people: np.ndarray
    tracks: Sequence[int | None]


def follow(
    frames: Sequence[np.ndarray], first: int = 1, tracks: Tracks = ()
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
    seen = [
        _Seen(people, numbers or [None] * len(people))
        for people, numbers in zip(frames, numbered, strict=True)
    ]
    beside = _beside(seen)

    def walk(longest: float) -> tuple[list[np.ndarray | None], list[float]]:
        before, back = _walk(seen[start::-1], first - 1, longest, beside)
        after, forth = _walk(seen[start:], first - 1, longest, beside)
        return [*before[:0:-1], *after], back + forth

    found, steps = walk(np.inf)
    if steps and np.median(steps) <= _USUAL_STEP:
        found, _ = walk(_LONGEST_STEP)
    return found


def _walk(
    frames: Sequence[_Seen], first: int, longest: float, beside: dict[int, set[int]]
) -> tuple[list[np.ndarray | None], list[float]]:
    """A person of the first frame in all of them, and by how much of its size it moved
    at each step; `longest` is what it may move in one frame, and `beside` has the
    numbers of those who are somebody else."""
    start = frames[0]
    last, track = start.people[first], start.tracks[first]
    found: list[np.ndarray | None] = [last]
    steps, waited = [], 1
    for frame in frames[1:]:
        unit = max(size(last), 1.0)
        distances = [_distance(last, person) for person in frame.people]
        # By its number a person may be anywhere.
        places = [i for i, x in enumerate(frame.tracks) if x is not None and x == track]
        if not places:
            others = set() if track is None else beside.get(track, set())
            near = longest * unit * waited
            places = [
                i
                for i, distance in enumerate(distances)
                if distance <= near and frame.tracks[i] not in others
            ]
        if not places:
            found.append(None)
            waited += 1
            continue
        nearest = min(places, key=lambda i: distances[i])
        steps.append(distances[nearest] / unit)
        last, waited = frame.people[nearest], 1
        track = frame.tracks[nearest] if frame.tracks[nearest] is not None else track
        found.append(last)
    return found, steps


def _beside(frames: Sequence[_Seen]) -> dict[int, set[int]]:
    together: dict[int, set[int]] = {}
    for frame in frames:
        numbers = {track for track in frame.tracks if track is not None}
        for track in numbers:
            together.setdefault(track, set()).update(numbers - {track})
    return together


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of the points that both show; of their middles if there is none."""
    both = (one[:, 2] > 0) & (other[:, 2] > 0)
    if both.any():
        apart = one[both, :2] - other[both, :2]
        return float(np.hypot(apart[:, 0], apart[:, 1]).mean())
    middles = [person[person[:, 2] > 0, :2].mean(axis=0) for person in (one, other)]
    return float(np.hypot(*(middles[0] - middles[1])))
