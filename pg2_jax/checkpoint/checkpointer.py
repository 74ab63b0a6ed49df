"""Saves and resumes one run: asynchronous, the newest few checkpoints and the best."""

import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers as ocp_managers
from orbax.checkpoint._src.metadata import array_metadata_store
from orbax.checkpoint._src.serialization import tensorstore_utils

from pg2_jax import files, train_state
from pg2_jax.checkpoint import checksums, restore, run_folder

# The least bytes that a device writes of an array that all hold: every part takes a
# program of its own, for smaller arrays longer than to write all.
_SMALLEST_PART = 2**20


class Checkpointer:
    """Saves and restores the state of one run; all its processes call it alike."""

    def __init__(self, workdir: str, config: dict[str, Any], *, keep: int = 3):
        """Opens or creates the folder; `config`, JSON values, is stored with each
        checkpoint, of which the `keep` newest stay, and the best beside them."""
        best = ocp_managers.BestN(
            get_metric_fn=restore.SCORE_OF, n=1, keep_checkpoints_without_metrics=False
        )
        kept = [ocp_managers.LatestN(keep), best]
        options = ocp.CheckpointManagerOptions(
            preservation_policy=ocp_managers.AnyPreservationPolicy(kept),
            best_fn=restore.SCORE_OF,
            create=True,
            # What a kill has left half-written.
            cleanup_tmp_directories=True,
        )
        self._folder = run_folder.folder(workdir)
        self._manager = ocp.CheckpointManager(
            self._folder, options=options, item_handlers=_handlers()
        )
        with checksums.telling_of_failure(self._folder):
            _sync_where_possible(self._folder)
        self._config = {
            "format": run_folder.FORMAT,
            "config": config,
            "versions": restore.versions(),
        }

    def save(self, state: train_state.TrainState, score: float | None = None) -> None:
        """Begins to write the state, each step once; training may continue meanwhile. A
        score makes it a candidate for the best checkpoint; higher is better. An OSError
        says that this or the checkpoint before cannot be written, as on a full disk."""
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        stored = restore.stored_form(state)
        description = self._config | {checksums.CHECKSUMS: checksums.of(stored)}
        parts = {
            checksums.STATE: ocp.args.PyTreeSave(stored),
            run_folder.CONFIG: ocp.args.JsonSave(description),
        }
        metrics = None if score is None else {"score": score}
        with checksums.telling_of_failure(self._folder):
            self._manager.save(step, args=ocp.args.Composite(**parts), metrics=metrics)

    def latest_config(self) -> dict[str, Any] | None:
        """The config of the newest whole checkpoint, None without any; a ValueError if
        all are damaged, an OSError if the system does not let us read one."""
        newest = self._read_newest(restore.stored_config)
        return newest and newest[1]

    def restore_latest(self, state: train_state.TrainState) -> train_state.TrainState:
        """The newest whole checkpoint, with structure, shapes, types and shardings of
        `state`, or `state` itself if there is none; errors as of `latest_config`.
        Damaged newer ones are moved to `<workdir>/damaged_checkpoints`."""
        form = restore.stored_form(state)
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, form)
        newest = self._read_newest(lambda checkpoint: checkpoint.arrays(template))
        if newest is None:
            return state
        step, stored, failures = newest
        if failures:
            self._set_aside(failures, step)
        return restore.from_stored_form(stored)

    def _read_newest(
        self, read: Callable[[checksums.Checkpoint], Any]
    ) -> tuple[int, Any, list[checksums.Unreadable]] | None:
        """The newest readable step, what was read, and what newer ones lack."""
        failures: list[checksums.Unreadable] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                found = read(checksums.Checkpoint(self._manager, step))
                return step, found, failures
            except checksums.Unreadable as error:
                failures.append(error)
        if not failures:
            return None
        lines = "\n  ".join(map(str, failures))
        raise ValueError(
            f"no checkpoint of the run can be read:\n  {lines}\nRestore one of them "
            "from a copy, or start again in another workdir."
        )

    def _set_aside(self, failures: list[checksums.Unreadable], good: int) -> None:
        """Moves damaged checkpoints away, so that their steps can be saved again, and
        says so on stderr; the run resumes from step `good`."""
        if jax.process_index() == 0:
            folder = self._folder.parent / "damaged_checkpoints"
            folder.mkdir(exist_ok=True)
            for error in failures:
                # One step can be damaged more than once.
                to = folder / f"{error.folder.name}_{time.time_ns()}"
                error.folder.rename(to)
                print(
                    f"warning: {error}. It was moved to {to}; the run resumes from "
                    f"step {good}.",
                    file=sys.stderr,
                )
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("damaged checkpoints are set aside")
        self._manager.reload()

    def wait(self) -> None:
        """Waits for what was saved; an OSError says that it cannot be written."""
        with checksums.telling_of_failure(self._folder):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """As `wait`, which a last save needs; nothing can be saved any more."""
        with checksums.telling_of_failure(self._folder):
            self._manager.close()


def _handlers() -> dict[str, ocp.CheckpointHandler]:
    """What writes and reads the parts: orbax' own, with small arrays in whole."""
    arrays = ocp.type_handlers.ArrayHandler(
        min_slice_bytes_for_replica_parallel=_SMALLEST_PART,
        array_metadata_store=array_metadata_store.Store(),
    )
    types = ocp.type_handlers.create_type_handler_registry((jax.Array, arrays))
    return {
        checksums.STATE: ocp.PyTreeCheckpointHandler(type_handler_registry=types),
        run_folder.CONFIG: ocp.JsonCheckpointHandler(),
    }


def _sync_where_possible(folder: pathlib.Path) -> None:
    """Lets tensorstore do without fsync on a disk that has none."""
    synced = files.has_fsync(folder)
    tensorstore_utils._BASE_TS_CONTEXT["file_io_sync"] = synced
    tensorstore_utils._DEFAULT_OCDBT_TS_CONTEXT["file_io_sync"] = synced
    if not synced:
        print(
            f"note: the disk of {folder} does not support fsync; a power cut may "
            "lose the newest checkpoints.",
            file=sys.stderr,
        )
