r"""Makes a data set of synthetic people in the folder layout of Market-1501.

No download, no photographs of real persons: each identity is a rendered 3-D figure
with its own build, hair and clothes, photographed by six cameras in many poses,
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
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tqdm
from absl import flags
from PIL import Image

if not __package__:  # run as a script: let it find its own package
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from data_prep import command_line
from data_prep import workers as workers_lib
from data_prep.records import output_folder
from data_prep.synthetic import pictures
from pg2_jax import files
from pg2_jax.keypoints import keypoint_files

_SPLITS = ("train", "test")
# Pair lists use a picture only if both shoulders and both hips are found.
_TRUNK = [2, 5, 8, 11]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What `synthesize` made.

    Attributes:
        images: pictures in both splits.
        identities: persons in both splits.
        complete_share: share of pictures in which both shoulders and both hips are
            visible, in [0, 1]; only these can be paired.
        seconds: wall time.
    """

    images: int
    identities: int
    complete_share: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.images} images of {self.identities} identities, "
            f"{self.complete_share:.0%} with both shoulders and hips, in "
            f"{self.seconds:.1f} s ({self.images / self.seconds:.0f} images/s)"
        )


@dataclasses.dataclass(frozen=True)
class _Job:
    """One picture to make."""

    split: str
    identity: int
    index: int


_Maker = Callable[[_Job], tuple[str, np.ndarray]]


def synthesize(
    output_dir: str | os.PathLike[str],
    *,
    train_identities: int,
    test_identities: int,
    images_per_identity: int,
    height: int,
    width: int,
    seed: int = 0,
    workers: int = 0,
) -> Summary:
    """Writes the data set; either all of it or, on an error, nothing.

    Args:
        output_dir: folder to create; it may exist only if it is empty.
        train_identities: persons in bounding_box_train, numbered from 1.
        test_identities: other persons, in bounding_box_test, numbered on.
        images_per_identity: pictures of each person.
        height: pixels, 32 to 1024.
        width: pixels, 16 to 1024.
        seed: root of all random choices.
        workers: processes; 0 for one per core. Has no influence on the result.

    Raises:
        ValueError: if an argument breaks a rule; the message names the flag.
    """
    begin = time.perf_counter()
    _check_counts(train_identities, test_identities, images_per_identity)
    _check_size(height, width)
    _check_seed(seed)
    _check_at_least("workers", workers, 0)
    people = {"train": train_identities, "test": test_identities}
    jobs = _list_jobs(people, images_per_identity)
    # Behind a symbolic link the data go where it points; renaming would replace it.
    target = pathlib.Path(os.path.realpath(output_dir))
    _check_free(target)
    with output_folder.staging(target) as stage:
        folder = stage / target.name
        folder.mkdir()
        make = functools.partial(
            _make_image, folder=folder, seed=seed, height=height, width=width
        )
        keypoints = _fill(folder, make, jobs, workers)
        pictures.write_contact_sheet(folder)
        output_folder.publish(folder, target, stage)
    complete = [bool(found[_TRUNK, 2].all()) for found in keypoints.values()]
    return Summary(
        images=len(jobs),
        identities=sum(people.values()),
        complete_share=float(np.mean(complete)),
        seconds=time.perf_counter() - begin,
    )


def _fill(
    folder: pathlib.Path, make: _Maker, jobs: list[_Job], workers: int
) -> dict[str, np.ndarray]:
    """Writes pictures and annotations; returns "split/name" -> keypoints [18, 3]."""
    for split in _SPLITS:
        (folder / f"bounding_box_{split}").mkdir()
    keypoints = dict(_run(make, jobs, workers))
    for split in _SPLITS:
        rows = {
            key.partition("/")[2]: keypoints[key]
            for key in sorted(keypoints)
            if key.startswith(f"{split}/")
        }
        keypoint_files.write_csv(folder / f"market-annotation-{split}.csv", rows)
    return keypoints


