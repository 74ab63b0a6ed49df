"""Data parallelism: one mesh axis, the state on every device, the batch split.

The steps are written for the global batch and compiled with these shardings, so that
one device, many devices and many processes run the same mathematics, the batch norm of
the discriminator included.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from pg2_jax import errors

PyTree = Any


def data_mesh() -> Mesh:
    """A mesh with the single axis `data` over all devices of all processes."""
    return Mesh(np.asarray(jax.devices()), ("data",))


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on every device: parameters, optimizer state, metrics."""
    return NamedSharding(mesh, PartitionSpec())


def batched(mesh: Mesh) -> NamedSharding:
    """The leading axis split over the devices: images and keypoints."""
    return NamedSharding(mesh, PartitionSpec("data"))


def batched_steps(mesh: Mesh) -> NamedSharding:
    """The second axis split over the devices: batches of several steps."""
    return NamedSharding(mesh, PartitionSpec(None, "data"))


def check_batch_size(batch_size: int, parts: int = 1) -> None:
    """A ValueError unless devices, and parts of the accumulation, divide it."""
    devices = jax.device_count()
    if batch_size % devices:
        rule = (
            f" must be a multiple of the number of devices, {devices}, because each "
            "device takes an equal share of the batch."
        )
        raise errors.ArgumentError("batch_size", batch_size, rule)
    if batch_size % (devices * parts):
        rule = (
            f" must be a multiple of {devices * parts}, grad_accumulation={parts} "
            f"times the number of devices, {devices}, because each device takes an "
            "equal share of each part."
        )
        raise errors.ArgumentError("batch_size", batch_size, rule)


def local(tree: PyTree) -> PyTree:
    """This process's own copy of replicated arrays, on its first device."""
    return jax.tree.map(lambda x: x.addressable_data(0), tree)


def put_batch(
    batch: PyTree, mesh: Mesh, split: Callable[[Mesh], NamedSharding] = batched
) -> PyTree:
    """Turns this process's share (numpy, leading axis B / processes) into the global,
    sharded batch (jax.Array, leading axis B)."""
    whole = functools.partial(jax.make_array_from_process_local_data, split(mesh))
    return jax.tree.map(whole, batch)


def put_whole_batch(batch: PyTree, mesh: Mesh) -> PyTree:
    """The same of a batch that every process has whole."""
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(x.shape, batched(mesh), x.__getitem__),
        batch,
    )


def put_batches(batches: Sequence[PyTree], mesh: Mesh) -> PyTree:
    """The same of the batches of several steps, which become the leading axis."""
    stacked = jax.tree.map(lambda *arrays: np.stack(arrays), *batches)
    return put_batch(stacked, mesh, batched_steps)
