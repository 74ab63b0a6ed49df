r"""Converts keypoint files: any format that is read to csv, OpenPose or COCO JSON.

    python data_prep/convert_keypoints.py IN OUT [--to=csv|openpose|coco]

IN is a file, or a folder of OpenPose JSON or of NTED's text files; its format is
recognised by what it holds. OUT says the format by its name:

    poses.csv    name:keypoints_y:keypoints_x, 18 points in pixels, -1 for missing
    poses.json   COCO keypoint JSON; with --to=openpose the OpenPose file of one photo
    poses        a folder of OpenPose JSON, one file per photo

csv and OpenPose JSON hold names and points exactly. COCO JSON has no neck: it is the
midpoint of the shoulders when read again. No format keeps confidences: a point is there
or it is missing.
"""

import pathlib
import sys

from absl import flags

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line
from data_prep.records.summary import Problems
from pg2_jax.keypoints import (
    coco_json,
    keypoint_files,
    openpose_json,
    pose_transfer_csv,
)

_BY_SUFFIX = {".csv": "csv", ".json": "coco", "": "openpose"}


def _define_flags() -> None:
    flags.DEFINE_enum(
        "to",
        None,
        sorted(_BY_SUFFIX.values()),
        "Format of OUT, default by its suffix: .csv, .json (COCO), none (a folder of "
        "OpenPose JSON).",
    )
    flags.DEFINE_string(
        "photos",
        "",
        "Folder of the photos that IN is about; only MATLAB files need it, which do "
        "not name their photos.",
    )
    flags.DEFINE_enum(
        "on_error",
        "fail",
        ("fail", "skip"),
        "fail: list all bad rows and records, write nothing. skip: leave them out.",
    )
    flags.DEFINE_boolean("overwrite", False, "Replace OUT if it is a file.")


def main(argv: list[str]) -> int:
    """Converts what the command line names; returns the exit code."""
    return command_line.run(argv[:1], lambda: _convert(argv[1:]))


def _convert(arguments: list[str]) -> str:
    if len(arguments) != 2:
        raise ValueError(
            f"expected two arguments, IN and OUT, got {len(arguments)}; "
            "--help explains them"
        )
    source, output = (
        pathlib.Path(command_line.expand(argument)) for argument in arguments
    )
    if not source.exists():
        raise ValueError(f"IN={source}: there is no such file or folder")
    kind = _format_of(output)
    command_line.check_output("OUT", output, overwrite=flags.FLAGS.overwrite)
    problems = Problems(skip=flags.FLAGS.on_error == "skip")
    poses = keypoint_files.read(source, problems.rows, photos=_photos())
    problems.check()
    if not poses:
        raise ValueError(f"{source}: nothing is left without the bad rows")
    lines = [f"{output}: {len(poses):,} poses"]
    if kind == "csv":
        pose_transfer_csv.write(output, poses)
    elif kind == "coco":
        coco_json.write(output, poses)
        lines += _lost(coco_json.lost_necks(poses))
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


def _format_of(output: pathlib.Path) -> str:
    suffix = output.suffix.lower()
    kind = flags.FLAGS.to or _BY_SUFFIX.get(suffix, "")
    fits = kind == _BY_SUFFIX.get(suffix) or (kind, suffix) == ("openpose", ".json")
    if not fits:
        raise ValueError(
            f"OUT={output}{f' with --to={kind}' if kind else ''}: name it *.csv (csv), "
            "*.json (COCO, or with --to=openpose one photo), or without suffix (a "
            "folder of OpenPose JSON)"
        )
    return kind


def _photos() -> list[str] | None:
    if not flags.FLAGS.photos:
        return None
    folder = pathlib.Path(command_line.expand(flags.FLAGS.photos))
    if not folder.is_dir():
        raise ValueError(f"--photos={folder}: there is no such folder")
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def _lost(necks: int) -> list[str]:
    return [
        f"  necks that COCO's 17 points cannot hold: {necks:,} (read again, a neck is "
        "the midpoint of both shoulders)"
    ] * bool(necks)


if __name__ == "__main__":
    _define_flags()
    command_line.start(main)