def _check_counts(train: int, test: int, images: int) -> None:
    _check_at_least("train_identities", train, 1)
    _check_at_least("test_identities", test, 1)
    _check_at_least("images_per_identity", images, 1)
    if train + test > 9999:
        raise ValueError(
            f"--train_identities={train} and --test_identities={test} must add up "
            "to at most 9999, because file names have four digits for the identity."
        )
    if images > 9999:
        raise ValueError(
            f"--images_per_identity={images} must be at most 9999, because file "
            "names have six digits for the frame."
        )


def _check_at_least(flag: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"--{flag}={value} must be at least {least}.")


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= command_line.MAX_SEED:
        raise ValueError(f"--seed={seed} must be from 0 to {command_line.MAX_SEED}.")


def _check_size(height: int, width: int) -> None:
    if not (32 <= height <= 1024 and 16 <= width <= 1024):
        raise ValueError(
            f"--image_size={height}x{width}: the height must be 32 to 1024 pixels and "
            "the width 16 to 1024, because smaller people cannot be made out."
        )


def _check_free(target: pathlib.Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(
            f"--output_dir={target} must not exist or be an empty folder; nothing is "
            "ever overwritten."
        )


def _list_jobs(people: dict[str, int], images: int) -> list[_Job]:
    first = {"train": 1, "test": 1 + people["train"]}
    return [
        _Job(split, first[split] + person, index)
        for split in _SPLITS
        for person in range(people[split])
        for index in range(images)
    ]


def _run(
    make: _Maker, jobs: list[_Job], workers: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the result of all jobs, in any order, with a progress bar."""
    progress = tqdm.tqdm(total=len(jobs), unit="image", desc="synthesize")
    with progress, workers_lib.results(make, jobs, workers) as results:
        for result in results:
            progress.update()
            yield result


def _make_image(
    job: _Job, *, folder: pathlib.Path, seed: int, height: int, width: int
) -> tuple[str, np.ndarray]:
    """Renders and saves one picture; returns "split/name" and its keypoints [18, 3]."""
    name, photo = pictures.photograph(seed, job.identity, job.index, height, width)
    path = folder / f"bounding_box_{job.split}" / name
    # Full colour resolution: pictures are too small to halve it.
    Image.fromarray(photo.image).save(path, quality=photo.quality, subsampling=0)
    return f"{job.split}/{name}", photo.keypoints


def define_flags() -> None:
    """Registers the flags; not on import, because other programs have a --seed too."""
    flags.DEFINE_string(
        "output_dir", None, "Folder to create; refused if it exists and is not empty."
    )
    flags.DEFINE_integer("train_identities", 60, "Persons to train on, at least 1.")
    flags.DEFINE_integer("test_identities", 12, "Other persons, at least 1.")
    flags.DEFINE_integer("images_per_identity", 12, "Pictures of each, at least 1.")
    flags.DEFINE_string(
        "image_size",
        "128x64",
        "HEIGHTxWIDTH in pixels, from 32x16 to 1024x1024; 128x64 is Market-1501's.",
    )
    flags.DEFINE_integer("seed", 0, "The same seed gives the same bytes.")
    flags.DEFINE_integer("workers", 0, "Processes, 0 for one per core.")


def main(argv: Sequence[str]) -> int:
    """Generates the people whom the flags ask for; returns the exit code."""
    return command_line.run(argv, _synthesize_from_flags)


def _synthesize_from_flags() -> str:
    values = flags.FLAGS
    if not values.output_dir:
        raise ValueError("--output_dir is required.")
    height, width = files.parse_size("image_size", values.image_size)
    folder = command_line.expand(values.output_dir)
    summary = synthesize(
        folder,
        train_identities=values.train_identities,
        test_identities=values.test_identities,
        images_per_identity=values.images_per_identity,
        height=height,
        width=width,
        seed=values.seed,
        workers=values.workers,
    )
    return f"{folder}: {summary}"


if __name__ == "__main__":
    define_flags()
    command_line.start(main)
