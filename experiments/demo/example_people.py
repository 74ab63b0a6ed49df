"""Photos for visitors without one."""

import pathlib

import numpy as np

from data_prep.synthetic import pictures
from experiments.demo import model_queue
from pg2_jax.photos import photo_files

_SYNTHETIC = 6
_MOST = 12
# Far from the numbers of people that trainings use.
_FIRST_IDENTITY = 9001


def read(queue: model_queue.ModelQueue, folder: str) -> dict[str, np.ndarray]:
    """Name -> uint8 [H, W, 3] of the model's size: the first photos of a folder by
    name, fitted by the queue, or without a folder synthetic people."""
    if not folder:
        return _synthetic_people(*queue.size)
    if not pathlib.Path(folder).is_dir():
        raise ValueError(f"--examples_dir={folder}: there is no such folder.")
    files = sorted(
        path
        for path in pathlib.Path(folder).iterdir()
        if path.suffix.lower() in photo_files.SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        suffixes = ", ".join(photo_files.SUFFIXES)
        raise ValueError(f"--examples_dir={folder}: holds no photo ({suffixes}).")
    try:
        return {
            path.stem: queue.fit_photo(path.read_bytes(), path.name)[0]
            for path in files[:_MOST]
        }
    except ValueError as error:
        raise ValueError(f"--examples_dir={folder}: {error}") from error


def _synthetic_people(height: int, width: int) -> dict[str, np.ndarray]:
    """Each in the picture that shows most of the body."""
    people = {}
    for number in range(_SYNTHETIC):
        takes = [
            pictures.photograph(0, _FIRST_IDENTITY + number, i, height, width)[1]
            for i in range(4)
        ]
        best = max(takes, key=lambda take: take.keypoints[:, 2].sum())
        people[f"Synthetic person {number + 1}"] = best.image
    return people
