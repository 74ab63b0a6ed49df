r"""Finds people's keypoints in photos and writes them as an annotation file.

    python data_prep/estimate_keypoints.py --photos=people \
        --output=people/annotations.csv --model=pose_landmarker_full.task

looks at every photo of the folder, of any size and orientation, and writes

    annotations.csv           a row per photo, as --dataset=folder reads it
    annotations_report.csv    photo by photo: found, low score, not found, bad photo
    annotations_contact.png   skeletons over photos, from the lowest score upwards

Estimators are extras: pip install 'pg2_jax[pose]' for mediapipe, 'pg2_jax[rtmlib]' for
ONNX models. Interrupted, the same command goes on: what was found is kept beside the
output, in annotations_partial.jsonl, until the output is written.
"""

import os
import pathlib
import sys

from absl import flags

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line
from data_prep.estimation import estimation
from data_prep.sources import photo_list
from pg2_jax.estimators import base


def define_flags() -> None:
    """Registers the flags; not on import, because other programs have a --model too."""
    flags.DEFINE_string(
        "photos", None, "Folder with photos, also below it, or a pattern: 'a/*/*.jpg'."
    )
    flags.DEFINE_string("output", None, "Annotation file to write, a .csv.")
    flags.DEFINE_enum(
        "estimator",
        "mediapipe",
        base.NAMES,
        "mediapipe: BlazePose, made for one person in a photo; of several it may miss "
        "some. rtmlib: an ONNX model, RTMO, which finds several, or RTMPose for photos "
        "that one person fills.",
    )
    flags.DEFINE_string(
        "model",
        "",
        "The estimator's model file; default: the published one, downloaded once.",
    )
    flags.DEFINE_enum(
        "people",
        "largest",
        ("largest", "all"),
        "Of several people in a photo: the one whose points span the largest box, or "
        f"all (at most {base.MAX_PEOPLE}), the others as PHOTO#2, PHOTO#3, ...",
    )
    flags.DEFINE_float(
        "min_confidence",
        base.MIN_CONFIDENCE,
        "A point of which the estimator is less sure is missing.",
        lower_bound=0.0,
        upper_bound=1.0,
    )
    flags.DEFINE_float(
        "min_score",
        estimation.MIN_SCORE,
        "A person whose 18 points have a lower mean confidence, missing ones counting "
        "0, is left out.",
        lower_bound=0.0,
        upper_bound=1.0,
    )
    flags.DEFINE_enum(
        "on_error",
        "fail",
        ("fail", "skip"),
        "fail: list all bad photos, write nothing. skip: leave them out.",
    )
    flags.DEFINE_boolean("overwrite", False, "Replace --output if it exists.")
    flags.DEFINE_integer(
        "workers", 0, "Processes that estimate; 0 means one per core.", lower_bound=0
    )
    flags.DEFINE_string(
        "compare", "", "Annotation file of the same photos to measure distances to."
    )


def main(argv: list[str]) -> int:
    """Estimates what the flags ask for; returns the exit code."""
    interrupted = "interrupted: the same command goes on from here"
    return command_line.run(argv, _estimate_from_flags, interrupted)


def _estimate_from_flags() -> str:
    values = flags.FLAGS
    for name in ("photos", "output"):
        if not values[name].value:
            raise ValueError(f"--{name} is required.")
    options = estimation.Options(
        output=pathlib.Path(command_line.expand(values.output)),
        estimator=values.estimator,
        model=command_line.expand(values.model),
        everyone=values.people == "all",
        min_confidence=values.min_confidence,
        min_score=values.min_score,
        skip=values.on_error == "skip",
        overwrite=values.overwrite,
        workers=values.workers,
        compare=command_line.expand(values.compare),
    )
    return estimation.estimate(
        photo_list.find(command_line.expand(values.photos)), options
    )


if __name__ == "__main__":
    # The contact sheet is drawn by the library, which needs no accelerator for that.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # What tensorflow says at import, when mediapipe finds it, hides the progress.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    define_flags()
    command_line.start(main)
