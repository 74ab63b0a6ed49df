r"""Finds people's keypoints in photos and writes them as an annotation file.

    python data_prep/estimate_keypoints.py --photos=people \
        --output=people/annotations.csv --model=pose_landmarker_full.task

looks at every photo of the folder, of any size and orientation, and writes

    annotations.csv           a row per photo, as --dataset=folder reads it
    annotations_report.csv    photo by photo: found, low score, not found, bad photo
    annotations_contact.png   skeletons over photos, from the lowest score upwards

Estimators are extras: pip install 'pg2_jax[pose]' for mediapipe, 'pg2_jax[rtmlib]' for
ONNX models. Interrupted, the same command resumes: what was estimated is kept beside
the output, in annotations_partial.jsonl, until the output is written.
"""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line
from data_prep.estimation import estimation
from data_prep.flag_fields import option
from data_prep.sources import photo_list
from pg2_jax.estimators import registry


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to estimate, and how."""

    photos: str = option("", path=True, required=True)
    """Folder with photos, also below it, or a pattern: 'a/*/*.jpg'."""
    output: str = option("", path=True, required=True)
    """Annotation file to write, a .csv."""
    estimator: str = option("mediapipe", registry.NAMES)
    """mediapipe: BlazePose, made for one person in a photo; of several it may miss
    some. rtmlib: an ONNX model, RTMO, which finds several, or RTMPose for photos that
    one person fills."""
    model: str = option("", path=True)
    """The estimator's model file; default: the published one, downloaded once."""
    people: str = option("largest", ("largest", "all"))
    """Of several people in a photo: the one whose points span the largest box, or all
    (at most 6), the others as PHOTO#2, PHOTO#3, ..."""
    min_confidence: float = option(registry.MIN_CONFIDENCE, minimum=0, maximum=1)
    """A point of which the estimator is less sure is missing."""
    min_score: float = option(estimation.MIN_SCORE, minimum=0, maximum=1)
    """A person whose 18 points have a lower mean confidence, missing ones counting 0,
    is left out."""
    on_error: str = option("fail", ("fail", "skip"))
    """fail: list all bad photos, write nothing. skip: leave them out."""
    overwrite: bool = option(False)
    """Replace --output if it exists."""
    workers: int = option(0, minimum=0)
    """Processes that estimate; 0 means one per core."""
    compare: str = option("", path=True)
    """Annotation file of the same photos to measure distances to."""


def main(words: Sequence[str]) -> int:
    """Estimates what the flags ask for; returns the exit code."""
    interrupted = "interrupted: the same command resumes"
    return command_line.run(words, Options, _estimate, __doc__, interrupted=interrupted)


def _estimate(options: Options) -> str:
    settings = estimation.Options(
        output=pathlib.Path(options.output),
        estimator=options.estimator,
        model=options.model,
        everyone=options.people == "all",
        min_confidence=options.min_confidence,
        min_score=options.min_score,
        skip=options.on_error == "skip",
        overwrite=options.overwrite,
        workers=options.workers,
        compare=options.compare,
    )
    return estimation.estimate(photo_list.find(options.photos), settings)


if __name__ == "__main__":
    # The contact sheet is made by the library, which needs no accelerator for that.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    # What tensorflow says at import, when mediapipe finds it, hides the progress.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    sys.exit(main(sys.argv[1:]))
