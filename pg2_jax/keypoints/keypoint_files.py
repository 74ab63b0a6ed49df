"""Keypoint files: one array [18, 3] per photo, whatever format it was written in.

Every reader returns float32 [18, 3] = (x, y, visible) in pixels of the photo, in
OpenPose COCO-18 order; a missing point is (0, 0, 0). `read` recognises the format by
the content; a new format is one more module and one more branch here.
`data_prep/convert_keypoints.py` writes csv, OpenPose JSON and COCO JSON.
"""

import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from pg2_jax import files
from pg2_jax.keypoints import (
    MIN_CONFIDENCE,
    base,
    estimator_json,
    market_mat,
    pg2_pickle,
    point_text,
    pose_transfer_csv,
)
from pg2_jax.keypoints.base import Entry, Size

write_csv = pose_transfer_csv.write

_FORMATS = (
    "a csv (name:keypoints_y:keypoints_x, or file_id,img_h,img_w,p0_x,...), JSON of "
    "COCO or of a pose estimator such as OpenPose, 18 lines of x y, lines of YOLO's "
    "save_txt, a pickle of peaks or RCV, MATLAB's pp [28, N]"
)


def read(
    path: files.PathLike,
    problems: list[str] | None = None,
    *,
    photos: Sequence[str] | None = None,
    photo_size: Size | None = None,
    min_confidence: float = MIN_CONFIDENCE,
) -> dict[str, np.ndarray]:
    """`read_placed`, the poses alone: photo name -> float32 [18, 3], in file order."""
    placed = read_placed(
        path,
        problems,
        photos=photos,
        photo_size=photo_size,
        min_confidence=min_confidence,
    )
    return {name: pose.keypoints for name, pose in placed.items()}


def read_placed(
    path: files.PathLike,
    problems: list[str] | None = None,
    *,
    photos: Sequence[str] | None = None,
    photo_size: Size | None = None,
    min_confidence: float = MIN_CONFIDENCE,
) -> dict[str, base.Pose]:
    """Reads a keypoint file, or a folder of OpenPose JSON or of text files: photo name
    -> the pose, where it was found, and who else is on the photo, in file order.

    Points may lie outside the photo, whose size is not known here; where a file holds
    fractions of it and not pixels, `photo_size` is its (height, width). Points that an
    estimator is less sure of than `min_confidence` count as missing, which a note says.
    In formats that do not name their photos the name is the file's without its suffix
    (and `_keypoints`), in a folder relative to it; MATLAB files need the names in the
    annotated folder, `photos`. Bad rows and records are left out and go to `problems`,
    one message each; without it the first one raises a ValueError.
    """
    path = pathlib.Path(path)
    known = len(problems or ())
    content = b"" if path.is_dir() else base.content_of(path)
    if path.is_dir():
        entries = _folder(path, photo_size)
    elif content.startswith(b"MATLAB "):  # Version 5 to 7.3.
        entries = market_mat.entries(path, content, photos)
    elif pg2_pickle.looks_like_pickle(content):
        entries = pg2_pickle.entries(path, content)
    else:
        entries = _text(path, content, photo_size)
    poses, unsure = base.collect(entries, problems, min_confidence)
    if not poses and len(problems or ()) == known:
        raise ValueError(f"{path}: holds no poses")
    if unsure:
        print(
            f"note: {path}: points with a confidence below {min_confidence:g} count as "
            f"missing (min_confidence): {unsure:,}",
            file=sys.stderr,
        )
    return poses


def decode(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Reads a text file that is in memory, as `read` does one on the disk. Pickles and
    MATLAB files are refused; `name` is the file's, for messages."""
    placed, _ = base.collect(_text(pathlib.Path(name), content, None))
    if not placed:
        raise ValueError(f"{name}: holds no poses")
    return {name: pose.keypoints for name, pose in placed.items()}


def _text(path: pathlib.Path, content: bytes, size: Size | None) -> Iterator[Entry]:
    unknown = ValueError(f"{path}: not a known format; known are {_FORMATS}")
    if b"\0" in content[:1000] and not content.startswith(base.UTF_16_MARKS):
        raise unknown
    file = base.File(path, pathlib.PurePath(path.name), size)
    text = base.text_of(path, content)
    line = text.split("\n", 1)[0]
    if text.lstrip().startswith(("{", "[")):
        return estimator_json.entries(file, text)
    if point_text.is_row(line):
        return point_text.entries(file, text)
    if not any(separator in line for separator in pose_transfer_csv.SEPARATORS):
        raise unknown
    return pose_transfer_csv.entries(path, text)


def _folder(folder: pathlib.Path, photo_size: Size | None) -> Iterator[Entry]:
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
    reader = estimator_json if by_suffix[".json"] else point_text
    for path in by_suffix[".json"] or by_suffix[".txt"]:
        inside = path.relative_to(folder)
        file = base.File(path, inside, photo_size, in_folder=True)
        text = base.text_of(path, base.content_of(path))
        yield from reader.entries(file, text)
