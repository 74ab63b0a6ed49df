"""Checkpoints with orbax: asynchronous, the newest few kept, the config inside.

A checkpoint alone is enough to continue training, or to restore the generators and
draw: `restore_generators` needs no flags.
"""

import dataclasses
import importlib.metadata
import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from pg2_jax import models, train_state

PyTree = Any
# What this code writes into a checkpoint, and the newest that it reads. It grows when
# older code would read a checkpoint and draw something else from it.
FORMAT = 1
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


def run_of(path: str) -> tuple[str, int | None]:
    """The run that a folder belongs to, and the step that it names.

    Args:
        path: a run, its `checkpoints`, or one of the numbered folders in there.
    """
    given = pathlib.Path(path).expanduser()
    if given.name == "checkpoints":
        return str(given.parent), None
    if given.parent.name == "checkpoints" and given.name.isdigit():
        return str(given.parent.parent), int(given.name)
    return path, None


def folder(workdir: str) -> pathlib.Path:
    """Where a run keeps its checkpoints."""
    return pathlib.Path(workdir).expanduser().resolve() / "checkpoints"


class Checkpointer:
    """Saves and restores the state of one run below `<workdir>/checkpoints`."""

    def __init__(self, workdir: str, config: dict[str, Any], *, keep: int = 3):
        """Opens or creates the folder.

        Args:
            workdir: of the run.
            config: stored with each checkpoint, with the versions; JSON values.
            keep: number of newest checkpoints that stay.
        """
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._manager = ocp.CheckpointManager(folder(workdir), options=options)
        self._config = {"format": FORMAT, "config": config, "versions": versions()}

    def save(self, state: train_state.TrainState) -> None:
        """Begins to write the state; training may go on meanwhile."""
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeSave(state),
                config=ocp.args.JsonSave(self._config),
            ),
        )

    def latest_config(self) -> dict[str, Any] | None:
        """The config inside the newest checkpoint, or None if there is none."""
        step = self._manager.latest_step()
        return None if step is None else _stored_config(self._manager, step)

    def restore_latest(self, state: train_state.TrainState) -> train_state.TrainState:
        """Returns the newest checkpoint, or `state` itself if there is none.

        Args:
            state: the template: its structure, shapes, types and shardings.
        """
        step = self._manager.latest_step()
        if step is None:
            return state
        template = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
        return _restore_tree(self._manager, step, template)

    def close(self) -> None:
        """Waits for pending writes; without it the last save can be lost."""
        self._manager.wait_until_finished()
        self._manager.close()


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


def restore_generators(workdir: str, step: int | None = None) -> Generators:
    """Reads the weights of G1 and G2 alone; optimizer and discriminator stay on disk.

    Args:
        workdir: folder of the run.
        step: the checkpoint; None for the newest.

    Raises:
        ValueError: there is no such checkpoint.
    """
    manager, step = _open(workdir, "--workdir", step)
    config = _stored_config(manager, step)
    architecture = architecture_of(config)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    wanted = {
        name: {"params": jax.tree.map(lambda x: _placed(x, device), shapes)}
        for name, shapes in weight_shapes(architecture).items()
    }
    restored = _restore_tree(manager, step, wanted, partial_restore=True)
    manager.close()
    return Generators(
        step=step,
        architecture=architecture,
        config=config,
        coarse=restored["coarse"]["params"],
        refine=restored["refine"]["params"] if "refine" in wanted else None,
    )


def weight_shapes(architecture: models.Architecture) -> dict[str, PyTree]:
    """Shapes and types of the weights of G1, "coarse", and of G2, "refine", if there is
    one."""
    shapes = jax.eval_shape(
        lambda: train_state.create(architecture, train_state.make_optimizer(0.0), 0)
    )
    players = {"coarse": shapes.coarse, "refine": shapes.refine}
    return {n: player.params for n, player in players.items() if player is not None}


def check_version(path: str, version: int, newest: int) -> None:
    """Refuses a file that later code has written.

    Raises:
        ValueError: its version is above `newest`.
    """
    if version > newest:
        raise ValueError(
            f"{path} was made by a later version of this program: its format is "
            f"{version}, this one reads up to {newest}. Update with: "
            "pip install --upgrade pg2_jax"
        )


def latest_config(workdir: str, flag: str) -> tuple[int, dict[str, Any]]:
    """Step and config of a run's newest checkpoint.

    Args:
        workdir: folder of the run.
        flag: that named the folder, for the message.

    Raises:
        ValueError: there is no checkpoint.
    """
    manager, step = _open(workdir, flag, None)
    config = _stored_config(manager, step)
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
    restored = _restore_tree(manager, step, wanted, partial_restore=True)
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


def _stored_config(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    arguments = ocp.args.Composite(config=ocp.args.JsonRestore())
    stored = manager.restore(step, args=arguments).config
    path = f"The checkpoint of step {step} in {manager.directory}"
    # The first checkpoints did not say.
    check_version(path, stored.get("format", 1), FORMAT)
    return stored["config"]


def _restore_tree(
    manager: ocp.CheckpointManager, step: int, template: PyTree, **options: Any
) -> PyTree:
    """Reads the arrays of a checkpoint that the template names, placed as it says."""
    arguments = ocp.args.PyTreeRestore(
        item=template,
        restore_args=ocp.checkpoint_utils.construct_restore_args(template),
        **options,
    )
    return manager.restore(step, args=ocp.args.Composite(state=arguments)).state


def _placed(x: jax.ShapeDtypeStruct, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)


def architecture_of(config: dict[str, Any]) -> models.Architecture:
    """The architecture that a stored config describes.

    A field that is younger than the checkpoint has its default, which is what the code
    did before there was the field.
    """
    fields = (field.name for field in dataclasses.fields(models.Architecture))
    return models.Architecture(**{n: config[n] for n in fields if n in config})
