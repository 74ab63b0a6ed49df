"""The pose: COCO-18 order, flip, heat maps, body mask, coordinates and views.

Keypoints are float32 [..., 18, 3] = (x, y, visible): x to the right and y down, in
pixels of the image; visible is 0 or 1, and a missing point is (0, 0, 0). Everything
here is jax.numpy and runs on the device inside the compiled step.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

# OpenPose's COCO-18 order. The authors' code comments call 14 the left eye, but their
# data, like OpenPose's, have the right one there.
JOINTS = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)

# MIRRORED[k] is the joint that joint k becomes in a mirrored photo.
MIRRORED = np.array([0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16])

# The 23 limbs of the body mask (released code, `_getPoseMask`). The first 17 are
# OpenPose's skeleton; the last six fill the torso and the head.
LIMBS = np.array(
    [
        *[(1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)],
        *[(1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)],
        *[(1, 16), (1, 17), (8, 11), (11, 5), (8, 2), (16, 17)],
    ]
)
SKELETON = LIMBS[:17]

VIEWS = ("front", "side", "back")
_TORSO = np.array(
    [JOINTS.index(f"{s}_{j}") for j in ("shoulder", "hip") for s in ("right", "left")]
)

RADIUS = 4  # pixels, of a keypoint's disc in the heat maps and in the mask
CLOSING = 5  # pixels, side of the square that closes the mask


def heat_maps(keypoints: jax.Array, height: int, width: int) -> jax.Array:
    """Each keypoint as a disc in a channel of its own (paper, section 3.1). [..., H, W,
    18] float32: 1 within `RADIUS` pixels of the point (49 pixels when the disc lies
    inside), 0 elsewhere and in the channel of a missing point."""
    # The authors truncate the centre toward zero, as int() does.
    centre = jnp.trunc(keypoints[..., None, None, :, :2])
    rows = jnp.arange(height, dtype=jnp.float32).reshape(height, 1, 1)
    columns = jnp.arange(width, dtype=jnp.float32).reshape(1, width, 1)
    # Two ranks are lined up by hand: the tests forbid silent rank promotion.
    lead = (1,) * (keypoints.ndim - 2)
    dx = columns.reshape(*lead, *columns.shape) - centre[..., 0]
    dy = rows.reshape(*lead, *rows.shape) - centre[..., 1]
    visible = keypoints[..., None, None, :, 2] > 0
    return ((dx * dx + dy * dy <= RADIUS**2) & visible).astype(jnp.float32)


def body_mask(keypoints: jax.Array, height: int, width: int) -> jax.Array:
    """The region of the body that the masked loss counts twice (M_B of Eq. 1). Discs of
    `RADIUS` about every `RADIUS` pixels along each of the 23 limbs whose two ends are
    visible, then one morphological closing with a 5x5 square: [..., H, W, 1] float32, 1
    on the body, 0 elsewhere. A lone point without a complete limb adds nothing."""
    lead = keypoints.shape[:-2]
    mark = functools.partial(_limb_centres, height=height, width=width)
    centres = jax.vmap(mark)(keypoints.reshape(-1, *keypoints.shape[-2:]))
    mask = _dilate_disc(centres)
    window = (1, CLOSING, CLOSING)
    strides = (1, 1, 1)
    # Padding that never wins equals the authors' reflected borders for a square.
    mask = jax.lax.reduce_window(mask, 0.0, jax.lax.max, window, strides, "SAME")
    mask = jax.lax.reduce_window(mask, 1.0, jax.lax.min, window, strides, "SAME")
    return mask.reshape(*lead, height, width, 1)


def _limb_centres(keypoints: jax.Array, height: int, width: int) -> jax.Array:
    """Marks the disc centres of one person on a canvas with a border of RADIUS."""
    start, end = keypoints[LIMBS[:, 0]], keypoints[LIMBS[:, 1]]
    complete = (start[:, 2] > 0) & (end[:, 2] > 0)
    length = jnp.sqrt(jnp.sum((start[:, :2] - end[:, :2]) ** 2, axis=-1))
    parts = jnp.maximum(jnp.trunc(length / RADIUS), 1.0)
    # Twice the diagonal leaves room for points outside the picture.
    most = int(2 * math.hypot(height, width) / RADIUS)
    index = jnp.arange(most + 1, dtype=jnp.float32)
    along = (end - start)[:, None, :2] * index[None, :, None] / parts[:, None, None]
    centres = start[:, None, :2] + along
    # The compiler may divide through a rounded reciprocal; the nudge keeps a whole
    # number whole before truncation, which is what the authors' float64 gives.
    centres = jnp.trunc(centres + jnp.sign(centres) * 1e-4).astype(jnp.int32) + RADIUS
    used = complete[:, None] & (index[None, :] <= parts[:, None])
    columns, rows = centres[..., 0], centres[..., 1]
    canvas = jnp.zeros((height + 2 * RADIUS, width + 2 * RADIUS), jnp.float32)
    # A negative index would wrap around; the canvas' size is dropped.
    rows = jnp.where(used & (rows >= 0) & (columns >= 0), rows, canvas.shape[0])
    return canvas.at[rows, columns].set(1.0, mode="drop")


def _dilate_disc(canvas: jax.Array) -> jax.Array:
    """Grows every marked centre to a disc; [B, H+8, W+8] -> [B, H, W]."""
    height, width = canvas.shape[1] - 2 * RADIUS, canvas.shape[2] - 2 * RADIUS
    result = jnp.zeros((canvas.shape[0], height, width), canvas.dtype)
    for dy in range(-RADIUS, RADIUS + 1):
        half = math.isqrt(RADIUS**2 - dy**2)
        rows = canvas[:, RADIUS + dy : RADIUS + dy + height]
        rows = rows[:, :, RADIUS - half : RADIUS + half + width]
        span = (1, 1, 2 * half + 1)
        grown = jax.lax.reduce_window(rows, 0.0, jax.lax.max, span, (1, 1, 1), "VALID")
        result = jnp.maximum(result, grown)
    return result


def flip_keypoints(keypoints: jax.Array, width: int) -> jax.Array:
    """The pose in the mirrored photo: x becomes W - 1 - x, and left and right joints
    change places. Missing points stay (0, 0, 0)."""
    x, y, visible = jnp.split(keypoints[..., MIRRORED, :], 3, axis=-1)
    return jnp.concatenate([(width - 1 - x) * (visible > 0), y, visible], axis=-1)


def scaled(keypoints: jax.Array, scale: float) -> jax.Array:
    """The pose [..., 3] in the photo of `scale` times the size; pixels have centres."""
    points = (keypoints[..., :2] + 0.5) * scale - 0.5
    return jnp.concatenate([points, keypoints[..., 2:]], axis=-1)


def coordinates(keypoints: jax.Array, height: int, width: int) -> jax.Array:
    """The pose as one vector, for the paper's coordinate embedding (section 4.2). [...,
    54] float32: for each joint x and y, -1 to 1 from the first to the last pixel, and
    1; a missing joint is (0, 0, 0), so that the last of the three tells it from a joint
    in the middle of the image."""
    visible = (keypoints[..., 2:] > 0).astype(jnp.float32)
    last = jnp.array([width - 1, height - 1], jnp.float32)
    last = last.reshape((1,) * (keypoints.ndim - 1) + (2,))
    scaled = (2.0 * keypoints[..., :2] / last - 1.0) * visible
    vector = jnp.concatenate([scaled, visible], axis=-1)
    return vector.reshape(*keypoints.shape[:-2], -1)


def view(keypoints: jax.Array) -> jax.Array:
    """The side from which a person is seen: [...] int32, an index of `VIEWS`; -1 where
    a shoulder or hip is missing, or the torso has no length. A person's left shoulder
    is to the right of the right one in the image when seen from the front, to the left
    from behind. It is a side view if they are less than half the torso apart (the way
    between the middles of shoulders and hips), which is a turn of some 45 degrees from
    either."""
    joints = keypoints[..., _TORSO, :]
    right, left, *hips = (joints[..., i, :2] for i in range(4))
    torso = (right + left) / 2 - (hips[0] + hips[1]) / 2
    length = jnp.sqrt(jnp.sum(torso**2, axis=-1))
    across = left[..., 0] - right[..., 0]
    side = jnp.where(jnp.abs(across) < length / 2, 1, 2)
    index = jnp.where(across >= length / 2, 0, side)
    known = jnp.all(joints[..., 2] > 0, axis=-1) & (length > 0)
    return jnp.where(known, index, -1).astype(jnp.int32)
