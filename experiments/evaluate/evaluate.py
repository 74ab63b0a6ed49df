"""--mode=evaluate: scores every test pair of a run, and shows some; or two folders."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from experiments import pictures, processes, results
from experiments.config import Config
from experiments.config_compatibility import check_networks
from experiments.evaluate import accumulators, folders, pairs_csv, protocol, table
from pg2_jax import cpu_convolution, generation, inputs, sharding
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import restore, run_folder
from pg2_jax.errors import counted
from pg2_jax.inference import exported_model, hub
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.metrics import suite

# The source photo itself is what a method has to beat.
COPY = "copy of source"
_MASKS = {
    suite.TARGET: "body mask of the target pose, radius 4 with 5x5 closing",
    suite.SOURCE: "body mask of the source pose, radius 4 with 5x5 closing",
}


def evaluate(config: Config) -> None:
    """Scores a checkpoint, or the images of --generated_dir, and prints a table."""
    if config.generated_dir:
        content = folders.score(config)
        title = f"{config.generated_dir}, {counted(content['pairs'], 'pair')}"
    else:
        content = score_run(config)
        title = f"step {content['step']}, {counted(content['pairs'], 'test pair')}"
    if not processes.is_first():
        return
    table.show(title, content, verbose=config.verbose)
    folder = config.output or config.workdir
    names = ["metrics.json", "pairs.csv", *["images/"] * config.save_images]
    *first, last = (os.path.join(folder, name) for name in names)
    print(f"Wrote {', '.join(first)} and {last}")
    if not config.generated_dir:
        print(table.in_words(content["metrics"], COPY))
        print(f"Picture: {os.path.join(folder, 'evaluation.png')}")


def open_run(
    config: Config,
) -> tuple[restore.Generators, pair_reader.PairDataset, Config]:
    """Opens a model and a data set that fit together; adds their size to the config."""
    generators = _open_model(config)
    architecture = generators.architecture
    dataset = pair_reader.PairDataset(config.data_dir)
    check_networks(generators.config, config)
    config = config.with_size(architecture.image_height, architecture.image_width)
    if f"{dataset.height}x{dataset.width}" != config.image_size:
        raise ValueError(
            f"--data_dir={config.data_dir} holds {dataset.height}x{dataset.width} "
            f"images, the model in --workdir={config.workdir} generates "
            f"{config.image_size}."
        )
    if generators.config.get("data", dataset.metadata) != dataset.metadata:
        print(
            f"Note: {config.workdir} was trained on another data set, "
            f"{generators.config['data_dir']}; these are pairs of {config.data_dir}."
        )
    if architecture.pose_embedding == "view":
        dataset.require_views("test")
    return generators, dataset, config


def _open_model(config: Config) -> restore.Generators:
    """The model of a checkpoint or of a file that was exported, on all devices."""
    if not run_folder.is_model(config.workdir):
        whole = sharding.replicated(sharding.data_mesh())
        return restore.restore_generators(
            config.workdir, **config.how_to_restore, sharding=whole
        )
    if config.wanted_checkpoint is not None or config.weights != "averaged":
        raise ValueError(
            f"--workdir={config.workdir} is a single model; --checkpoint, "
            "--checkpoint_step and --weights are for runs."
        )
    advice = "score the .safetensors of its run, or its images with --generated_dir"
    precision = config.how_to_restore["precision"]
    return read_file("workdir", config.workdir, advice, precision)


def read_file(
    flag: str, path: str, advice: str, precision: str = ""
) -> restore.Generators:
    """The model of a file that was exported, on all devices; the ValueError on a
    compiled program ends in the advice."""
    model = exported_model.read(hub.local(path), precision, argument=flag)
    if isinstance(model, exported_model.Program):
        raise ValueError(
            f"--{flag}={path} is a compiled program, not weights; {advice}."
        )
    whole = sharding.replicated(sharding.data_mesh())
    coarse, refine = jax.device_put((model.coarse, model.refine), whole)
    return dataclasses.replace(model, coarse=coarse, refine=refine)


def score_run(config: Config) -> dict[str, Any]:
    """Scores a model; writes metrics.json, pairs.csv, evaluation.png and, if asked for,
    every image into --output or the workdir; returns the content of metrics.json."""
    generators, dataset, config = open_run(config)
    sharding.check_batch_size(config.batch_size)
    output = pathlib.Path(config.output or config.workdir)
    available = dataset.count("test")
    total = min(available, config.max_test_pairs or available)
    _keep_more_pairs(output, total, available)
    picture = _Picture(total, config.picture_pairs)
    # All processes generate and know all scores; one writes.
    writes = processes.is_first()
    if writes:
        output.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        numbers = accumulators.numbers(config)
        stack.callback(numbers.close)
        takers: list[Callable[[protocol.Batch], None]] = [numbers.add, picture.add]
        if config.save_images and writes:
            saved = pictures.replacing(output / "images")
            takers.append(stack.enter_context(saved))
        batches = _batches(config, generators, dataset)
        accumulators.take(batches, takers, total, shown=config.progress and writes)
    as_stored = "none: the pairs as the data set stores them"
    facts = protocol.Facts(config.image_size, as_stored, _MASKS)
    content: dict[str, Any] = {
        "step": generators.step,
        "weights": config.weights if generators.config.get("ema_decay") else "raw",
        "pairs": len(numbers.names),
        "pairs_available": available,
        "image_size": config.image_size,
        **numbers.content(facts),
        "data_dir": config.data_dir,
        "data": dataset.metadata,
        "reader": dataset.reader,
        "config": generators.config,
        **results.provenance(),
    }
    if writes:
        pairs_csv.write(output / pairs_csv.FILE, numbers.names, numbers.scores())
        results.write_picture(output / "evaluation.png", picture.picture())
        results.write_json(output / "metrics.json", content)
    return content


def _keep_more_pairs(output: pathlib.Path, total: int, available: int) -> None:
    """Refuses to overwrite the scores of more pairs by those of a part."""
    file = output / "metrics.json"
    if total == available or not file.is_file():
        return
    try:
        scored = results.read_json(file).get("pairs", 0)
    except ValueError:
        return  # Nobody can read it anyway.
    if scored > total:
        raise ValueError(
            f"--max_test_pairs={total}: {file} has the scores of {scored:,} pairs, "
            "which would be overwritten; choose another folder with --output, or move "
            "them away."
        )


def _batches(
    config: Config, generators: restore.Generators, dataset: pair_reader.PairDataset
) -> Iterator[protocol.Batch]:
    """Generates the images of the test pairs, and scores their pixels."""
    mesh = sharding.data_mesh()
    generate_and_score = compiled(generators.architecture)
    scored = 0
    for test in dataset.test_batches(
        batch_size=config.batch_size, limit=config.max_test_pairs
    ):
        batch = sharding.put_whole_batch(test.batch, mesh)
        on_devices = generate_and_score(generators.coarse, generators.refine, batch)
        generated, finite, scores = processes.gathered(on_devices)
        scored += len(test.names)
        for kind, good in finite.items():
            # Images of uint8 would hide NaN.
            bad = np.flatnonzero(~good[: len(test.names)])
            if len(bad):
                raise ValueError(
                    f"--workdir={config.workdir}: the {kind} image of {len(bad)} of "
                    f"the first {scored:,} pairs holds NaN or infinite values, first "
                    f"that of {' and '.join(test.names[bad[0]])}; the weights are "
                    "damaged or their training has diverged: see --checkpoint_step."
                )
        yield protocol.Batch(
            names=test.names,
            images={COPY: test.batch["source_image"], **generated},
            target=test.batch["target_image"],
            keypoints=test.batch["target_keypoints"],
            pixel_scores=scores,
        )


def compiled(
    architecture: Architecture, metrics: tuple[str, ...] = tuple(suite.METRICS)
) -> Callable[..., Any]:
    """(weights of G1, of G2 or None, batch) -> uint8 images by kind, [B] whether all
    their values were finite, and [B] scores, the source's included, by metric."""
    generate = cpu_convolution.jitted(_generate, "architecture")

    def generate_and_score(coarse_params, refine_params, batch: inputs.Batch):
        given = coarse_params, refine_params, batch
        generated, finite = generate(*given, architecture=architecture)
        images = {COPY: batch["source_image"], **generated}
        keypoints = {
            suite.TARGET: batch["target_keypoints"],
            suite.SOURCE: batch["source_keypoints"],
        }
        target = batch["target_image"]
        scores = protocol.pixel_scores(images, target, keypoints, metrics)
        return generated, finite, scores

    return generate_and_score


