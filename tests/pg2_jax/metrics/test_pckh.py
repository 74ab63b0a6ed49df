"""PCKh, counted by hand and beside a loop as PATN's scripts have it."""

import numpy as np

from pg2_jax.metrics import pckh


def person(**places):
    """[18, 3] with the joints that are named by their number: j0=(x, y)."""
    points = np.zeros((18, 3), np.float32)
    for name, (x, y) in places.items():
        points[int(name[1:])] = x, y, 1
    return points


def count(generated, target):
    right, joints = pckh.hits(generated[None], target[None])
    return int(right[0]), int(joints[0])


def test_a_hit_by_hand():
    # The head is 10 wide and 20 high: hits are nearer than 5 across and 10 down.
    target = person(j0=(10, 10), j1=(20, 30), j4=(40, 50), j7=(60, 70))
    exact = person(j0=(10, 10), j1=(20, 30), j4=(40, 50), j7=(60, 70))
    assert count(exact, target) == (4, 4)
    assert count(person(j0=(14.9, 19.9)), target) == (1, 4)
    assert count(person(j0=(15, 10)), target) == (0, 4)  # Exactly half is a miss.
    assert count(person(j0=(10, 20)), target) == (0, 4)
    assert count(person(j4=(44, 50), j7=(50, 70)), target) == (1, 4)


def test_missing_joints():
    target = person(j0=(10, 10), j1=(20, 30))
    # A joint that the target lacks is not counted, wherever it is drawn.
    assert count(person(j0=(10, 10), j9=(0, 0)), target) == (1, 2)
    # A drawn joint that is missing is a miss, also where its place would fit.
    near_origin = person(j0=(1, 1), j1=(20, 30))
    assert count(person(), near_origin) == (0, 2)


def test_a_head_needs_two_points():
    assert count(person(j0=(1, 1)), person(j0=(1, 1), j4=(5, 5))) == (0, 0)
    assert count(person(), person()) == (0, 0)
    # Two at one place make a head without size: no hit, as in PATN's scripts.
    target = person(j14=(3, 3), j15=(3, 3))
    assert count(target, target) == (0, 2)


def test_a_batch_equals_the_loop():
    rng = np.random.default_rng(0)
    poses = rng.uniform(0, 40, (2, 50, 18, 3)).astype(np.float32)
    poses[..., 2] = rng.uniform(size=poses.shape[:-1]) < 0.4
    generated, target = poses
    right, joints = pckh.hits(generated, target)
    assert 0 < (joints == 0).sum() < 25 and right.sum() > 20
    for i in range(50):
        assert (right[i], joints[i]) == loop(generated[i], target[i])


def loop(generated, target):
    head = [target[j, :2] for j in (0, 1, 14, 15, 16, 17) if target[j, 2]]
    if len(head) < 2:
        return 0, 0
    width, height = np.max(head, axis=0) - np.min(head, axis=0)
    right = sum(
        bool(t[2] and g[2])
        and abs(g[0] - t[0]) < 0.5 * width
        and abs(g[1] - t[1]) < 0.5 * height
        for g, t in zip(generated, target, strict=True)
    )
    return right, int(target[:, 2].sum())
