"""Checkpoints with orbax: asynchronous, the newest few and the best kept, the config
inside.

A checkpoint alone is enough to continue training, or to restore the generators and
draw: `restore_generators` needs no flags.
"""

import dataclasses
import functools
import importlib.metadata
import operator
import pathlib
from typing import Any, Literal

import flax.traverse_util
import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as ocp_managers

from pg2_jax import models, train_state

PyTree = Any
# Which checkpoint of a run: that of a step, the best, or (None) the newest.
Wanted = int | Literal["best"] | None
# Which weights of a generator: the average where the run kept one, or the last alone.
Weights = Literal["averaged", "raw"]
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
    """Saves and restores the state of one run below `<workdir>/checkpoints`."""

    def __init__(self, workdir: str, config: dict[str, Any], *, keep: int = 3):
        """Opens or creates the folder.

        Args:
            workdir: of the run.
            config: stored with each checkpoint, with the versions; JSON values.
            keep: number of newest checkpoints that stay, and the best beside them.
        """
        kept = ocp_managers.AnyPreservationPolicy(
            [
                ocp_managers.LatestN(keep),
                ocp_managers.BestN(
                    get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False
                ),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=kept, best_fn=_score, create=True
        )
        self._manager = ocp.CheckpointManager(folder(workdir), options=options)
        self._config = {"config": config, "versions": versions()}

    def save(self, state: train_state.TrainState, score: float | None = None) -> None:
        """Begins to write the state; training may go on meanwhile.

        Args:
            state: of which a step is saved once.
            score: makes it a candidate for the best checkpoint; higher is better.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.PyTreeSave(state),
                config=ocp.args.JsonSave(self._config),
            ),
            metrics=None if score is None else {"score": score},
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


def restore_generators(
    workdir: str,
    step: Wanted = None,
    weights: Weights = "averaged",
    precision: str = "",
) -> Generators:
    """Reads the weights of G1 and G2 alone; optimizer and discriminator stay on disk.

    Args:
        workdir: folder of the run.
        step: the checkpoint; "best" for the best, None for the newest.
        weights: the averages, where the run kept them, or the raw weights.
        precision: to draw in, "float32" or "bfloat16"; empty for the run's own.

    Raises:
        ValueError: there is no such checkpoint.
    """
    manager, step = _open(workdir, "--workdir", step)
    config = _stored_config(manager, step)
    architecture = architecture_of(config)
    if precision:
        architecture = dataclasses.replace(architecture, precision=precision)
    shapes = jax.eval_shape(
        lambda: train_state.create(architecture, train_state.make_optimizer(0.0), 0)
    )
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    wanted = {
        name: jax.tree.map(lambda x: _placed(x, device), player.params)
        for name, player in (("coarse", shapes.coarse), ("refine", shapes.refine))
        if player is not None
    }
    averaged = weights == "averaged" and bool(config.get("ema_decay"))
    restored = _restore_weights(manager, step, wanted, averaged=averaged)
    manager.close()
    return Generators(
        step=step,
        architecture=architecture,
        config=config,
        coarse=restored["coarse"],
        refine=restored.get("refine"),
    )


def latest_config(
    workdir: str, flag: str, wanted: Wanted = None
) -> tuple[int, dict[str, Any]]:
    """Step and config of a run's newest checkpoint, or another.

    Args:
        workdir: folder of the run.
        flag: that named the folder, for the message.
        wanted: the checkpoint.

    Raises:
        ValueError: there is no such checkpoint.
    """
    manager, step = _open(workdir, flag, wanted)
    config = _stored_config(manager, step)
    manager.close()
    return step, config


def restore_networks(
    workdir: str, step: int, state: train_state.TrainState
) -> train_state.TrainState:
    """A new state with the weights of another run: D's, and those that G1 and G2 draw
    with, the averages where that run kept them.

    Args:
        workdir: folder of the other run.
        step: of its checkpoint.
        state: of the new run; its networks are of the same shapes.
    """
    manager, step = _open(workdir, "--init_from", step)
    averaged = bool(_stored_config(manager, step).get("ema_decay"))
    names = ("coarse", "refine", "critic")
    players = {n: getattr(state, n) for n in names if getattr(state, n) is not None}
    wanted = {
        name: jax.tree.map(ocp.utils.to_shape_dtype_struct, player.params)
        for name, player in players.items()
    }
    weights = _restore_weights(manager, step, wanted, averaged=averaged)
    manager.close()
    given = {name: players[name].with_weights(weights[name]) for name in players}
    return dataclasses.replace(state, **given)


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


def _score(metrics: dict[str, float]) -> float:
    return metrics["score"]


def _open(workdir: str, flag: str, step: Wanted) -> tuple[ocp.CheckpointManager, int]:
    """The checkpoints of a run, and the wanted step."""
    path = folder(workdir)
    found: list[int] = []
    if path.is_dir():
        options = ocp.CheckpointManagerOptions(best_fn=_score, create=False)
        manager = ocp.CheckpointManager(path, options=options)
        found = sorted(manager.all_steps())
    if found and step == "best":
        step = manager.best_step()
        if step is None:
            raise ValueError(
                f"{flag}={workdir}: none of the checkpoints in {path} was found best; "
                "that takes training with --eval_every, in its last stage."
            )
    if not found or (step is not None and step not in found):
        what = f"no checkpoint of step {step}" if found else "no checkpoint"
        raise ValueError(
            f"{flag}={workdir}: {what} in {path}"
            + (f"; there are steps {found}." if found else "; train there first.")
        )
    return manager, found[-1] if step is None else int(step)


def _stored_config(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    arguments = ocp.args.Composite(config=ocp.args.JsonRestore())
    return manager.restore(step, args=arguments).config["config"]


def _restore_weights(
    manager: ocp.CheckpointManager,
    step: int,
    wanted: dict[str, PyTree],
    *,
    averaged: bool,
) -> dict[str, PyTree]:
    """Reads the weights of some players, or the averages of them where there are any.

    Args:
        manager: of the checkpoints.
        step: of the checkpoint.
        wanted: the weights' shapes, types and shardings by player.
        averaged: whether the checkpoint has averages of G1 and G2, and they are wanted.
    """
    paths = {
        name: ("average", "params") if averaged and name != "critic" else ("params",)
        for name in wanted
    }
    flat = {(name, *paths[name]): tree for name, tree in wanted.items()}
    template = flax.traverse_util.unflatten_dict(flat)
    restored = _restore_tree(manager, step, template, partial_restore=True)
    return {
        name: functools.reduce(operator.getitem, paths[name], restored[name])
        for name in wanted
    }


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
