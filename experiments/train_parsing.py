"""Trains the two small networks that read photos for pg2plus.

    python -m experiments.train_parsing --network=parsing
    python -m experiments.train_parsing --network=skirts

They come with the code and serve all models. The first tells which pixels are the
person, its hair and its arms (pg2_jax/pg2plus/parsing.py), in a quarter of an hour on
two cores; the second, which needs the first, down to where skirts, dresses and coats
hang (pg2_jax/pg2plus/skirts.py), in ten minutes. They learn from synthetic people
alone, of whom that is known. At the end it says how well they do with other people.
"""

import dataclasses
import functools
import itertools
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
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
from pg2_jax.pg2plus import parsing, skirts

PyTree = Any

_SIZE = 128, 64
_BATCH = 16
_LEARNING_RATE, _WEIGHT_DECAY = 2e-3, 1e-3
_SOFT = 8.0  # at the hem the answer goes from 1 to 0 within an eighth of a thigh
_HIDDEN = 0.05  # of the joints
_MOVED = augmentation.Augmentation(geometry_augmentation=True, keypoint_noise=0.7)
_COLOURED = augmentation.Augmentation(flip=False, colour_augmentation=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to train, on what, and where to write it."""

    network: str = option("parsing", choices=("parsing", "skirts"))
    """Which of the two."""
    output: str = option("", path=True)
    """The file to write; by default the one that all models use."""
    identities: int = option(6000, minimum=8)
    """How many synthetic people; one of eight is kept for the test."""
    images_per_identity: int = option(3, minimum=1)
    """Pictures of each."""
    steps: int = option(7000, minimum=1)
    """Training steps, of batches of 16 pictures."""
    seed: int = option(0, minimum=0, maximum=command_line.MAX_SEED)
    """Seed of people, weights and batches."""
    workers: int = option(0, minimum=0)
    """Processes that make the people; 0: one per core."""


class Pictures(NamedTuple):
    """People, and what is known of them."""

    images: inputs.Array  # [N, 128, 64, 3] uint8
    keypoints: inputs.Array  # [N, 18, 3] float32
    classes: inputs.Array  # [N, 128, 64, 3] uint8, see `Photo.classes`
    hems: inputs.Array  # [N] float32, see `Photo.hem`


class Network(NamedTuple):
    """What is trained."""

    module: nn.Module
    channels: tuple[int, ...]  # the shape of what it sees, without the batch
    seen: Callable[..., jax.Array]  # of images in [-1, 1] and keypoints
    loss: Callable[[jax.Array, Pictures], jax.Array]  # of its logits, []
    scores: Callable[[PyTree, Pictures], str]  # of its weights, in words
    file: pathlib.Path


def train(options: Options) -> str:
    """Writes the weights; returns the scores in words."""
    network = _networks()[options.network]
    output = options.output or str(network.file)
    command_line.check_file("--output", pathlib.Path(output))
    people = _people(options)
    tested = options.identities // 8 * options.images_per_identity
    test, learned = (
        Pictures(*(x[some] for x in people))
        for some in (np.s_[:tested], np.s_[tested:])
    )
    params = _fit(network, learned, options)
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    stored = {name: np.asarray(x, np.float16) for name, x in flat.items()}
    with files.replacing(output) as path:
        # Its own writer makes files that only their owner may read.
        path.write_bytes(safetensors.numpy.save(stored))
    rounded = jax.tree.map(lambda x: x.astype(jnp.float16).astype(jnp.float32), params)
    return f"{output}: {network.scores(rounded, test)}"


def _networks() -> dict[str, Network]:
    return {
        "parsing": Network(
            parsing.ParsingNetwork(),
            (_SIZE[0] // 2, _SIZE[1] // 2, parsing.CHANNELS),
            parsing.seen,
            _parsing_loss,
            _parsing_scores,
            parsing.WEIGHTS,
        ),
        "skirts": Network(
            skirts.SkirtNetwork(),
            (skirts.ROWS, skirts.COLUMNS, skirts.CHANNELS),
            _lap,
            _hem_loss,
            _hem_scores,
            skirts.WEIGHTS,
        ),
    }


def _people(options: Options) -> Pictures:
    people, each = range(options.identities), range(options.images_per_identity)
    jobs = list(itertools.product(people, each))
    make = functools.partial(_photo, seed=options.seed)
    with workers.results(make, jobs, options.workers) as made:
        progress = tqdm.tqdm(made, "people", len(jobs), unit="image", disable=None)
        photos = dict(progress)
    rows = [(x.image, x.keypoints, x.classes, x.hem) for _, x in sorted(photos.items())]
    return Pictures(*(np.stack(column) for column in zip(*rows, strict=True)))


def _photo(
    job: tuple[int, int], *, seed: int
) -> tuple[tuple[int, int], pictures.Photo]:
    """The picture (person, index). Every second person is in the same scene in all."""
    who, index = job
    same_scene = bool(who % 2)
    return job, pictures.photograph(seed, who, index, *_SIZE, same_scene)[1]


def _fit(network: Network, people: Pictures, options: Options) -> PyTree:
    """The weights after all steps."""
    shown = jnp.zeros((1, *network.channels))
    params = network.module.init(jax.random.key(options.seed), shown)["params"]
    rate = optax.cosine_decay_schedule(_LEARNING_RATE, options.steps)
    optimizer = optax.adamw(rate, weight_decay=_WEIGHT_DECAY)

    @cpu_convolution.jitted
    def step(params, state, batch, number):
        """The weights and the optimizer's state after a batch, and its loss."""
        batch = _changed(batch, options.seed, number)
        seen = network.seen(inputs.from_uint8(batch.images), batch.keypoints)

        def loss(params):
            return network.loss(network.module.apply({"params": params}, seen), batch)

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    state, draw = optimizer.init(params), np.random.default_rng(options.seed)
    progress = tqdm.trange(options.steps, desc="training", disable=None)
    for number in progress:
        some = draw.integers(len(people.hems), size=_BATCH)
        batch = Pictures(*(x[some] for x in people))
        params, state, loss = step(params, state, batch, jnp.asarray(number))
        if number % 100 == 0:
            progress.set_postfix(loss=f"{loss:.3f}")
    return params


def _changed(people: Pictures, seed: int, number: jax.Array) -> Pictures:
    """People in other colours and crops, some joints not seen."""
    batch = inputs.Batch(
        source_image=people.images,
        target_image=people.classes,
        source_keypoints=people.keypoints,
        target_keypoints=people.keypoints,
    )
    batch = augmentation.augmented(batch, _MOVED, seed, number)
    classes = batch["target_image"]
    batch = augmentation.augmented(batch, _COLOURED, seed, number)
    key, points = jax.random.key(seed), batch["source_keypoints"]
    seen = jax.random.uniform(jax.random.fold_in(key, number), points.shape[:2])
    points = points * (seen > _HIDDEN)[..., None]
    return Pictures(batch["source_image"], points, classes, people.hems)


def _parsing_loss(logits: jax.Array, people: Pictures) -> jax.Array:
    """The cross entropy of all pixels, the mean."""
    return optax.softmax_cross_entropy(logits, _shares(people.classes)).mean()


def _shares(classes: jax.Array) -> jax.Array:
    """[N, H, W, 3] uint8 -> [N, H, W, 4] in [0, 1], of `parsing.CLASSES`."""
    of_person = classes.astype(jnp.float32) / 255
    # Rounded bytes can add up to 256.
    others = jnp.maximum(1.0 - of_person.sum(axis=-1, keepdims=True), 0.0)
    return jnp.concatenate([others, of_person], axis=-1)


def _parsing_scores(params: PyTree, people: Pictures) -> str:
    """How well the person and each class are found, in words."""

    @cpu_convolution.jitted
    def counted(photos, keypoints, classes):
        """How many pixels both call the person or a class, and how many either."""
        likely = parsing.classes(photos, keypoints, params)
        person = parsing.by_colours(photos, 1.0 - likely[..., :1])
        true = _shares(classes)
        found = jnp.concatenate([person, likely[..., 1:]], axis=-1) > 0.5
        there = jnp.concatenate([1.0 - true[..., :1], true[..., 1:]], axis=-1) > 0.5
        axes = 0, 1, 2
        return (found & there).sum(axes), (found | there).sum(axes)

    both = [
        counted(inputs.from_uint8(photos), *known)
        for photos, *known, _ in _batches(people)
    ]
    shared, either = (np.sum(counts, axis=0) for counts in zip(*both, strict=True))
    shares = shared / np.maximum(either, 1)
    names = "the person", *parsing.CLASSES[1:]
    each = ", ".join(f"{n} {x:.3f}" for n, x in zip(names, shares, strict=True))
    return f"intersection over union in {len(people.hems):,} pictures of others: {each}"


def _batches(people: Pictures) -> list[Pictures]:
    starts = range(0, len(people.hems), _BATCH)
    return [Pictures(*(x[i : i + _BATCH] for x in people)) for i in starts]


def _lap(photos: jax.Array, keypoints: jax.Array) -> jax.Array:
    return skirts.seen(photos, keypoints, parsing.parse(photos, keypoints).person)


def _hem_loss(logits: jax.Array, people: Pictures) -> jax.Array:
    """The cross entropy of all rows, the mean."""
    return optax.sigmoid_binary_cross_entropy(logits, above(people.hems)).mean()


def above(hems: jax.Array) -> jax.Array:
    """Which rows are above hems [B], as `Photo.hem`: [B, ROWS], from 1 to 0."""
    return jnp.clip(0.5 + _SOFT * (hems[:, None] - _middles()), 0.0, 1.0)


def _middles() -> np.ndarray:
    """Where the middles of the rows are, [1, ROWS]: as hems are counted."""
    return (np.arange(skirts.ROWS, dtype=np.float32)[None] + 0.5) * 2 / skirts.ROWS


def _hem_scores(params: PyTree, people: Pictures) -> str:
    """How often the hem is found, in words."""
    see = cpu_convolution.jitted(_lap)
    found = []
    for photos, keypoints, *_ in _batches(people):
        seen = see(inputs.from_uint8(photos), keypoints)
        found.append(np.asarray(skirts.opacity(params, seen)) > 0.5)
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
    return command_line.run(words, Options, train, __doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
