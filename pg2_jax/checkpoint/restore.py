"""What a checkpoint holds, the config of its run included, and reading it;
`Checkpointer` in checkpointer.py writes."""

import contextlib
import dataclasses
import functools
import importlib.metadata
import operator
from collections.abc import Iterator
from typing import Any, Literal

import jax
import orbax.checkpoint as ocp

from pg2_jax import errors, train_state
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import checksums, run_folder

PyTree = Any
# Which checkpoint of a run: that of a step, the best, or (None) the newest.
Wanted = int | Literal["best"] | None
# Which weights of a generator: the average where the run kept one, or the last alone.
Weights = Literal["averaged", "raw"]
# Checkpoints name D as version 0.1.0 did.
_STORED_DISCRIMINATOR = "critic"
# The score among what is stored with a checkpoint; the highest is the best.
SCORE_OF = operator.itemgetter("score")
_PACKAGES = ("pg2_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    installed = {}
    for package in _PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def stored_form(state: train_state.TrainState) -> dict[str, Any]:
    """A state as checkpoints hold it, by the names that they have always used."""
    parts = dict(vars(state))
    return {_STORED_DISCRIMINATOR: parts.pop("discriminator"), **parts}


def from_stored_form(stored: dict[str, Any]) -> train_state.TrainState:
    """The inverse of `stored_form`."""
    rest = dict(stored)
    return train_state.TrainState(discriminator=rest.pop(_STORED_DISCRIMINATOR), **rest)


@dataclasses.dataclass(frozen=True)
class Generators:
    """What a checkpoint holds for generating images."""

    step: int  # finished training steps
    architecture: Architecture
    config: dict[str, Any]  # every setting of the run
    coarse: PyTree  # weights of G1
    refine: PyTree | None  # weights of G2, None for a model of G1 alone


def restore_generators(
    workdir: str,
    step: Wanted = None,
    weights: Weights = "averaged",
    precision: str = "",
    sharding: jax.sharding.Sharding | None = None,
) -> Generators:
    """Reads the weights of G1 and G2 alone. The precision is what they compute in,
    "float32" or "bfloat16", empty for the run's own; the sharding says where the
    weights go, None for the first device. No such checkpoint, or a damaged one, is a
    ValueError; one that the system does not let us read is an OSError."""
    if sharding is None:
        sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    with _opened(workdir, "workdir", step) as checkpoint:
        config = stored_config(checkpoint)
        architecture = architecture_of(config)
        if precision:
            architecture = dataclasses.replace(architecture, precision=precision)
        wanted = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
            weight_shapes(architecture),
        )
        restored = _read_weights(checkpoint, wanted, weights)
    coarse, refine = restored["coarse"], restored.get("refine")
    return Generators(checkpoint.step, architecture, config, coarse, refine)


@functools.lru_cache(maxsize=8)  # The networks need not be traced for every checkpoint.
def weight_shapes(architecture: Architecture) -> dict[str, PyTree]:
    """Shapes and types of the weights of G1, "coarse", and of G2, if any, "refine"."""
    shapes = jax.eval_shape(
        lambda: train_state.create(architecture, train_state.make_optimizer(0.0), 0)
    )
    players = {"coarse": shapes.coarse, "refine": shapes.refine}
    return {n: player.params for n, player in players.items() if player is not None}


def check_version(path: str, version: int, newest: int) -> None:
    """Refuses, with a ValueError, a file that later code has written."""
    if version > newest:
        raise ValueError(
            f"{path} was made by a later version of this program: its format is "
            f"{version}, this one reads up to {newest}. Update with: "
            "pip install -U pg2_jax"
        )


def latest_config(
    workdir: str, argument: str = "workdir", wanted: Wanted = None
) -> tuple[int, dict[str, Any]]:
    """Step and config of a run's newest checkpoint, or of the wanted one; `argument`
    names the folder in messages. None there, or a damaged one, is a ValueError."""
    with _opened(workdir, argument, wanted) as checkpoint:
        return checkpoint.step, stored_config(checkpoint)


