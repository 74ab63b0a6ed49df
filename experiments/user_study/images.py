"""Which images a user study shows: real and generated ones, of different targets."""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np

from experiments import pictures
from experiments.config import Config
from experiments.evaluate import evaluate, image_folder
from experiments.user_study.answers import GENERATED, REAL
from pg2_jax.inference import pose_transfer


class Shown(NamedTuple):
    """One image of a study, uint8 [H, W, 3], REAL or GENERATED, with the names of its
    test pair: source and target in a data set, the two files in folders."""

    image: np.ndarray
    kind: str
    pair: tuple[str, str]


def from_run(config: Config) -> tuple[list[Shown], dict[str, Any]]:
    """Photos of a data set's test pairs, what a checkpoint generates for others, and
    where both come from."""
    generators, dataset, config = evaluate.open_run(config)
    names = [
        pair
        for test in dataset.test_batches(batch_size=64, limit=config.max_test_pairs)
        for pair in test.names
    ]
    where = f"--data_dir={config.data_dir}"
    real, generated = _choose(len(names), lambda row: names[row][1], config, where)
    photos = pictures.pairs_at(dataset, real)["target_image"]
    pairs = pictures.pairs_at(dataset, generated)
    images = pose_transfer.PoseTransfer(generators).batch(
        pairs["source_image"],
        pairs["target_keypoints"],
        batch_size=min(config.batch_size, len(generated)),
    )
    shown = [Shown(x, REAL, names[i]) for x, i in zip(photos, real, strict=True)]
    shown += [
        Shown(x, GENERATED, names[i])
        for x, i in zip(images.image, generated, strict=True)
    ]
    origin = {
        "workdir": config.workdir,
        "step": generators.step,
        "weights": config.weights if generators.config.get("ema_decay") else "raw",
        "data_dir": config.data_dir,
        "data": dataset.metadata,
        "config": generators.config,
    }
    return shown, origin


def from_folders(config: Config) -> tuple[list[Shown], dict[str, Any]]:
    """Images of --target_dir, those that --generated_dir has for others, and where
    both come from."""
    remarks: list[str] = []
    pairs = image_folder.pairs(config, remarks)
    for line in remarks:
        print(f"Note: {line}")

    def pixels(row: int) -> Hashable:
        # One photo may be the target of several pairs, under several names.
        target = image_folder.read("target_dir", pairs[row].target)
        return target.shape, target.tobytes()

    where = f"--target_dir={config.target_dir}"
    real, generated = _choose(len(pairs), pixels, config, where)
    shown = []
    for kind, rows in ((REAL, real), (GENERATED, generated)):
        for names in (pairs[row] for row in rows):
            folder = "target" if kind == REAL else "generated"
            image = image_folder.read(f"{folder}_dir", getattr(names, folder))
            shown.append(Shown(image, kind, (names.generated.name, names.target.name)))
    for one in shown:
        if one.image.shape != shown[0].image.shape:
            size, wanted = one.image.shape[:2], shown[0].image.shape[:2]
            raise ValueError(
                f"the {one.kind} image of {' and '.join(one.pair)} is "
                f"{size[0]}x{size[1]}, the first of --target_dir={config.target_dir} "
                f"{wanted[0]}x{wanted[1]} (height x width); sizes would tell real from "
                "generated."
            )
    origin = {"generated_dir": config.generated_dir, "target_dir": config.target_dir}
    return shown, origin


def _choose(
    count: int, target_of: Callable[[int], Hashable], config: Config, where: str
) -> tuple[list[int], list[int]]:
    """Two lists of --study_images pairs in ascending order, no two pairs of one target,
    so that nobody sees a person in a pose twice."""
    wanted = 2 * config.study_images
    row_of: dict[Hashable, int] = {}
    for row in np.random.default_rng(config.seed).permutation(count):
        row_of.setdefault(target_of(int(row)), int(row))
        if len(row_of) == wanted:
            rows = list(row_of.values())
            return sorted(rows[: wanted // 2]), sorted(rows[wanted // 2 :])
    raise ValueError(
        f"{where} holds {count} pairs of {len(row_of)} different targets; "
        f"--study_images={config.study_images} real and as many generated images need "
        f"{wanted}."
    )
