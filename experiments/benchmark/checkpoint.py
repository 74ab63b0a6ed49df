"""How large a checkpoint of the paper's model is, and how long it takes."""

import pathlib
import time

import jax
import jax.numpy as jnp

from experiments.benchmark.report import Report, Series
from pg2_jax import models, train_state
from pg2_jax.checkpoint import checkpointer

HEIGHT, WIDTH = 128, 64


def measure(folder: pathlib.Path, *, scale: float, repeats: int) -> Report:
    """Saves and restores a state of both stages.

    Args:
        folder: on the disk to measure; the files are read back from the system's
            memory if there is enough of it.
        scale: of the networks' widths.
        repeats: how often each is measured.

    Returns:
        Seconds that training stands still, that the whole save takes, and a restore
        with the comparison of the checksums; the size on disk.
    """
    state = _random_state(scale)
    stops, saves, restores = [], [], []
    for i in range(repeats):
        workdir = folder / str(i)
        saver = checkpointer.Checkpointer(str(workdir), {})
        begin = time.monotonic()
        saver.save(state)
        stops.append(time.monotonic() - begin)
        saver.close()
        saves.append(time.monotonic() - begin)
        saver = checkpointer.Checkpointer(str(workdir), {})
        begin = time.monotonic()
        jax.block_until_ready(saver.restore_latest(state))
        restores.append(time.monotonic() - begin)
        saver.close()
    files = [p for p in (folder / "0").rglob("*") if p.is_file()]
    size = sum(path.stat().st_size for path in files) / 2**30
    parameters = sum(x.size for x in jax.tree.leaves(state)) // 3
    series = [
        Series("size on disk", [size], "GiB"),
        Series("training stands still", stops, "s"),
        Series("save, in the background", saves, "s"),
        Series("restore and compare checksums", restores, "s"),
    ]
    return Report(series, [], {"image": f"{HEIGHT}x{WIDTH}", "parameters": parameters})


def _random_state(scale: float) -> train_state.TrainState:
    """Weights as they are drawn, and an optimizer's memory that does not compress."""
    architecture = models.Architecture(
        image_height=HEIGHT,
        image_width=WIDTH,
        base_channels=max(1, round(128 * scale)),
        discriminator_channels=max(1, round(64 * scale)),
    )
    optimizer = train_state.make_optimizer(2e-5)
    shapes = jax.eval_shape(lambda: train_state.create(architecture, optimizer, 0))
    leaves, tree = jax.tree.flatten(shapes)
    drawn = [
        jax.random.normal(key, x.shape, x.dtype)
        if jnp.issubdtype(x.dtype, jnp.floating)
        else jnp.ones(x.shape, x.dtype)
        for key, x in zip(
            jax.random.split(jax.random.key(0), len(leaves)), leaves, strict=True
        )
    ]
    return jax.tree.unflatten(tree, drawn)
