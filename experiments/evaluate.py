"""--mode=evaluate: scores every test pair of a run, and shows some; or two folders."""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any, cast

import jax
import numpy as np
import tqdm
from PIL import Image

from experiments import (
    evaluate_folders,
    inception_scores,
    pictures,
    processes,
    results,
    scoring,
)
from experiments.config import Config
from experiments.stored_config import check_networks
from pg2_jax import (
    checkpoint,
    generation,
    input_pipeline,
    inputs,
    models,
    pose,
    sharding,
)
from pg2_jax.metrics import suite

# The source photo itself is what a method has to beat.
COPY = "copy of source"
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
        evaluate_folders.evaluate(config)
        return
    content = score_run(config)
    if not processes.is_first():
        return
    title = (
        f"step {content['step']}, {content['pairs']:,} test pairs of "
        f"{content['image_size']}: mean (standard deviation)"
    )
    scoring.show(title, content["metrics"], content["not_computed"])
    print(f"Wrote {workdir / 'metrics.json'} and {workdir / 'evaluation.png'}")


def score_run(config: Config) -> dict[str, Any]:
    """Scores a checkpoint; writes metrics.json and evaluation.png into the workdir.

    Args:
        config: names the workdir and the data set.

    Returns:
        The content of metrics.json.

    Raises:
        ValueError: no checkpoint, no test pairs, or sizes that disagree.
    """
    step = None if config.checkpoint_step < 0 else config.checkpoint_step
    whole = sharding.replicated(sharding.data_mesh())
    generators = checkpoint.restore_generators(config.workdir, step, whole)
    dataset = input_pipeline.PairDataset(config.data_dir)
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
            f"{generators.config['data_dir']}; this evaluates on {config.data_dir}."
        )
    if generators.architecture.pose_embedding == "view":
        dataset.require_views("test")
    sharding.check_batch_size(config.batch_size)
    # The other processes help to draw; the first scores sets and writes.
    inception = config.inception if processes.is_first() else ""
    sets = inception_scores.Collector(inception_scores.load(inception))
    scores, picture = _score(config, generators, dataset, sets)
    content: dict[str, Any] = {
        "step": generators.step,
        "pairs": len(scores[COPY]["l1"]),
        "pairs_available": dataset.count("test"),
        "image_size": config.image_size,
        "interval": scoring.INTERVAL,
        "definitions": scoring.DEFINITIONS,
        "not_computed": scoring.not_computed(
            size, frozenset(_MASKS), sets.not_computed()
        ),
        "metrics": scoring.joined_records(
            scoring.records(
                scores,
                image_size=config.image_size,
                resize="none: the pairs as the data set stores them",
                masks=_MASKS,
            ),
            sets.records(image_size=config.image_size, masks=_MASKS),
        ),
        "data_dir": config.data_dir,
        "data": dataset.metadata,
        "config": generators.config,
        **results.provenance(),
    }
    if processes.is_first():
        workdir = pathlib.Path(config.workdir)
        results.write_picture(workdir / "evaluation.png", picture)
        results.write_json(workdir / "metrics.json", content)
    return content


def _score(
    config: Config,
    generators: checkpoint.Generators,
    dataset: input_pipeline.PairDataset,
    sets: inception_scores.Collector,
):
    """Scores of each pair by kind and metric, and the picture."""
    mesh = sharding.data_mesh()
    whole, split = sharding.replicated(mesh), sharding.batched(mesh)
    draw_and_score = jax.jit(
        functools.partial(_draw_and_score, architecture=generators.architecture),
        in_shardings=(whole, whole, split),
        out_shardings=split,
    )
    total = dataset.count("test")
    total = min(total, config.max_test_pairs or total)
    left = total
    shown = _Shown(total, config.picture_pairs)
    parts: list[scoring.Scores] = []
    batches = dataset.test_batches(
        batch_size=config.batch_size,
        limit=config.max_test_pairs,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    with tqdm.tqdm(
        total=total,
        unit="pair",
        disable=None if config.progress and processes.is_first() else True,
    ) as bar:
        for test in batches:
            batch = sharding.put_batch(test.batch, mesh)
            drawn, found = draw_and_score(generators.coarse, generators.refine, batch)
            drawn, found, seen = processes.gathered((drawn, found, batch))
            count = min(config.batch_size, left)
            left -= count
            parts.append(jax.tree.map(lambda x, n=count: x[:n], found))
            shown.take(seen, drawn, count)
            sets.add(
                {COPY: seen["source_image"], **drawn},
                seen["target_image"],
                seen["target_keypoints"],
                count,
            )
            bar.update(count)
    # The baseline comes first.
    kinds = sorted(parts[0], key=lambda kind: kind != COPY)
    scores = {kind: scoring.joined([part[kind] for part in parts]) for kind in kinds}
    return scores, shown.picture()


def _draw_and_score(
    coarse_params,
    refine_params,
    batch: inputs.Batch,
    *,
    architecture: models.Architecture,
):
    """uint8 images by kind, and the [B] scores of these and of the source photo, by
    kind and metric."""
    source, target = batch["source_image"], batch["target_image"]
    keypoints = batch["target_keypoints"]
    drawn = generation.generate(
        coarse_params, refine_params, source, keypoints, architecture=architecture
    )
    masks = {
        suite.TARGET: pose.body_mask(keypoints, *target.shape[1:3]),
        suite.SOURCE: pose.body_mask(batch["source_keypoints"], *target.shape[1:3]),
    }
    scores = {
        kind: suite.compute(image, target, masks)
        for kind, image in {COPY: source, **drawn}.items()
    }
    return drawn, scores


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
