"""How far the keypoints of two files lie apart: an estimator against annotations."""

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class Distances:
    """The points of two sets of keypoints: of each of the n points that both have the
    distance in pixels and which of the 18 joints it is."""

    photos: int
    pixels: np.ndarray
    joints: np.ndarray
    only_estimated: int
    only_reference: int

    def text(self, reference: str) -> str:
        """Returns the figures in lines for the terminal."""
        lines = [
            f"  compared with {reference}: {self.photos:,} photos and "
            f"{len(self.pixels):,} points that both have; {self.only_estimated:,} "
            f"points only here, {self.only_reference:,} only there"
        ]
        if not len(self.pixels):
            return lines[0]
        median, most = np.percentile(self.pixels, [50, 95])
        lines.append(
            f"  distance in pixels: mean {self.pixels.mean():.2f}, median {median:.2f},"
            f" 95 % below {most:.2f}"
        )
        from pg2_jax import pose  # Imports jax.

        for joint, name in enumerate(pose.JOINTS):
            of_joint = self.pixels[self.joints == joint]
            if len(of_joint):
                lines.append(
                    f"    {name:14} {of_joint.mean():6.2f} ({len(of_joint):,} points)"
                )
        return "\n".join(lines)


def measure(
    estimated: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]
) -> Distances:
    """Compares the photos that two sets of keypoints, photo name -> [18, 3] = (x, y,
    visible) in pixels, have in common."""
    names = [name for name in estimated if name in reference]
    shape = (len(names), 18, 3)
    ours = np.array([estimated[name] for name in names], np.float64).reshape(shape)
    theirs = np.array([reference[name] for name in names], np.float64).reshape(shape)
    here, there = ours[..., 2] > 0, theirs[..., 2] > 0
    gaps = (ours - theirs)[here & there]
    return Distances(
        photos=len(names),
        pixels=np.hypot(gaps[:, 0], gaps[:, 1]),
        joints=np.nonzero(here & there)[1],
        only_estimated=int((here & ~there).sum()),
        only_reference=int((there & ~here).sum()),
    )
