"""Trains the small network that finds skirts, dresses and coats in photos.

    python -m experiments.train_skirts

It comes with the code and serves all models of pg2plus (pg2_jax/pg2plus/skirts.py). It
learns from synthetic people alone, whose hem is known, in eight minutes on two cores.
At the end it says for how many other people it finds the hem.
"""

import dataclasses
import functools
import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import optax
import safetensors.numpy
import tqdm

from data_prep import command_line, workers
from data_prep.flag_fields import option
from data_prep.synthetic import pictures
from pg2_jax import augmentation, cpu_convolution, files, inputs
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.inference import exported_model
from pg2_jax.pg2plus import find_person, skirts

PyTree = Any

_SIZE = 128, 64
_BATCH = 16
_LEARNING_RATE, _WEIGHT_DECAY = 2e-3, 1e-3
_SOFT = 8.0  # at the hem the answer goes from 1 to 0 within an eighth of a thigh
_CHANGES = augmentation.Augmentation(
    colour_augmentation=True, geometry_augmentation=True, keypoint_noise=0.7
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to train on, and where to write it."""

    workdir: str = option("models/pg2plus_128x64/model.safetensors", path=True)
    """A model of pg2plus for 128x64 pixels, which finds the person of a photo."""
    output: str = option(str(skirts.WEIGHTS), path=True)
    """The file to write; the default is the one that all models use."""
    identities: int = option(6000, minimum=8)
    """How many synthetic people; one of eight is kept for the test."""
    images_per_identity: int = option(3, minimum=1)
    """Pictures of each."""
    steps: int = option(9000, minimum=1)
    """Training steps, of batches of 16 pictures."""
    seed: int = option(0, minimum=0, maximum=command_line.MAX_SEED)
    """Seed of people, weights and batches."""
    workers: int = option(0, minimum=0)
    """Processes that make the people; 0: one per core."""


class Pictures(NamedTuple):
    """People with and without skirts."""

    images: np.ndarray  # [N, 128, 64, 3] uint8
    keypoints: np.ndarray  # [N, 18, 3] float32
    hems: np.ndarray  # [N] float32, see `Photo.hem`


def train(options: Options) -> str:
    """Writes the weights; returns the scores in words."""
    command_line.check_file("--output", pathlib.Path(options.output))
    model = _finder(options.workdir)
    people = _people(options)
    tested = options.identities // 8 * options.images_per_identity
    test, learned = (
        Pictures(*(x[some] for x in people))
        for some in (np.s_[:tested], np.s_[tested:])
    )
    params = _fit(model, learned, options)
    scores = _scores(model, params, test)
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    stored = {name: np.asarray(x, np.float16) for name, x in flat.items()}
    with files.replacing(options.output) as path:
        # Its own writer makes files that only their owner may read.
        path.write_bytes(safetensors.numpy.save(stored))
    return scores


def _finder(path: str) -> restore.Generators:
    """The model that finds the person of a photo."""
    model = exported_model.read(path)
    architecture = model.architecture
    if isinstance(model, exported_model.Program) or architecture.blending != "sharp":
        raise ValueError(
            f"--workdir={path} must be a model of pg2plus that finds the person of a "
            "photo: trained with --blending=sharp, and exported as .safetensors."
        )
    if architecture.size != _SIZE:
        size = "x".join(map(str, architecture.size))
        raise ValueError(f"--workdir={path} must be for 128x64 pixels, got {size}.")
    return model


def _people(options: Options) -> Pictures:
    people, each = range(options.identities), range(options.images_per_identity)
    jobs = list(itertools.product(people, each))
    make = functools.partial(_photo, seed=options.seed)
    with workers.results(make, jobs, options.workers) as made:
        progress = tqdm.tqdm(made, "people", len(jobs), unit="image", disable=None)
        photos = dict(progress)
    rows = [(x.image, x.keypoints, x.hem) for _, x in sorted(photos.items())]
    return Pictures(*(np.stack(column) for column in zip(*rows, strict=True)))


def _photo(
    job: tuple[int, int], *, seed: int
) -> tuple[tuple[int, int], pictures.Photo]:
    """The picture (person, index). Every second person is in the same scene in all."""
    who, index = job
    same_scene = bool(who % 2)
    return job, pictures.photograph(seed, who, index, *_SIZE, same_scene)[1]


def _fit(model: restore.Generators, people: Pictures, options: Options) -> PyTree:
    """The weights after all steps."""
    network = skirts.SkirtNetwork()
    shown = jnp.zeros((1, skirts.ROWS, skirts.COLUMNS, skirts.CHANNELS))
    params = network.init(jax.random.key(options.seed), shown)["params"]
    rate = optax.cosine_decay_schedule(_LEARNING_RATE, options.steps)
    optimizer = optax.adamw(rate, weight_decay=_WEIGHT_DECAY)

    @cpu_convolution.jitted
    def step(coarse, params, state, images, keypoints, hems, number):
        """The weights and the optimizer's state after a batch, and its loss."""
        batch = inputs.Batch(
            source_image=images,
            target_image=images,
            source_keypoints=keypoints,
            target_keypoints=keypoints,
        )
        batch = augmentation.augmented(batch, _CHANGES, options.seed, number)
        photos, poses = batch["source_image"], batch["source_keypoints"]
        seen = _seen(coarse, photos, poses, architecture=model.architecture)
        loss, gradient = jax.value_and_grad(_loss)(params, seen, hems)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    state, draw = optimizer.init(params), np.random.default_rng(options.seed)
    progress = tqdm.trange(options.steps, desc="training", disable=None)
    for number in progress:
        some = draw.integers(len(people.hems), size=_BATCH)
        batch = (x[some] for x in people)
        params, state, loss = step(
            model.coarse, params, state, *batch, jnp.asarray(number)
        )
        if number % 100 == 0:
            progress.set_postfix(loss=f"{loss:.3f}")
    return params


def _seen(
    coarse: PyTree,
    photos: jax.Array,
    keypoints: jax.Array,
    *,
    architecture: Architecture,
) -> jax.Array:
    images = inputs.from_uint8(photos)
    person = find_person.find(coarse, images, keypoints, architecture)
    return skirts.seen(images, keypoints, person)


def _loss(params: PyTree, seen: jax.Array, hems: jax.Array) -> jax.Array:
    """The cross entropy of all rows, the mean."""
    logits = skirts.SkirtNetwork().apply({"params": params}, seen)
    return optax.sigmoid_binary_cross_entropy(logits, above(hems)).mean()


def above(hems: jax.Array) -> jax.Array:
    """Which rows are above hems [B], as `Photo.hem`: [B, ROWS], from 1 to 0."""
    return jnp.clip(0.5 + _SOFT * (hems[:, None] - _middles()), 0.0, 1.0)


def _middles() -> np.ndarray:
    """Where the middles of the rows are, [1, ROWS]: as hems are counted."""
    return (np.arange(skirts.ROWS, dtype=np.float32)[None] + 0.5) * 2 / skirts.ROWS


def _scores(model: restore.Generators, params: PyTree, people: Pictures) -> str:
    """How often the hem is found, in words."""
    stored = jax.tree.map(lambda x: x.astype(jnp.float16).astype(jnp.float32), params)
    see = cpu_convolution.jitted(_seen, "architecture")
    found = []
    for i in range(0, len(people.hems), _BATCH):
        some = slice(i, i + _BATCH)
        seen = see(
            model.coarse,
            people.images[some],
            people.keypoints[some],
            architecture=model.architecture,
        )
        found.append(np.asarray(skirts.opacity(stored, seen)) > 0.5)
    rows, worn = np.concatenate(found), people.hems[:, None] > _middles()
    thigh = skirts.ROWS // 4  # the row below the middle of the thighs
    has, says = worn[:, thigh], rows[:, thigh]
    return (
        f"of {len(rows):,} pictures of other people, {np.mean(rows == worn):.1%} of "
        f"the rows are right; it finds {says[has].sum()} of {has.sum()} skirts that "
        f"reach below the middle of the thighs, and takes {says[~has].sum()} of the "
        f"{(~has).sum():,} others for one"
    )


def main(words: Sequence[str]) -> int:
    return command_line.run(
        words, Options, lambda options: f"{options.output}: {train(options)}", __doc__
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
