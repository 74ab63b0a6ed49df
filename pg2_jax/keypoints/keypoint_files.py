"""Keypoint files: one array [18, 3] per photo, whatever format it was written in.

Every reader returns float32 [18, 3] = (x, y, visible) in pixels of the photo, in
OpenPose COCO-18 order; a missing point is (0, 0, 0). `read` recognises the format by
the content; a new format is one more module and one more branch here.
`data_prep/convert_keypoints.py` writes csv, OpenPose JSON and COCO JSON.
"""

import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import (
    base,
    coco_json,
    market_mat,
    openpose_json,
    pg2_pickle,
    point_text,
    pose_transfer_csv,
    wide_csv,
)

PathLike = str | os.PathLike[str]
write_csv = pose_transfer_csv.write

_FORMATS = (
    "a csv (name:keypoints_y:keypoints_x, or file_id,img_h,img_w,p0_x,...), OpenPose "
    "or COCO JSON, 18 lines of x y, a pickle of peaks or RCV, MATLAB's pp [28, N]"
)


def read(
    path: PathLike,
    problems: list[str] | None = None,
    *,
    photos: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Reads a keypoint file, or a folder of OpenPose JSON or of text files: photo name
    -> float32 [18, 3], in file order.

    Points may lie outside the photo, whose size is not known here. In formats that do
    not name their photos the name is the file's without its suffix (and `_keypoints`),
    in a folder relative to it; MATLAB files need the names in the annotated folder,
    `photos`. Bad rows and records are left out and go to `problems`, one message each;
    without it the first one raises a ValueError.
    """
    placed = read_placed(path, problems, photos=photos)
    return {name: pose.keypoints for name, pose in placed.items()}


def read_placed(
    path: PathLike,
    problems: list[str] | None = None,
    *,
    photos: Sequence[str] | None = None,
) -> dict[str, base.Pose]:
    """Reads as `read` does, and also tells where each pose was found, for messages."""
    path = pathlib.Path(path)
    known = len(problems or ())
    entries = _folder(path) if path.is_dir() else _file(path, photos)
    poses = base.collect(entries, problems)
    if not poses and len(problems or ()) == known:
        raise ValueError(f"{path}: holds no poses")
    return poses


def decode(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Reads a text file that is in memory, as `read` does one on the disk. Pickles and
    MATLAB files are refused; `name` is the file's, for messages."""
    placed = base.collect(_text(pathlib.Path(name), content))
    if not placed:
        raise ValueError(f"{name}: holds no poses")
    return {name: pose.keypoints for name, pose in placed.items()}


def _file(path: pathlib.Path, photos: Sequence[str] | None) -> Iterator[base.Entry]:
    content = base.content_of(path)
    if content.startswith(b"MATLAB "):  # Version 5 to 7.3.
        return market_mat.entries(path, content, photos)
    if pg2_pickle.looks_like_pickle(content):
        return pg2_pickle.entries(path, content)
    return _text(path, content)


def _text(path: pathlib.Path, content: bytes) -> Iterator[base.Entry]:
    if b"\0" in content[:1000]:  # Not in any text.
        raise ValueError(f"{path}: no format that is read here: {_FORMATS}")
    text = base.text_of(path, content)
    line = text.split("\n", 1)[0]
    if text.lstrip().startswith(("{", "[")):
        name = openpose_json.photo_name(pathlib.Path(path.name))
        return _json(path, text, name, may_be_empty=False)
    if wide_csv.is_header(line):
        return wide_csv.entries(path, text)
    if point_text.is_row(line):
        return point_text.entries(path, text, path.stem)
    if ":" not in line and "," not in line:
        raise ValueError(f"{path}: no format that is read here: {_FORMATS}")
    return pose_transfer_csv.entries(path, text)


def _json(
    path: pathlib.Path, text: str, name: str, may_be_empty: bool
) -> Iterator[base.Entry]:
    content = base.parse_json(path, text)
    if isinstance(content, list) or "annotations" in content:
        return coco_json.entries(path, content)
    return openpose_json.entries(path, content, name, may_be_empty=may_be_empty)


def _folder(folder: pathlib.Path) -> Iterator[base.Entry]:
    by_suffix: dict[str, list[pathlib.Path]] = {".json": [], ".txt": []}
    # Links to folders are not followed: they may lead in circles.
    for parent, folders, names in os.walk(folder):
        kept = [name for name in folders if not files.is_left_behind(name)]
        folders[:] = sorted(kept, key=files.natural_order)
        for name in sorted(names, key=files.natural_order):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in by_suffix and not files.is_left_behind(name):
                by_suffix[suffix].append(pathlib.Path(parent, name))
    if bool(by_suffix[".json"]) == bool(by_suffix[".txt"]):
        what = "both" if by_suffix[".json"] else "neither"
        raise ValueError(
            f"{folder}: a folder of annotations holds OpenPose *.json or text files "
            f"*.txt; this one holds {what}"
        )
    for path in by_suffix[".json"] or by_suffix[".txt"]:
        text, inside = (
            base.text_of(path, base.content_of(path)),
            path.relative_to(folder),
        )
        if by_suffix[".json"]:
            name = openpose_json.photo_name(inside)
            yield from _json(path, text, name, may_be_empty=True)
        else:
            name = inside.with_suffix("").as_posix()
            yield from point_text.entries(path, text, name)
