"""Checkpoints with orbax: asynchronous, the newest few kept, the config inside.

A checkpoint alone is enough to continue training, or to restore the generators and
draw: `restore_generators` needs no flags.
"""

import contextlib
import dataclasses
import importlib.metadata
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from pg2_jax import checkpoint_reading, models, train_state

PyTree = Any
_PACKAGES = ("pg2_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def folder(workdir: str) -> pathlib.Path:
    """Where a run keeps its checkpoints."""
    return pathlib.Path(workdir).expanduser().resolve() / "checkpoints"


class Checkpointer:
    """Saves and restores the state of one run below `<workdir>/checkpoints`.

    All processes of a run call it alike.
    """

    def __init__(self, workdir: str, config: dict[str, Any], *, keep: int = 3):
        """Opens or creates the folder.

        Args:
            workdir: of the run.
            config: stored with each checkpoint, with the versions; JSON values.
            keep: number of newest checkpoints that stay.
        """
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            create=True,
            # What a kill has left half-written.
            cleanup_tmp_directories=True,
        )
        self._folder = folder(workdir)
        self._manager = ocp.CheckpointManager(self._folder, options=options)
        self._config = {"config": config, "versions": versions()}

    def save(self, state: train_state.TrainState) -> None:
        """Begins to write the state; training may go on meanwhile.

        Raises:
            OSError: this or the checkpoint before cannot be written, as on a full disk.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        description = checkpoint_reading.description(self._config, state)
        with _telling_of_failure(self._folder):
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    **{
                        checkpoint_reading.STATE: ocp.args.PyTreeSave(state),
                        checkpoint_reading.CONFIG: ocp.args.JsonSave(description),
                    }
                ),
            )

    def latest_config(self) -> dict[str, Any] | None:
        """The config inside the newest readable checkpoint, or None if there is none.

        Raises:
            ValueError: there are checkpoints, but none can be read.
        """
        failures = []
        for step in self._newest_first():
            try:
                return checkpoint_reading.read_description(self._manager, step)[
                    "config"
                ]
            except checkpoint_reading.Unreadable as error:
                failures.append(error)
        if failures:
            raise _all_unreadable(failures)
        return None

    def restore_latest(self, state: train_state.TrainState) -> train_state.TrainState:
        """Returns the newest readable checkpoint, or `state` if there is none.

        Damaged ones that are newer are said on stderr and moved to
        `<workdir>/damaged_checkpoints`.

        Args:
            state: the template: its structure, shapes, types and shardings.

        Raises:
            ValueError: there are checkpoints, but none can be read.
        """
        failures: dict[int, checkpoint_reading.Unreadable] = {}
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
        for step in self._newest_first():
            try:
                found = checkpoint_reading.read_arrays(self._manager, step, template)
            except checkpoint_reading.Unreadable as error:
                failures[step] = error
            else:
                self._set_aside(failures, step)
                return found
        if failures:
            raise _all_unreadable(list(failures.values()))
        return state

    def _newest_first(self) -> list[int]:
        return sorted(self._manager.all_steps(), reverse=True)

    def _set_aside(
        self, failures: dict[int, checkpoint_reading.Unreadable], good: int
    ) -> None:
        """Moves damaged checkpoints away, so that their steps can be saved again."""
        if not failures:
            return
        if jax.process_index() == 0:
            for step, error in failures.items():
                to = self._folder.parent / "damaged_checkpoints"
                # One step can be damaged more than once.
                to /= f"{step}_{time.time_ns()}"
                to.parent.mkdir(exist_ok=True)
                checkpoint_reading.place(self._manager, step).rename(to)
                print(
                    f"warning: {error}. It was moved to {to}; the run goes on from "
                    f"step {good}.",
                    file=sys.stderr,
                )
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("damaged checkpoints are set aside")
        self._manager.reload()

    def close(self) -> None:
        """Waits for pending writes; without it the last save can be lost.

        Raises:
            OSError: the last checkpoint cannot be written.
        """
        with _telling_of_failure(self._folder):
            self._manager.wait_until_finished()
            self._manager.close()


def _all_unreadable(failures: list[checkpoint_reading.Unreadable]) -> ValueError:
    lines = "\n  ".join(map(str, failures))
    return ValueError(
        f"no checkpoint of the run can be read:\n  {lines}\nRestore one of them from a "
        "copy, or begin anew in another workdir."
    )


@contextlib.contextmanager
def _telling_of_failure(path: pathlib.Path) -> Iterator[None]:
    """Turns whatever orbax raises while it writes into an OSError with the folder."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise OSError(
            f"a checkpoint cannot be written to {path}: {reason}. Older checkpoints "
            "are kept; with room on the disk the same command goes on."
        ) from error


