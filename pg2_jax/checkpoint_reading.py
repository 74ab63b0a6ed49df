"""Reading a checkpoint of orbax, and knowing whether it is whole.

A kill, a full disk or a bad one can leave a checkpoint that looks finished. Each holds
the CRC-32 of every array, which is compared when the array is read.
"""

import pathlib
import zlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

PyTree = Any
# orbax' items of a checkpoint.
STATE, CONFIG = "state", "config"
_CHECKSUMS = "crc32"


class Unreadable(ValueError):
    """A checkpoint is damaged; the message says which, where and why."""


def description(stored: dict[str, Any], state: PyTree) -> dict[str, Any]:
    """What is written beside the arrays of a state, as JSON values.

    Args:
        stored: what the checkpoint has to say of itself.
        state: arrays that this process has whole.
    """
    return {**stored, _CHECKSUMS: _checksums(state)}


def read_description(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    """Reads what was written beside the arrays.

    Raises:
        Unreadable: it is damaged.
    """
    arguments = ocp.args.Composite(**{CONFIG: ocp.args.JsonRestore()})
    try:
        found = manager.restore(step, args=arguments)[CONFIG]
    except Exception as error:
        raise _unreadable(manager, step, error) from error
    if not isinstance(found, dict) or "config" not in found:
        raise _unreadable(manager, step, "its config is missing")
    return found


def read_arrays(
    manager: ocp.CheckpointManager, step: int, template: PyTree, **options: Any
) -> PyTree:
    """Reads the arrays of a checkpoint that the template names, placed as it says.

    Args:
        manager: of the folder.
        step: of the checkpoint.
        template: shapes, types and shardings.
        **options: of orbax' PyTreeRestore.

    Raises:
        Unreadable: an array is damaged or missing.
    """
    wanted = read_description(manager, step).get(_CHECKSUMS)
    arguments = ocp.args.PyTreeRestore(
        item=template,
        restore_args=ocp.checkpoint_utils.construct_restore_args(template),
        **options,
    )
    arguments = ocp.args.Composite(**{STATE: arguments})
    try:
        found = manager.restore(step, args=arguments)[STATE]
    except Exception as error:
        # What orbax and tensorstore raise on damaged files is of many kinds; a device
        # without room is none of them.
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            raise
        raise _unreadable(manager, step, error) from error
    if wanted is not None:  # Else it is older than checksums are.
        for name, value in _checksums(found).items():
            if wanted.get(name) != value:
                raise _unreadable(manager, step, f"{name} is not what was saved")
    return found


def place(manager: ocp.CheckpointManager, step: int) -> pathlib.Path:
    """The folder of a checkpoint."""
    return pathlib.Path(manager.directory) / str(step)


def _unreadable(
    manager: ocp.CheckpointManager, step: int, error: Exception | str
) -> Unreadable:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return Unreadable(
        f"checkpoint {place(manager, step)} cannot be read; it is damaged: {reason}"
    )


def _checksums(tree: PyTree) -> dict[str, int]:
    """The CRC-32 of each array's bytes by the array's path."""
    named = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): zlib.crc32(
            np.asarray(x.addressable_data(0)).tobytes()
        )
        for path, x in named
    }