def _generate(
    coarse_params: Any,
    refine_params: Any,
    batch: inputs.Batch,
    architecture: Architecture,
) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    poses = batch["source_keypoints"], batch["target_keypoints"]
    given = coarse_params, refine_params, batch["source_image"], *poses
    raw = generation.draw(*given, architecture=architecture)
    finite = {kind: jnp.isfinite(x).all(axis=(1, 2, 3)) for kind, x in raw.items()}
    return {kind: inputs.to_uint8(x) for kind, x in raw.items()}, finite


class _Picture:
    """Keeps the pairs of the picture: evenly spaced over the test pairs."""

    def __init__(self, total: int, count: int):
        self._wanted = pictures.spread_rows(total, count)
        self._seen = 0
        self._kept: list[Any] = []

    def add(self, batch: protocol.Batch) -> None:
        """Keeps those pairs of a batch that are shown."""
        here = [i for i in range(len(batch.names)) if self._seen + i in self._wanted]
        self._seen += len(batch.names)
        pairs = {"target_image": batch.target, "target_keypoints": batch.keypoints}
        generated = {**batch.images}
        pairs["source_image"] = generated.pop(COPY)
        self._kept.append(jax.tree.map(lambda x: x[here], (pairs, generated)))

    def picture(self) -> Image.Image:
        """All that was kept, a pair in a row."""
        kept = jax.tree.map(lambda *parts: np.concatenate(parts), *self._kept)
        return pictures.compare(*kept)
