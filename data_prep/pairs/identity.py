"""Who is in a photo, and which photos a protocol pairs: both decide the pairs."""

import numpy as np

from data_prep.sources import photo_names

# Whose pairs: those that later papers share (field_protocol.py), or those of PG2's own
# program (pg2_protocol.py).
PROTOCOLS = ("field", "pg2")
UNUSABLE = {"field": "a shoulder or a hip is missing", "pg2": "no point is there"}
# Right and left shoulder and hip: without the torso a pose says too little.
REQUIRED_KEYPOINTS = [2, 5, 8, 11]
# Market-1501: false detections, and people who belong to no identity.
_JUNK_PREFIXES = ("-1", "0000")
DATASETS = ("market1501", "deepfashion", "folder")


def identity_of(name: str, dataset: str) -> str:
    """The person in a photo, from its name: a file name (market1501, deepfashion), a
    path as downloaded (deepfashion), or `<person>/<photo>` (folder)."""
    if dataset == "market1501":
        return name.split("_")[0]
    if dataset == "deepfashion":
        return photo_names.deepfashion_identity(name)
    person, slash, _ = name.rpartition("/")
    if not slash:
        raise ValueError(
            f"{name!r} names no person: with --dataset=folder it is <person>/<photo>"
        )
    return person


def is_junk(name: str, dataset: str) -> bool:
    """Whether a name marks a photo of nobody in particular, in market1501 only."""
    return dataset == "market1501" and name.startswith(_JUNK_PREFIXES)


def usable(name: str, keypoints: np.ndarray, dataset: str, protocol: str) -> bool:
    """Whether a protocol pairs a photo with keypoints [18, 3] = (x, y, visible)."""
    if is_junk(name, dataset):
        return False
    visible = keypoints[:, 2] > 0
    needed = visible[REQUIRED_KEYPOINTS]
    return bool(needed.all() if protocol == "field" else visible.any())
