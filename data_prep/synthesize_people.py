r"""Makes a data set of synthetic people in the folder layout of Market-1501.

No download, no photographs of real persons: each identity is a rendered 3-D figure
with its own build, hair and clothes, photographed in many poses and random places,
with exact keypoints. For trying out, testing and demonstrating the whole chain.

Example:
    python -m data_prep.synthesize_people --output_dir=/tmp/people \
        --train_identities=60 --test_identities=12 --image_size=128x64

writes

    bounding_box_train/0001_c3s1_000104_00.jpg, ...    identity, camera, frame
    bounding_box_test/...                              other identities
    market-annotation-train.csv, market-annotation-test.csv
    contact_sheet.jpg                                  a row per person

The same seed gives the same bytes, on any number of worker processes.
"""

import dataclasses
import functools
import itertools
import os
import pathlib
import sys
import time
from collections.abc import Sequence

import numpy as np
import tqdm
from PIL import Image

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line, flag_fields, workers
from data_prep.flag_fields import option
from data_prep.pairs import identity
from data_prep.records import output_folder
from data_prep.synthetic import pictures
from pg2_jax import files
from pg2_jax.errors import counted
from pg2_jax.keypoints import keypoint_files

_SPLITS = ("train", "test")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    output_dir: str = option("", path=True, required=True)
    """Folder to create; refused if it exists and is not empty."""
    train_identities: int = option(60, minimum=1)
    """Number of people for training."""
    test_identities: int = option(12, minimum=1)
    """Number of other people for testing."""
    # Names have six digits for the frame.
    images_per_identity: int = option(12, minimum=1, maximum=9999)
    """Pictures of each person."""
    image_size: str = option("128x64")
    """HEIGHTxWIDTH in pixels, from 32x16 to 1024x1024; 128x64 is Market-1501's."""
    same_scene: bool = option(False)
    """All pictures of a person have the same background and light."""
    seed: int = option(0, minimum=0, maximum=command_line.MAX_SEED)
    """Seed of all random choices: the same seed gives the same bytes."""
    workers: int = option(0, minimum=0)
    """Number of processes; 0: one per core."""


@dataclasses.dataclass(frozen=True)
class Summary:
    images: int
    identities: int
    # Of the images with both shoulders and hips visible: only these can be paired.
    complete_share: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{counted(self.images, 'image')} of "
            f"{counted(self.identities, 'identity', 'identities')}, "
            f"{self.complete_share:.0%} with both shoulders and hips, in "
            f"{self.seconds:.1f} s ({self.images / self.seconds:.0f} images/s)"
        )


def synthesize(options: Options) -> Summary:
    """Writes the data set; either all of it or, on an error, nothing."""
    begin = time.perf_counter()
    _check(options)
    identities = options.train_identities + options.test_identities
    jobs = list(
        itertools.product(range(identities), range(options.images_per_identity))
    )
    # Behind a symbolic link the data go where it points; renaming would replace it.
    target = pathlib.Path(os.path.realpath(options.output_dir))
    output_folder.check_empty(target)
    with output_folder.staging(target) as stage:
        folder = stage / target.name
        for split in _SPLITS:
            (folder / f"bounding_box_{split}").mkdir(parents=True)
        make = functools.partial(_make_image, folder=folder, options=options)
        with workers.results(make, jobs, options.workers) as made:
            progress = tqdm.tqdm(
                made, total=len(jobs), unit="image", desc="synthesize", disable=None
            )
            keypoints = dict(progress)
        for split in _SPLITS:
            names = [name for its, name in sorted(keypoints) if its == split]
            rows = {name: keypoints[split, name] for name in names}
            keypoint_files.write_csv(folder / f"market-annotation-{split}.csv", rows)
        pictures.write_contact_sheet(folder)
        output_folder.publish(folder, target, stage)
    visible = np.array([*keypoints.values()])[:, identity.REQUIRED_KEYPOINTS, 2]
    return Summary(
        images=len(jobs),
        identities=identities,
        complete_share=float(np.mean(visible.all(axis=1))),
        seconds=time.perf_counter() - begin,
    )


def _check(options: Options) -> None:
    flag_fields.check(options)
    if options.train_identities + options.test_identities > 9999:
        raise ValueError(
            f"--train_identities={options.train_identities} and "
            f"--test_identities={options.test_identities} must add up to at most 9999, "
            "because file names have four digits for the identity."
        )
    height, width = files.parse_size("image_size", options.image_size)
    if not (32 <= height <= 1024 and 16 <= width <= 1024):
        raise ValueError(
            f"--image_size={options.image_size}: the height must be 32 to 1024 "
            "pixels and the width 16 to 1024, because smaller people cannot be "
            "recognised."
        )


def _make_image(
    job: tuple[int, int], *, folder: pathlib.Path, options: Options
) -> tuple[tuple[str, str], np.ndarray]:
    """Renders and saves the picture (person, index), both counted from 0; returns its
    split and name, and its keypoints [18, 3]."""
    who, index = job
    size = files.parse_size("image_size", options.image_size)
    name, photo = pictures.photograph(
        options.seed, who + 1, index, *size, options.same_scene
    )
    split = _SPLITS[who >= options.train_identities]
    path = folder / f"bounding_box_{split}" / name
    # Full colour resolution: pictures are too small to halve it.
    Image.fromarray(photo.image).save(path, quality=photo.quality, subsampling=0)
    return (split, name), photo.keypoints


def main(words: Sequence[str]) -> int:
    return command_line.run(
        words,
        Options,
        lambda options: f"{options.output_dir}: {synthesize(options)}",
        __doc__,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
