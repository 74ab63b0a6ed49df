"""How large a checkpoint of the paper's model is, and how long it takes."""

import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import jax_peer
from experiments.benchmark.measurement import Measurement, Series
from pg2_jax import train_state
from pg2_jax.checkpoint import checkpointer

_SIZE = (128, 64)


def measure(folder: pathlib.Path, *, scale: float, repeats: int) -> Measurement:
    """Saves and restores a state of both stages, with its checksums; it is read back
    from the system's memory if there is enough of it."""
    state = _random_state(scale)
    stops, saves, restores = [], [], []
    for i in range(repeats):
        workdir = str(folder / str(i))
        saver = checkpointer.Checkpointer(workdir, {})
        begin = time.monotonic()
        saver.save(state)
        stops.append(time.monotonic() - begin)
        saver.close()
        saves.append(time.monotonic() - begin)
        saver = checkpointer.Checkpointer(workdir, {})
        begin = time.monotonic()
        jax.block_until_ready(saver.restore_latest(state))
        restores.append(time.monotonic() - begin)
        saver.close()
    files = [path for path in (folder / "0").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 2**30
    series = [
        Series("size on disk", [size], "GiB"),
        Series("training paused", stops, "s"),
        Series("save, in the background", saves, "s"),
        Series("restore and compare checksums", restores, "s"),
    ]
    # Adam keeps two more numbers for each.
    parameters = sum(x.size for x in jax.tree.leaves(state)) // 3
    facts = {"image": f"{_SIZE[0]}x{_SIZE[1]}", "parameters": parameters}
    return Measurement(series, facts)


def _random_state(scale: float) -> Any:
    """Random bits in the optimizer's memory, too: its first zeros would compress."""
    architecture = jax_peer.paper_architecture(scale, _SIZE)
    optimizer = train_state.make_optimizer(jax_peer.LEARNING_RATE)
    shapes = jax.eval_shape(lambda: train_state.create(architecture, optimizer, 0))
    rng = np.random.default_rng(0)

    def random(x: jax.ShapeDtypeStruct) -> jax.Array:
        values = np.ones(x.shape)
        if jnp.issubdtype(x.dtype, jnp.floating):
            values = rng.standard_normal(x.shape, np.float32)
        return jnp.asarray(values, x.dtype)

    return jax.tree.map(random, shapes)
