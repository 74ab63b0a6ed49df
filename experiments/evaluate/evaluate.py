"""--mode=evaluate: scores every test pair of a run, and shows some; or two folders."""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from PIL import Image

from experiments import pictures, processes, results
from experiments.config import Config
from experiments.config_compatibility import check_networks
from experiments.evaluate import folders, pairs_csv, saved_images, statistics
from experiments.evaluate.accumulators import Collectors
from pg2_jax import generation, inputs, pose, sharding
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.metrics import suite

# The source photo itself is what a method has to beat.
COPY = "copy of source"
_IMAGES = "images"
_MASKS = {
    suite.TARGET: "body mask of the target pose, radius 4 with 5x5 closing",
    suite.SOURCE: "body mask of the source pose, radius 4 with 5x5 closing",
}


def evaluate(config: Config) -> None:
    """Scores a checkpoint, or the images of --generated_dir, and prints a table.

    See `score_run` and `evaluate_folders.score`.
    """
    workdir = pathlib.Path(config.workdir)
    if config.generated_dir:
        folders.evaluate(config)
        return
    content = score_run(config)
    if not processes.is_first():
        return
    title = (
        f"step {content['step']}, {content['pairs']:,} test pairs of "
        f"{content['image_size']}: mean (standard deviation)"
    )
    statistics.show(title, content["metrics"], content["not_computed"])
    images = f", {workdir / _IMAGES}/" if config.save_images else ""
    print(
        f"Wrote {workdir / 'metrics.json'}, {workdir / pairs_csv.FILE}{images} and "
        f"{workdir / 'evaluation.png'}"
    )


def open_run(
    config: Config,
) -> tuple[restore.Generators, pair_reader.PairDataset, Config]:
    """Opens a checkpoint and a data set whose test pairs it can draw.

    Args:
        config: names the workdir, the checkpoint and the data set.

    Returns:
        Weights, data set, and the config with the size of the images.

    Raises:
        ValueError: no checkpoint, no data set, or the two do not fit together.
    """
    whole = sharding.replicated(sharding.data_mesh())
    generators = restore.restore_generators(
        config.workdir,
        config.wanted_checkpoint,
        cast(restore.Weights, config.weights),
        config.drawing_precision,
        whole,
    )
    dataset = pair_reader.PairDataset(config.data_dir)
    size = (generators.architecture.image_height, generators.architecture.image_width)
    check_networks(generators.config, config)
    config = config.with_size(*size)
    if (dataset.height, dataset.width) != size:
        raise ValueError(
            f"--data_dir={config.data_dir} holds {dataset.height}x{dataset.width} "
            f"images, the checkpoint in --workdir={config.workdir} draws "
            f"{config.image_size}."
        )
    if generators.config.get("data", dataset.metadata) != dataset.metadata:
        print(
            f"Note: {config.workdir} was trained on another data set, "
            f"{generators.config['data_dir']}; these are pairs of {config.data_dir}."
        )
    if generators.architecture.pose_embedding == "view":
        dataset.require_views("test")
    return generators, dataset, config


def score_run(config: Config) -> dict[str, Any]:
    """Scores a checkpoint; writes metrics.json, pairs.csv, evaluation.png and, if asked
    for, every image into the workdir.

    Args:
        config: names the workdir and the data set.

    Returns:
        The content of metrics.json.

    Raises:
        ValueError: no checkpoint, no test pairs, sizes that disagree, or networks that
            draw NaN.
    """
    generators, dataset, config = open_run(config)
    size = (dataset.height, dataset.width)
    sharding.check_batch_size(config.batch_size)
    workdir = pathlib.Path(config.workdir)
    # All processes draw and know all scores; one writes.
    writes = processes.is_first()
    with contextlib.ExitStack() as stack:
        collectors = Collectors(config, pair_reader.PairDataset)
        stack.callback(collectors.close)
        images = None
        if config.save_images and writes:
            images = stack.enter_context(saved_images.SavedImages(workdir / _IMAGES))
        names, scores, picture = _score(config, generators, dataset, collectors, images)
    scores = collectors.merged(scores)
    if writes:
        pairs_csv.write(workdir / pairs_csv.FILE, names, scores)
        results.write_picture(workdir / "evaluation.png", picture)
    content: dict[str, Any] = {
        "step": generators.step,
        "weights": config.weights if generators.config.get("ema_decay") else "raw",
        "pairs": len(scores[COPY]["l1"]),
        "pairs_available": dataset.count("test"),
        "image_size": config.image_size,
        "interval": statistics.INTERVAL,
        "definitions": statistics.DEFINITIONS,
        "not_computed": statistics.not_computed(
            size, frozenset(_MASKS), collectors.not_computed()
        ),
        "metrics": collectors.records(
            scores,
            image_size=config.image_size,
            resize="none: the pairs as the data set stores them",
            masks=_MASKS,
        ),
        "data_dir": config.data_dir,
        "data": dataset.metadata,
        "config": generators.config,
        **results.provenance(),
    }
    if writes:
        results.write_json(workdir / "metrics.json", content)
    return content


