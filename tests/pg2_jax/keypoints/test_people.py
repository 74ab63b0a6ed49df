"""One person among several, and through a video."""

import numpy as np
import pytest

from pg2_jax.keypoints import people


def figure(left=0.0, height=100.0):
    """A person whose box has this left side and height, and a third of it as width."""
    shares = np.linspace(0, 1, 18)
    points = [left + shares * height / 3, 50 + shares * height, np.ones(18)]
    return np.stack(points, axis=1).astype(np.float32)


def test_the_surest_of_the_largest_comes_first_then_by_size():
    everyone = np.stack([figure(0, 40), figure(50, 99), figure(90, 100), figure(0, 60)])
    assert people.order(everyone) == [2, 1, 3, 0]
    assert people.order(everyone, [(9,), (2,), (1,), (3,)]) == [1, 2, 3, 0]
    assert people.order(everyone[:0]) == []


def test_a_person_is_followed_from_the_largest_at_the_start():
    """A bystander, larger at the end, is not taken, nor where the dancer is lost."""
    frames = []
    for i in range(9):
        dancer, other = figure(10 + 3 * i), figure(300, 50 + 30 * i)
        here = [other] if i == 5 else [dancer, other]
        frames.append(np.stack(sorted(here, key=people.size, reverse=True)))
    frames[6] = frames[6][:0]
    found = people.follow(frames)
    assert found[5] is None and found[6] is None
    lefts = [pose[0, 0] for pose in found if pose is not None]
    assert lefts == [10, 13, 16, 19, 22, 31, 34]
    second = people.follow(frames, 2)
    assert [p[0, 0] for p in second if p is not None] == [300] * 8


def test_a_person_who_comes_later_is_followed_backwards_too():
    frames = [figure(5)[None], figure(6)[None], np.stack([figure(8), figure(60, 50)])]
    assert [pose[0, 0] for pose in people.follow(frames)] == [5, 6, 8]
    with pytest.raises(ValueError, match="no frame shows 3 people, at most 2"):
        people.follow(frames, 3)


def test_a_trackers_numbers_say_who_is_who():
    """Two people change places in a jump, one is away for a while and comes back under
    a new number; whoever once stood beside a person is somebody else."""
    a, b = figure(0), figure(200, 90)
    frames = [[a, b], [b, a], [b], [b, figure(30)], [figure(40), b]]
    tracks = [[7, 3], [7, 3], [3], [3, 9], [None, 3]]
    stacked = [np.stack(people) for people in frames]
    lefts = [None if p is None else p[0, 0] for p in people.follow(stacked, 1, tracks)]
    assert lefts == [0, 200, None, 30, 40]
    # By place alone it would have stayed at 0.
    assert people.follow(stacked)[1][0, 0] == 0
    second = people.follow(stacked, 2, tracks)
    assert [pose[0, 0] for pose in second] == [200, 0, 200, 200, 200]


def test_alone_a_person_may_be_anywhere():
    frames = [figure(0)[None], figure(900)[None], figure()[None][:0]]
    found = people.follow(frames)
    assert found[1][0, 0] == 900 and found[2] is None
