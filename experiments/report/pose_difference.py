"""How far a target pose is from the source pose."""

import numpy as np

from pg2_jax import pose

_SHOULDERS = [pose.JOINTS.index(f"{side}_shoulder") for side in ("right", "left")]
_HIPS = [pose.JOINTS.index(f"{side}_hip") for side in ("right", "left")]

DEFINITION = (
    "Mean distance of the joints that both poses show, after the middle of the "
    "shoulders is moved to one point and each pose is measured in lengths of its own "
    "torso (from there to the middle of the hips). So neither place nor size of the "
    "person counts. Without both shoulders and both hips in both poses it is undefined."
)


def pose_difference(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The pose difference of pairs, see `DEFINITION`.

    Args:
        source: [N, 18, 3], (x, y, visible) in pixels.
        target: [N, 18, 3].

    Returns:
        [N] float64 in torso lengths, NaN where it is undefined.
    """
    visible = (source[..., 2] > 0) & (target[..., 2] > 0)
    apart = np.linalg.norm(_in_torsos(source) - _in_torsos(target), axis=-1)
    with np.errstate(invalid="ignore"):
        return np.where(visible, apart, 0.0).sum(axis=1) / visible.sum(axis=1)


def _in_torsos(keypoints: np.ndarray) -> np.ndarray:
    """[N, 18, 2] joints about the middle of the shoulders, in torso lengths."""
    points = keypoints[..., :2].astype(np.float64)
    middle = points[:, _SHOULDERS].mean(axis=1, keepdims=True)
    torso = points[:, _HIPS].mean(axis=1, keepdims=True) - middle
    length = np.linalg.norm(torso, axis=-1, keepdims=True)
    known = np.all(keypoints[:, None, _SHOULDERS + _HIPS, 2:] > 0, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known & (length > 0), (points - middle) / length, np.nan)