def stored_config(checkpoint: checksums.Checkpoint) -> dict[str, Any]:
    """The config inside a checkpoint; a ValueError if damaged, or of later code."""
    path = f"The checkpoint of step {checkpoint.step} in {checkpoint.folder.parent}"
    # The first checkpoints did not say.
    version = checkpoint.description.get("format", 1)
    check_version(path, version, run_folder.FORMAT)
    return run_folder.with_current_names(checkpoint.description["config"])


def restore_networks(
    workdir: str, step: int, state: train_state.TrainState
) -> train_state.TrainState:
    """The state of a new run with the weights of another run, of the same shapes: D's,
    and those that G1 and G2 generate with, the averages where that run kept them."""
    stored = stored_form(state)
    players = {n: p for n, p in stored.items() if n != "step" and p is not None}
    params = {name: player.params for name, player in players.items()}
    wanted = jax.tree.map(ocp.utils.to_shape_dtype_struct, params)
    with _opened(workdir, "init_from", step) as checkpoint:
        weights = _read_weights(checkpoint, wanted, "averaged")
    given = {name: players[name].with_weights(weights[name]) for name in players}
    return from_stored_form(stored | given)


def restore_coarse(workdir: str, player: train_state.Player) -> train_state.Player:
    """Reads G1 and its optimizer's memory from the newest checkpoint of a run; the
    template `player` gives the structure, shapes, types and shardings."""
    wanted = {"coarse": jax.tree.map(ocp.utils.to_shape_dtype_struct, player)}
    with _opened(workdir, "coarse_from", None) as checkpoint:
        return checkpoint.arrays(wanted)["coarse"]


@contextlib.contextmanager
def _opened(
    workdir: str, argument: str, step: Wanted
) -> Iterator[checksums.Checkpoint]:
    run_folder.check_there(workdir, argument)
    path = run_folder.folder(workdir)
    options = ocp.CheckpointManagerOptions(best_fn=SCORE_OF, create=False)
    with ocp.CheckpointManager(path, options=options) as manager:
        steps = sorted(manager.all_steps())
        wanted = manager.best_step() if step == "best" else step
        if step == "best" and wanted is None:
            rule = (
                f": no checkpoint in {path} is marked as the best; this needs "
                "validation in the last stage of training (eval_every)."
            )
            raise errors.ArgumentError(argument, workdir, rule)
        if wanted not in (None, *steps):
            rule = f": no checkpoint of step {step} in {path}; there are steps {steps}."
            raise errors.ArgumentError(argument, workdir, rule)
        found = steps[-1] if wanted is None else int(wanted)
        yield checksums.Checkpoint(manager, found)


def _read_weights(
    checkpoint: checksums.Checkpoint, wanted: dict[str, PyTree], weights: Weights
) -> dict[str, PyTree]:
    """The weights of some players, of whom shapes, types and shardings are wanted."""
    averaged = weights == "averaged" and stored_config(checkpoint).get("ema_decay")
    template: dict[str, PyTree] = {}
    for name, tree in wanted.items():
        template[name] = {"params": tree}
        if averaged and name != _STORED_DISCRIMINATOR:
            template[name] = {"average": template[name]}
    restored = checkpoint.arrays(template)
    return {name: x.get("average", x)["params"] for name, x in restored.items()}


def architecture_of(config: dict[str, Any]) -> Architecture:
    """The architecture that a stored config describes; a field that is younger than the
    checkpoint has its default, which is what the code did before."""
    config = run_folder.with_current_names(config)
    fields = (field.name for field in dataclasses.fields(Architecture))
    stored = {n: config[n] for n in fields if n in config}
    # How exact a device is with float32 is a setting of the program.
    if stored.get("precision") == "float32_highest":
        stored["precision"] = "float32"
    return Architecture(**stored)
