r"""Finds people's keypoints in photos and writes them as an annotation file.

    python data_prep/estimate_keypoints.py --photos=people \
        --output=people/annotations.csv --model=pose_landmarker_full.task

looks at every photo of the folder, of any size and orientation, and writes

    annotations.csv           a row per photo, as --dataset=folder reads it
    annotations_report.csv    photo by photo: found, low score, not found, bad photo
    annotations_contact.png   skeletons over photos, from the lowest score upwards

Estimators are extras: pip install 'pg2_jax[pose]' for mediapipe, 'pg2_jax[rtmlib]' for
ONNX models. If it is interrupted, run the same command again: it resumes. Results are
kept in annotations_partial.jsonl, beside the output, until the output is written.
"""

import pathlib
import sys
from collections.abc import Sequence

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line
from data_prep.estimation import estimation
from data_prep.sources import photo_list


def main(words: Sequence[str]) -> int:
    return command_line.run(
        words,
        estimation.Options,
        lambda options: estimation.estimate(photo_list.find(options.photos), options),
        __doc__,
        interrupted="interrupted: the same command resumes",
    )


if __name__ == "__main__":
    command_line.quiet(on_cpu=True)
    sys.exit(main(sys.argv[1:]))
