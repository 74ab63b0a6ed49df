"""--mode=user_study: a page that asks people which images are real, and their answers.

The study of section 4.4: real and generated images in random order, each shown for one
second, the first ten for practice. A page knows its images by the digests of their
pixels and shows them in the order of these, so that neither names nor order can tell
what is real; all are stored as PNG without compression, whose length depends on the
size of the image alone. Which is which stands in key.json, outside the folder of the
page.
"""

import hashlib
import pathlib
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jinja2
import numpy as np

from data_prep import command_line
from experiments import pictures, results
from experiments.config import Config
from experiments.evaluate import evaluate, image_folder
from experiments.user_study import scores
from experiments.user_study.scores import GENERATED, REAL
from pg2_jax import files
from pg2_jax.inference import pose_transfer

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).with_name("page")),
    autoescape=True,
)


class Shown(NamedTuple):
    """One image of a study, uint8 [H, W, 3], REAL or GENERATED, with the names of its
    test pair: source and target in a data set, the two files in folders."""

    image: np.ndarray
    kind: str
    pair: tuple[str, str]

    def __str__(self) -> str:
        return f"the {self.kind} image of {' and '.join(self.pair)}"


def user_study(config: Config) -> None:
    """Writes page/index.html and key.json into --output, or scores its --answers."""
    if config.answers:
        scores.score(config)
        return
    output = pathlib.Path(config.output)
    # A study that may have answers is not overwritten.
    command_line.check_folder("--output", output)
    shown, origin = (from_folders if config.generated_dir else from_run)(config)
    trials = arranged(shown, config.seed)
    page, settings = render(trials, config)
    height, width = shown[0].image.shape[:2]
    key = {
        **settings,
        "seed": config.seed,
        "image_size": f"{height}x{width}",
        "trials": [
            {"id": name, "kind": one.kind, "pair": one.pair}
            for name, one in trials.items()
        ],
        "images": origin,
        **results.provenance(),
    }
    with files.replacing_folder(output) as folder:
        (folder / "page").mkdir()
        files.write_text(folder / "page" / "index.html", page)
        results.write_json(folder / scores.KEY, key)
    print(f"Wrote {output / 'page' / 'index.html'}, for the people you ask,")
    print(f"and {output / scores.KEY}, which they must not see.")


def from_run(config: Config) -> tuple[list[Shown], dict[str, Any]]:
    """Photos of test pairs, what a model generates for others, and their origin."""
    generators, dataset, config = evaluate.open_run(config)
    tests = dataset.test_batches(batch_size=64, limit=config.max_test_pairs)
    names = [pair for test in tests for pair in test.names]
    where = f"--data_dir={config.data_dir}"
    real, generated = _choose(len(names), lambda row: names[row][1], config, where)
    photos = pictures.pairs_at(dataset, real)["target_image"]
    pairs = pictures.pairs_at(dataset, generated)
    images = pose_transfer.PoseTransfer(generators).batch(
        pairs["source_image"],
        pairs["target_keypoints"],
        source_poses=pairs["source_keypoints"],
        batch_size=min(config.batch_size, len(generated)),
    )
    shown = [Shown(x, REAL, names[i]) for x, i in zip(photos, real, strict=True)]
    of_model = zip(images.image, generated, strict=True)
    shown += [Shown(x, GENERATED, names[i]) for x, i in of_model]
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
    """Images of --target_dir, those of --generated_dir for others, and their origin."""
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
    shown: list[Shown] = []
    roles = (REAL, "target", real), (GENERATED, "generated", generated)
    for kind, role, rows in roles:
        for pair in (pairs[row] for row in rows):
            image = image_folder.read(f"{role}_dir", getattr(pair, role))
            names = pair.generated.name, pair.target.name
            shown.append(Shown(image, kind, names))
    wanted = "x".join(map(str, shown[0].image.shape[:2]))
    for one in shown:
        size = "x".join(map(str, one.image.shape[:2]))
        if size != wanted:
            raise ValueError(
                f"{one} is {size}, the first of --target_dir={config.target_dir} "
                f"{wanted} (height x width); sizes would tell real from generated."
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


def arranged(shown: list[Shown], seed: int) -> dict[str, Shown]:
    """Images in a random order that says nothing about them, by the names under which
    the page knows them: beside the seed, both depend on their pixels alone."""
    trials: dict[str, Shown] = {}
    for one in shown:
        name = _digest(seed.to_bytes(4, "big") + one.image.tobytes())
        other = trials.setdefault(name, one)
        if other is not one:
            raise ValueError(
                f"{other} and {one} are equal in every pixel; nobody must see an image "
                "twice. Another --seed chooses others."
            )
    return dict(sorted(trials.items()))


def render(trials: dict[str, Shown], config: Config) -> tuple[str, dict[str, Any]]:
    """The page, and what the key says too; neither depends on what is real."""
    plan = list(trials), config.study_practice, config.study_seconds
    settings = {
        "study": _digest(repr(plan).encode()),
        "version": scores.VERSION,
        "practice": config.study_practice,
        "seconds": config.study_seconds,
    }
    # Without compression, so that the length says nothing.
    shown = [
        {"id": name, "png": pictures.to_base64(one.image, "PNG", compress_level=0)}
        for name, one in trials.items()
    ]
    page = _TEMPLATES.get_template("index.html")
    return page.render(study={**settings, "trials": shown}), settings


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
