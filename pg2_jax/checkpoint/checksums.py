"""Reading a checkpoint of orbax, and telling whether it is whole.

An interruption or a faulty disk can leave a checkpoint that looks finished, so each
holds the CRC-32 of every array. What the system does not let us read, such as another
user's file, may be whole and is not called damaged.
"""

import concurrent.futures
import contextlib
import errno
import functools
import os
import pathlib
import re
import zlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from pg2_jax.checkpoint import run_folder

PyTree = Any
# orbax' item of a checkpoint that holds its arrays.
STATE = "state"
CHECKSUMS = "crc32"
_THREADS = 8


class Unreadable(ValueError):
    """A checkpoint, in a folder, is damaged; the message says where and why."""

    def __init__(self, folder: epath.Path, error: Exception | str):
        reason = _in_short(error)
        super().__init__(f"checkpoint {folder} cannot be read; it is damaged: {reason}")
        self.folder = folder


def of(tree: PyTree) -> dict[str, int]:
    """The CRC-32 of each array's bytes, which this process has whole, by its path."""
    arrays = _by_path(tree)
    # zlib and copies from a device work outside of Python's lock.
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(arrays, pool.map(_crc32, arrays.values()), strict=True))


def _crc32(x: jax.Array) -> int:
    values = np.ascontiguousarray(x.addressable_data(0))
    # As bytes: not every type of jax has the buffer that zlib asks for.
    return zlib.crc32(values.reshape(-1).view(np.uint8).data)


def _by_path(tree: PyTree) -> dict[str, Any]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): x
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }


class Checkpoint:
    """A finished checkpoint. What reads it raises `Unreadable` where it is damaged, and
    an OSError where the system does not let us read it."""

    def __init__(self, manager: ocp.CheckpointManager, step: int):
        self._manager, self.step = manager, step
        self.folder = manager.directory / str(step)

    @functools.cached_property
    def description(self) -> dict[str, Any]:
        """What was written beside the arrays."""
        stored = self._read(run_folder.CONFIG, ocp.args.JsonRestore())
        if not isinstance(stored, dict) or "config" not in stored:
            raise Unreadable(self.folder, "its config is missing")
        return stored

    def arrays(self, template: PyTree) -> PyTree:
        """The arrays that the template names, with its shapes, types and shardings. One
        of another shape is a ValueError, a missing one is damage."""
        wanted = self.description.get(CHECKSUMS)
        arguments = ocp.args.PyTreeRestore(
            item=template,
            restore_args=ocp.checkpoint_utils.construct_restore_args(template),
            partial_restore=True,
        )
        try:
            arrays = self._read(STATE, arguments)
        except Unreadable as error:
            _check_shapes(self.folder, template, error)
            raise
        if wanted is not None:  # Else it is older than checksums are.
            for name, value in of(arrays).items():
                if wanted.get(name) != value:
                    raise Unreadable(self.folder, f"{name} is not what was saved")
        return arrays

    def _read(self, part: str, arguments: Any) -> Any:
        """One of orbax' items. What it and tensorstore raise is of many kinds."""
        arguments = ocp.args.Composite(**{part: arguments})
        try:
            return self._manager.restore(self.step, args=arguments)[part]
        except Exception as error:
            refused = _system_error(error) or _refusal_in(self.folder)
            if refused is not None:
                raise OSError(
                    f"checkpoint {self.folder} cannot be read: {refused}. The "
                    "checkpoint itself may be intact; nothing was changed."
                ) from error
            # A device without room is no damage.
            if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
                raise
            raise Unreadable(self.folder, error) from error


@contextlib.contextmanager
def telling_of_failure(folder: pathlib.Path) -> Iterator[None]:
    """Turns what orbax raises into an OSError that names the folder, the reason and the
    checkpoints that are kept."""
    try:
        yield
    except Exception as error:
        reason = _system_error(error) or _in_short(error)
        try:
            steps = ", ".join(map(str, run_folder.steps(str(folder.parent))))
            kept = f"kept: step {steps}" if steps else "no checkpoint is there yet"
        except OSError:  # A folder that cannot be written may not be readable either.
            kept = "which are kept cannot be read"
        raise OSError(
            f"a checkpoint cannot be written to {folder}: {reason}; {kept}. Free "
            "some space, or allow writing there; the same command then resumes."
        ) from error


def _check_shapes(folder: epath.Path, template: PyTree, error: Exception) -> None:
    """A ValueError if networks of other code were saved, so that reading failed."""
    try:
        stored = ocp.PyTreeCheckpointHandler().metadata(folder / STATE).tree
    except Exception:  # It is damaged, which the caller says.
        return
    there = _by_path(stored)
    for path, wanted in _by_path(template).items():
        if path in there and tuple(there[path].shape) != tuple(wanted.shape):
            raise ValueError(
                f"checkpoint {folder} holds other networks: {path} has the shape "
                f"{tuple(there[path].shape)}, here {tuple(wanted.shape)}. It was "
                "written by another version of pg2_jax; read it with that version, "
                "or train again in another workdir."
            ) from error


def _system_error(error: BaseException | None) -> str | None:
    """What the system has said, if it is the reason; not that a file is missing."""
    while error is not None:
        number = error.errno if isinstance(error, OSError) else None
        # tensorstore raises a ValueError with the number in its text.
        if match := re.search(r"os_error_code='(\d+)'", str(error)):
            number = int(match[1])
        if number not in (None, errno.ENOENT):
            return os.strerror(number)
        error = error.__cause__ or error.__context__
    return None


def _refusal_in(folder: epath.Path) -> str | None:
    """The system's answer at the first file that it does not let us read, if any."""

    def stop(error: OSError) -> None:
        raise error

    try:
        for parent, _, names in os.walk(folder, onerror=stop):
            for name in names:
                with open(os.path.join(parent, name), "rb") as file:
                    while file.read(2**24):
                        pass
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    return None


def _in_short(error: Exception | str) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
