"""OpenPose's JSON, one file per photo, is written here; `estimator_json` reads it."""

import json
import pathlib

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import base

_SUFFIX = "_keypoints.json"


def write_folder(folder: files.PathLike, annotations: base.Poses) -> None:
    """Writes poses [18, 3] by photo name as a folder of one file per photo, which
    appears whole or not at all; it must not exist, or be empty. Two photos of one stem
    are a ValueError."""
    places: dict[pathlib.PurePosixPath, str] = {}
    for name in annotations:
        place = pathlib.PurePosixPath(name).with_suffix("")
        if place in places:
            both = f"{name!r} and {places[place]!r}"
            raise ValueError(f"{both} would both be {place}{_SUFFIX}")
        places[place] = name
    with files.replacing_folder(folder) as built:
        for place, name in places.items():
            file = built / f"{place}{_SUFFIX}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_format(name, annotations[name]), encoding="utf-8")


def write_file(path: files.PathLike, name: str, keypoints: np.ndarray) -> None:
    """Writes the file of one photo's pose [18, 3], whole or not at all."""
    files.write_text(path, _format(name, keypoints))


def _format(name: str, keypoints: np.ndarray) -> str:
    base.check_pose(name, keypoints)
    points = [base.plain_number(value) for value in np.ravel(keypoints)]
    people = [{"person_id": [-1], "pose_keypoints_2d": points}]
    if not np.asarray(keypoints)[:, 2].any():
        people = []
    content = {"version": 1.3, "image_name": name, "people": people}
    return json.dumps(content, ensure_ascii=False) + "\n"
