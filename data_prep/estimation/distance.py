"""How far the keypoints of two files lie apart: an estimator against annotations."""

from collections.abc import Mapping

import numpy as np


def describe(
    estimated: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], name: str
) -> list[str]:
    """The distances of the photos that two sets of keypoints have in common, over all
    and joint by joint, in lines for the terminal.

    The sets are photo name -> [18, 3] = (x, y, visible) in pixels; `name` is the file
    of the reference.
    """
    names = [photo for photo in estimated if photo in reference]
    shape = (len(names), 18, 3)
    ours = np.array([estimated[name] for name in names], np.float64).reshape(shape)
    theirs = np.array([reference[name] for name in names], np.float64).reshape(shape)
    here, there = ours[..., 2] > 0, theirs[..., 2] > 0
    both = here & there
    pixels = np.linalg.norm((ours - theirs)[both][:, :2], axis=1)
    lines = [
        f"  compared with {name}: {len(names):,} photos and {len(pixels):,} points "
        f"that both have; {(here & ~there).sum():,} points only here, "
        f"{(there & ~here).sum():,} only there"
    ]
    if not len(pixels):
        return lines
    median, most = np.percentile(pixels, [50, 95])
    lines.append(
        f"  distance in pixels: mean {pixels.mean():.2f}, median {median:.2f}, 95 % "
        f"below {most:.2f}"
    )
    from pg2_jax import pose  # Imports jax.

    joints = np.nonzero(both)[1]
    for joint, joint_name in enumerate(pose.JOINTS):
        of_joint = pixels[joints == joint]
        if len(of_joint):
            lines.append(
                f"    {joint_name:14} {of_joint.mean():6.2f} ({len(of_joint):,} points)"
            )
    return lines
