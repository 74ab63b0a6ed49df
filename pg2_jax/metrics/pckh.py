"""PCKh, as PATN's scripts count it: which joints of a generated person are where they
should be, with the size of the head as the measure."""

import numpy as np

ALPHA = 0.5
# Nose, neck, eyes and ears of COCO-18.
HEAD = (0, 1, 14, 15, 16, 17)
DEFINITION = (
    "PCKh@0.5: share of the target's visible joints that the generated image has "
    "within half the width (across) and half the height (down) of the target's head, "
    "the box of nose, neck, eyes and ears; the mean is over all joints of all images, "
    "images with fewer than 2 points of the head are left out, and a joint that is not "
    "found is a miss"
)
REFERENCE = "calPCKH_market.py of PATN: correct joints of all images / all joints"
UNDEFINED = "fewer than 2 points of the target's head are known"


def hits(generated: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [B, 18, 3] = (x, y, visible) in pixels, of the generated images and of
    the targets -> [B] int, the joints that are where they should be; and [B] int, the
    target's visible joints, 0 where the head has no size."""
    generated, target = (np.asarray(x, np.float64) for x in (generated, target))
    seen = target[..., 2] > 0
    head = seen[:, HEAD, None]
    places = target[:, HEAD, :2]
    highest = np.where(head, places, -np.inf).max(axis=1)
    lowest = np.where(head, places, np.inf).min(axis=1)
    known = seen[:, HEAD].sum(axis=1) >= 2
    size = np.where(known[:, None], highest - lowest, 0.0)
    near = abs(generated[..., :2] - target[..., :2]) < ALPHA * size[:, None]
    right = seen & (generated[..., 2] > 0) & near.all(axis=-1) & known[:, None]
    return right.sum(axis=1), np.where(known, seen.sum(axis=1), 0)