def _score(
    config: Config,
    generators: restore.Generators,
    dataset: pair_reader.PairDataset,
    collectors: Collectors,
    images: saved_images.SavedImages | None,
):
    """Names of the pairs, scores of each by kind and metric, and the picture."""
    mesh = sharding.data_mesh()
    draw_and_score = compiled(generators.architecture, mesh)
    total = dataset.count("test")
    total = min(total, config.max_test_pairs or total)
    shown = _Shown(total, config.picture_pairs)
    names: list[tuple[str, str]] = []
    parts: list[statistics.Scores] = []
    batches = dataset.test_batches(
        batch_size=config.batch_size, limit=config.max_test_pairs
    )
    with tqdm.tqdm(
        total=total,
        unit="pair",
        disable=None if config.progress and processes.is_first() else True,
    ) as bar:
        for test in batches:
            batch = sharding.put_whole_batch(test.batch, mesh)
            on_devices = draw_and_score(generators.coarse, generators.refine, batch)
            drawn, finite, found = processes.gathered(on_devices)
            _check_finite(config, finite, test.names, len(names))
            count = len(test.names)
            names += test.names
            parts.append(jax.tree.map(lambda x, n=count: x[:n], found))
            shown.take(test.batch, drawn, count)
            collectors.add(
                {COPY: test.batch["source_image"], **drawn},
                test.batch["target_image"],
                test.batch["target_keypoints"],
                count,
            )
            if images:
                images.add(drawn, test.batch["target_image"], test.names)
            bar.update(count)
    # The baseline comes first.
    kinds = sorted(parts[0], key=lambda kind: kind != COPY)
    scores = {kind: statistics.joined([part[kind] for part in parts]) for kind in kinds}
    return names, scores, shown.picture()


def _check_finite(
    config: Config,
    finite: Mapping[str, np.ndarray],
    names: list[tuple[str, str]],
    before: int,
) -> None:
    """Refuses networks that draw NaN, which uint8 images would hide.

    Args:
        config: names the workdir.
        finite: [B] bool by kind.
        names: of the pairs of the batch, at most B.
        before: pairs of the batches before, all of them finite.
    """
    for kind, good in finite.items():
        bad = np.flatnonzero(~good[: len(names)])
        if len(bad):
            raise ValueError(
                f"--workdir={config.workdir}: the {kind} image of {len(bad)} of the "
                f"first {before + len(names):,} pairs holds NaN or infinite values, "
                f"first that of {' and '.join(names[bad[0]])}; the weights are damaged "
                "or their training has diverged: see --checkpoint_step."
            )


# What `compiled` computes.
Drawn = tuple[
    dict[str, jax.Array], dict[str, jax.Array], dict[str, dict[str, jax.Array]]
]


def compiled(
    architecture: Architecture,
    mesh: jax.sharding.Mesh,
    metrics: Collection[str] = tuple(suite.METRICS),
) -> Callable[..., Drawn]:
    """Drawing and scoring: (weights of G1, of G2 or None, batch) -> uint8 images by
    kind, [B] whether all their values were finite, and [B] scores by kind and metric.
    """
    whole, split = sharding.replicated(mesh), sharding.batched(mesh)
    return jax.jit(
        functools.partial(
            _draw_and_score, architecture=architecture, metrics=tuple(metrics)
        ),
        in_shardings=(whole, whole, split),
        out_shardings=split,
    )


def _draw_and_score(
    coarse_params,
    refine_params,
    batch: inputs.Batch,
    *,
    architecture: Architecture,
    metrics: Collection[str],
):
    """uint8 images by kind, [B] whether all their values were finite, and the [B]
    scores of these and of the source photo, by kind and metric."""
    source, target = batch["source_image"], batch["target_image"]
    keypoints = batch["target_keypoints"]
    raw = generation.draw(
        coarse_params, refine_params, source, keypoints, architecture=architecture
    )
    finite = {kind: jnp.isfinite(x).all(axis=(1, 2, 3)) for kind, x in raw.items()}
    drawn = {kind: inputs.to_uint8(x) for kind, x in raw.items()}
    masks = {
        suite.TARGET: pose.body_mask(keypoints, *target.shape[1:3]),
        suite.SOURCE: pose.body_mask(batch["source_keypoints"], *target.shape[1:3]),
    }
    scores = {
        kind: suite.compute(image, target, masks, metrics)
        for kind, image in {COPY: source, **drawn}.items()
    }
    return drawn, finite, scores


class _Shown:
    """Keeps the pairs of the picture: evenly spaced over the test pairs."""

    def __init__(self, total: int, count: int):
        self._wanted = pictures.spread_rows(total, count)
        self._seen = 0
        self._pairs: list[dict[str, Any]] = []
        self._drawn: list[dict[str, np.ndarray]] = []

    def take(
        self, batch: Mapping[str, Any], drawn: dict[str, np.ndarray], count: int
    ) -> None:
        """Keeps the wanted ones of the next `count` pairs."""
        for i in range(count):
            if self._seen + i in self._wanted:
                self._pairs.append({name: array[i] for name, array in batch.items()})
                self._drawn.append({name: array[i] for name, array in drawn.items()})
        self._seen += count

    def picture(self) -> Image.Image:
        """Lays out what was kept."""
        batch = cast(inputs.Batch, _stack(self._pairs))
        return pictures.compare(batch, _stack(self._drawn))


def _stack(rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
