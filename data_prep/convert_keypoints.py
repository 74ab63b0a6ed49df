r"""Converts keypoint files: any format that is read to csv, OpenPose or COCO JSON.

    python data_prep/convert_keypoints.py IN OUT [--to=csv|openpose|coco]

IN is a file, or a folder of OpenPose JSON or of NTED's text files; its format is
recognised by its content. The name of OUT gives its format:

    poses.csv    name:keypoints_y:keypoints_x, 18 points in pixels, -1 for missing
    poses.json   COCO keypoint JSON; with --to=openpose the OpenPose file of one photo
    poses        a folder of OpenPose JSON, one file per photo

csv and OpenPose JSON hold names and points exactly. COCO JSON has no neck: it is the
midpoint of the shoulders when read again. No format keeps confidences: a point is there
or it is missing.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line
from data_prep.flag_fields import option
from data_prep.records.summary import Problems
from data_prep.sources import split
from pg2_jax import files
from pg2_jax.errors import counted
from pg2_jax.keypoints import (
    MIN_CONFIDENCE,
    coco_json,
    keypoint_files,
    openpose_json,
    pose_transfer_csv,
)

_BY_SUFFIX = {".csv": "csv", ".json": "coco", "": "openpose"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is converted, besides IN and OUT."""

    to: str | None = option(None, tuple(sorted(_BY_SUFFIX.values())))
    """Format of OUT. Default, by its suffix: csv for .csv, coco for .json, openpose
    (a folder) for none."""
    photos: str = option("", path=True)
    """Folder of the photos that IN belongs to. Only MATLAB files need it, because
    they do not name their photos."""
    photo_size: str = option("")
    """HEIGHTxWIDTH of the photos, if IN holds coordinates as fractions of them."""
    min_confidence: float = option(MIN_CONFIDENCE, minimum=0, maximum=1)
    """Points of an estimator's file with a lower confidence count as missing."""
    on_error: str = option("fail", ("fail", "skip"))
    """fail: lists all bad rows and records and writes nothing. skip: leaves them
    out and lists them."""
    overwrite: bool = option(False)
    """Replaces OUT if it is a file."""


def main(words: Sequence[str]) -> int:
    return command_line.run(words, Options, _convert, __doc__, arguments=True)


def _convert(options: Options, *arguments: str) -> str:
    if len(arguments) != 2:
        got = f"got {len(arguments)}; --help explains them"
        raise ValueError(f"expected two arguments, IN and OUT, {got}")
    source, output = (pathlib.Path(os.path.expanduser(word)) for word in arguments)
    if not source.exists():
        raise ValueError(f"IN={source}: there is no such file or folder")
    kind = _format_of(output, options.to)
    if output.suffix:
        command_line.check_file("OUT", output, overwrite=options.overwrite)
    else:
        command_line.check_folder("OUT", output)
    problems = Problems(skip=options.on_error == "skip")
    photos = None
    if options.photos:
        folder = pathlib.Path(options.photos)
        split.check_folder(folder, "--photos")
        photos = [path.name for path in split.entries(folder)]
    size = options.photo_size and files.parse_size("photo_size", options.photo_size)
    poses = keypoint_files.read(
        source,
        problems.rows,
        photos=photos,
        photo_size=size or None,
        min_confidence=options.min_confidence,
    )
    problems.check()
    if not poses:
        raise ValueError(f"{source}: nothing is left without the bad rows")
    lines = [f"{output}: {counted(len(poses), 'pose')}"]
    if kind == "csv":
        pose_transfer_csv.write(output, poses)
    elif kind == "coco":
        coco_json.write(output, poses)
        if necks := coco_json.lost_necks(poses):
            lines.append(
                f"  necks that COCO's 17 points cannot hold: {necks:,} (read again, a "
                "neck is the midpoint of both shoulders)"
            )
    elif output.suffix:
        if len(poses) > 1:
            raise ValueError(
                f"OUT={output}: an OpenPose file holds one photo and {source} "
                f"{len(poses):,}; name a folder"
            )
        openpose_json.write_file(output, *next(iter(poses.items())))
    else:
        openpose_json.write_folder(output, poses)
    lines += [f"  left out: {problem}" for problem in problems.rows]
    return "\n".join(lines)


def _format_of(output: pathlib.Path, to: str | None) -> str:
    suffix = output.suffix.lower()
    kind = to or _BY_SUFFIX.get(suffix, "")
    fits = kind == _BY_SUFFIX.get(suffix) or (kind, suffix) == ("openpose", ".json")
    if not fits:
        raise ValueError(
            f"OUT={output}{f' with --to={kind}' if kind else ''}: name it *.csv (csv), "
            "*.json (COCO, or with --to=openpose one photo), or without suffix (a "
            "folder of OpenPose JSON)"
        )
    return kind


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
