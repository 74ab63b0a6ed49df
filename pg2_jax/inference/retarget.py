"""Poses of somebody else for this person: size and place, in-between poses. NumPy only.

Poses are [18, 3] = (x, y, visible) in any unit of length, x right and y down, in
OpenPose's COCO-18 order. The mirrored pose is `pose.flip_keypoints`.
"""

import itertools

import numpy as np

from pg2_jax import pose

# Free space around the points, of the longer side of their box: as photos are cropped.
MARGIN = 0.15
# Sine of the angle, 65 degrees, beyond which a torso is turned.
_LYING = 0.9
# Of an upright torso: the share of its length that it is high.
_UPRIGHT = 0.5
# From hips to ankles, in lengths of the torso, as in the catalogue's "front".
_LEGS = 1.63
_NECK = pose.JOINTS.index("neck")
_HIPS = [pose.JOINTS.index(name) for name in ("right_hip", "left_hip")]
_ANKLES = [pose.JOINTS.index(name) for name in ("right_ankle", "left_ankle")]
_FACE = [i for i, n in enumerate(pose.JOINTS) if n.endswith(("nose", "eye", "ear"))]
_CROWN = 0.25  # torso lengths from the highest joint of a face to the top of the head


def fit_to_body(poses: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Gives one person in N poses [N, 18, 3] the size and the place of another,
    [18, 3]: their torsos, neck to middle of the hips, get the length of the body's
    torso, and the middle of their hips its place; float32 [N, 18, 3] in its unit. All
    are scaled and moved alike, by the median length and the mean place, so that a
    sequence keeps its motion. Where both stand, they stand on the body's floor, and are
    smaller if else a head would leave the image at the top. Without neck or without
    both hips it is a ValueError."""
    body = np.asarray(body)[None]
    for whose, shown in (("source person", body), ("target pose", poses)):
        if not has_torso(shown):
            raise ValueError(
                f"The {whose} shows no torso: the neck and a hip are needed to tell "
                "how large the body is."
            )
    length, hips = _torso(body)
    lengths, middles = _torso(poses)
    scale = length[0] / np.nanmedian(lengths[lengths > 0])
    fitted = moved(poses, scale, hips[0] - scale * np.nanmean(middles, axis=0))
    return _on_floor(fitted, body, hips[0, 0], length[0])


def _on_floor(
    poses: np.ndarray, body: np.ndarray, middle: float, length: float
) -> np.ndarray:
    """Poses [N, 18, 3] of somebody who stands, at the height where a body [1, 18, 3]
    with a torso of this length stands; as much smaller, about the floor below the
    `middle` x, as the head needs to be in the image, or as much of it as the body's."""
    floor, lowest = _floor(body), _floor(poses)
    if floor is None or lowest is None:
        return poses
    standing = moved(poses, 1.0, np.array([0.0, floor - lowest]))
    room = floor - min(0.0, _crown(body, length))
    height = floor - _crown(standing, length)
    smaller = room / height if height > room else 1.0
    return moved(standing, smaller, (1.0 - smaller) * np.array([middle, floor]))


def _floor(poses: np.ndarray) -> float | None:
    """At which height people stand, by the lowest ankle of poses [N, 18, 3]; None if
    another joint is lower."""
    lowest = np.where(poses[..., 2] > 0, poses[..., 1], -np.inf).max(axis=0)
    floor = lowest[_ANKLES].max()
    return float(floor) if lowest.max() == floor else None


def _crown(poses: np.ndarray, length: float) -> float:
    """The top of the highest head of poses [N, 18, 3] with torsos of this length;
    infinitely low if no face is seen."""
    faces = poses[:, _FACE]
    highest = np.where(faces[..., 2] > 0, faces[..., 1], np.inf).min()
    return float(highest) - _CROWN * length


def fit_to_image(
    poses: np.ndarray,
    height: int,
    width: int,
    *,
    alone: bool = False,
    margin: float = MARGIN,
) -> np.ndarray:
    """Gives poses the size and the place that people have in photos cropped to them:
    the box around all visible points of all poses [N, 18, 3], or of each where they are
    `alone`, grown on every side by `margin` times its longer side, becomes as large as
    the image allows, in its middle; float32 [N, 18, 3] in pixels of the image. Points
    without extent are a ValueError."""
    poses = np.asarray(poses, np.float64)
    if alone:
        fitted = [fit_to_image(p[None], height, width, margin=margin) for p in poses]
        return np.concatenate(fitted)
    seen = poses[poses[..., 2] > 0, :2]
    span = np.ptp(seen, axis=0) if len(seen) else np.zeros(2)
    if not span.max() > 0:
        raise ValueError(
            f"The pose has {len(seen)} visible joints in one place; at least two in "
            "different places are needed to tell its size."
        )
    box = span + 2 * margin * span.max()
    scale = min(width / box[0], height / box[1])
    centre = (seen.min(axis=0) + seen.max(axis=0)) / 2
    return moved(poses, scale, np.array([width, height]) / 2 - scale * centre)


def interpolate(keys: np.ndarray, between: int) -> np.ndarray:
    """Puts so many poses between each two key poses [K, 18, 3], every joint on a
    straight line, visible if it is so in both keys; float32."""
    keys = np.asarray(keys, np.float32)
    share = np.arange(1, between + 1, dtype=np.float32)[:, None, None] / (between + 1)
    frames = []
    for start, end in itertools.pairwise(keys):
        inner = (1 - share) * start + share * end
        both = (start[:, 2:] > 0) & (end[:, 2:] > 0)
        inner[..., 2] = 1
        frames += [start[None], np.where(both, inner, 0)]
    return np.concatenate([*frames, keys[-1:]]).astype(np.float32)


def fill_gaps(poses: np.ndarray) -> np.ndarray:
    """Gives every empty pose of a sequence [N, 18, 3], but not all are, a place between
    the nearest ones before and after it, or that of the only nearest one."""
    poses = np.array(poses, np.float32)
    seen = np.flatnonzero((poses[..., 2] > 0).any(axis=1)).tolist()
    poses[: seen[0]], poses[seen[-1] :] = poses[seen[0]], poses[seen[-1]]
    for start, end in itertools.pairwise(seen):
        inner = interpolate(poses[[start, end]], end - start - 1)[1:-1]
        together = (inner[..., 2:] > 0).any(axis=1, keepdims=True)
        poses[start + 1 : end] = np.where(together, inner, poses[start])
    return poses


def drop_outside(poses: np.ndarray, height: int, width: int) -> tuple[np.ndarray, int]:
    """Takes away the points of poses [..., 18, 3] that lie outside the image, as in
    training: the poses, float32, such points (0, 0, 0), and how many there were."""
    poses = np.asarray(poses, np.float32)
    x, y, visible = np.moveaxis(poses, -1, 0)
    inside = (visible > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    # The last pixel's centre is the largest coordinate that records hold.
    last = np.array([width - 1, height - 1], np.float32)
    kept = _points(np.minimum(poses[..., :2], last), inside)
    return kept, int((visible > 0).sum() - inside.sum())


def has_torso(poses: np.ndarray) -> bool:
    """Whether one of the poses [N, 18, 3] shows the neck and a hip in two places."""
    return bool(np.nanmax(_torso(poses)[0], initial=0) > 0)


def turned(person: np.ndarray) -> str:
    """How a person [18, 3] that does not stand, sit or bend lies in the image, in
    words; empty for all others and where the torso is not seen."""
    body = np.asarray(person, np.float64)
    (length,), (middle,) = _torso(body[None])
    if not length > 0:
        return ""
    across, down = (middle - body[_NECK, :2]) / length
    if abs(across) > _LYING:
        return "lies on the side"
    return "stands on the head" if down < -_LYING else ""


def expected_feet(person: np.ndarray) -> np.ndarray | None:
    """Where the middle of the ankles of a person [18, 3] who stands upright would be,
    (x, y); None where the torso is not seen, or does not point down."""
    body = np.asarray(person, np.float64)
    (length,), (middle,) = _torso(body[None])
    if not length > 0 or (middle - body[_NECK, :2])[1] < _UPRIGHT * length:
        return None
    return np.array([middle[0], middle[1] + _LEGS * length])


def _torso(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths [N] of the torsos and middles [N, 2] of the hips; NaN where unknown."""
    poses = np.asarray(poses, np.float64)
    hips = poses[:, _HIPS]
    seen = (hips[..., 2:] > 0).astype(np.float64)
    with np.errstate(invalid="ignore"):
        middle = (hips[..., :2] * seen).sum(axis=1) / seen.sum(axis=1)
    middle[poses[:, _NECK, 2] <= 0] = np.nan
    return np.linalg.norm(poses[:, _NECK, :2] - middle, axis=1), middle


def moved(poses: np.ndarray, scale: float, shift: np.ndarray) -> np.ndarray:
    """Poses [..., 18, 3] scaled about the origin and then shifted by (x, y)."""
    poses = np.asarray(poses, np.float64)
    return _points(poses[..., :2] * scale + shift, poses[..., 2] > 0)


def _points(places: np.ndarray, visible: np.ndarray) -> np.ndarray:
    points = np.concatenate([places, np.ones_like(places[..., :1])], axis=-1)
    return np.where(visible[..., None], points, 0).astype(np.float32)
