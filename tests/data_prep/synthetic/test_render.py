"""Rays against parts of a body, compared with geometry by hand and brute force."""

import numpy as np
import pytest

from data_prep.synthetic import render


def ball(start, end, radii, squash=(1.0, 1.0, 1.0)):
    bone = render.Bone(np.zeros(3), np.eye(3), 1.0, "torso")
    return render.Part(bone, np.array(start), np.array(end), radii, "skin", squash)


def test_raycast_finds_the_front_of_an_ellipsoid():
    view = render.Viewport(101, 101, scale=100.0, x0=50.0, y0=50.0)
    part = ball((0, 0, 1.0), (0, 1e-3, 1.0), (0.3, 0.3), squash=(1.0, 0.5, 1.0))
    surface = render.raycast([part], view)
    # Half axes: 0.3 m across, 0.15 m in depth, 0.3 m up.
    assert surface.depth[50, 50] == pytest.approx(1.15, abs=1e-3)
    assert (surface.owner >= 0).sum() == pytest.approx(np.pi * 30**2, rel=0.02)
    x, y, z = surface.local.T - np.array([[0], [0], [1.0]])
    np.testing.assert_allclose(
        (x / 0.3) ** 2 + (y / 0.3) ** 2 + (z / 0.15) ** 2, 1, atol=0.02
    )


def test_raycast_hits_a_tapered_capsule_exactly():
    view = render.Viewport(90, 90, scale=100.0, x0=45.0, y0=45.0)
    start, end = np.array((-0.2, -0.1, 0.1)), np.array((0.15, 0.2, -0.15))
    radii = (0.15, 0.08)
    surface = render.raycast([ball(start, end, radii)], view)
    # Brute force: the surface is the envelope of many balls along the axis.
    share = np.linspace(0, 1, 400)[:, None]
    centres = start + share * (end - start)
    sizes = radii[0] + share[:, 0] * (radii[1] - radii[0])
    offset = surface.local[:, None] - centres
    gap = np.sqrt((offset**2).sum(2)) - sizes
    assert len(surface.local) > 1000
    np.testing.assert_allclose(gap.min(1), 0, atol=2e-3)
    nearest = centres[gap.argmin(1)]
    outward = surface.local - nearest
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    assert ((outward * surface.normal).sum(1) > 0.99).all()
    assert (surface.normal[:, 2] > -1e-3).all()


def test_the_nearer_part_wins():
    view = render.Viewport(20, 20, scale=20.0, x0=9.5, y0=9.5)
    far = ball((0, 0, -1.0), (0, 0.01, -1.0), (0.4, 0.4))
    near = ball((0, 0, 1.0), (0, 0.01, 1.0), (0.2, 0.2))
    owner = render.raycast([near, far], view).owner
    assert owner[10, 10] == 0
    assert owner[10, 4] == 1
    assert owner[0, 0] == -1