@dataclasses.dataclass(frozen=True)
class Generators:
    """What a checkpoint holds for drawing.

    Attributes:
        step: finished training steps.
        architecture: of the networks.
        config: the whole config of the run.
        coarse: weights of G1.
        refine: weights of G2, None for a model of G1 alone.
    """

    step: int
    architecture: models.Architecture
    config: dict[str, Any]
    coarse: PyTree
    refine: PyTree | None


def restore_generators(
    workdir: str,
    step: int | None = None,
    sharding: jax.sharding.Sharding | None = None,
) -> Generators:
    """Reads the weights of G1 and G2 alone; optimizer and discriminator stay on disk.

    Args:
        workdir: folder of the run.
        step: the checkpoint; None for the newest.
        sharding: where the weights go; None for the first device.

    Raises:
        ValueError: there is no such checkpoint, or it is damaged.
    """
    manager, step = _open(workdir, "--workdir", step)
    config = checkpoint_reading.read_description(manager, step)["config"]
    architecture = architecture_of(config)
    shapes = jax.eval_shape(
        lambda: train_state.create(architecture, train_state.make_optimizer(0.0), 0)
    )
    if sharding is None:
        sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    wanted = {
        name: {"params": jax.tree.map(lambda x: _placed(x, sharding), player.params)}
        for name, player in (("coarse", shapes.coarse), ("refine", shapes.refine))
        if player is not None
    }
    restored = checkpoint_reading.read_arrays(
        manager, step, wanted, partial_restore=True
    )
    manager.close()
    return Generators(
        step=step,
        architecture=architecture,
        config=config,
        coarse=restored["coarse"]["params"],
        refine=restored["refine"]["params"] if "refine" in wanted else None,
    )


def latest_config(workdir: str, flag: str) -> tuple[int, dict[str, Any]]:
    """Step and config of a run's newest checkpoint.

    Args:
        workdir: folder of the run.
        flag: that named the folder, for the message.

    Raises:
        ValueError: there is no checkpoint, or it is damaged.
    """
    manager, step = _open(workdir, flag, None)
    config = checkpoint_reading.read_description(manager, step)["config"]
    manager.close()
    return step, config


def restore_coarse(workdir: str, player: train_state.Player) -> train_state.Player:
    """Reads G1 and its optimizer's memory from the newest checkpoint of a run.

    Args:
        workdir: folder of the run.
        player: the template: its structure, shapes, types and shardings.
    """
    manager, step = _open(workdir, "--coarse_from", None)
    wanted = {"coarse": jax.tree.map(ocp.utils.to_shape_dtype_struct, player)}
    restored = checkpoint_reading.read_arrays(
        manager, step, wanted, partial_restore=True
    )
    manager.close()
    return restored["coarse"]


def _open(
    workdir: str, flag: str, step: int | None
) -> tuple[ocp.CheckpointManager, int]:
    """The checkpoints of a run, and the wanted or newest step."""
    path = folder(workdir)
    found: list[int] = []
    if path.is_dir():
        options = ocp.CheckpointManagerOptions(create=False)
        manager = ocp.CheckpointManager(path, options=options)
        found = sorted(manager.all_steps())
    if not found or (step is not None and step not in found):
        what = f"no checkpoint of step {step}" if found else "no checkpoint"
        raise ValueError(
            f"{flag}={workdir}: {what} in {path}"
            + (f"; there are steps {found}." if found else "; train there first.")
        )
    return manager, found[-1] if step is None else step


def _placed(x: jax.ShapeDtypeStruct, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)


def architecture_of(config: dict[str, Any]) -> models.Architecture:
    """The architecture that a stored config describes.

    A field that is younger than the checkpoint has its default, which is what the code
    did before there was the field.
    """
    fields = (field.name for field in dataclasses.fields(models.Architecture))
    return models.Architecture(**{n: config[n] for n in fields if n in config})
