"""--mode=import_checkpoint: the authors' TensorFlow-1 checkpoints, as runs of ours.

Reads what `tf.train.Saver` of the released code (commit c32f859) wrote: the 128x64 and
the 256x256 model with G1, G2, D and, when they are there, the Adam slots, so that
training can continue. Widths and image size are read from the variables.
"""

import dataclasses
import math
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from experiments import config_compatibility, results
from experiments.config import Config
from pg2_jax import train_state
from pg2_jax.architecture import Architecture
from pg2_jax.checkpoint import checkpointer

Variables = Mapping[str, np.ndarray]
Path = tuple[str, ...]

# Present in every checkpoint, used by nothing: the moving averages of the batch norm,
# a counter that is never incremented, and learning rates that reach no optimizer.
_UNUSED = re.compile(
    r"Discriminator\.BN\d+\.moving_(mean|variance)|step|[gd]_lr|beta[12]_power(_[12])?"
)
_SLOTS = ("/Adam", "/Adam_1")  # first and second moment
_PLAYERS = ("coarse", "refine", "discriminator")  # in the order of the beta powers
# TensorFlow multiplies the float32 number, which tells after thousands of updates.
_BETA2 = float(np.float32(0.999))


def import_checkpoint(config: Config) -> None:
    """Writes the checkpoint --tf1_checkpoint into --workdir as a checkpoint of ours."""
    workdir = pathlib.Path(config.workdir)
    if (workdir / "config.json").exists():
        raise ValueError(f"--workdir={config.workdir} already holds a run.")
    variables = read_variables(config.tf1_checkpoint)
    architecture = architecture_of(variables, config.tf1_checkpoint)
    released = released_config(config, architecture)
    state = state_of(variables, architecture, released.learning_rate)
    saver = checkpointer.Checkpointer(config.workdir, released.to_json())
    saver.save(state)
    saver.close()
    stored = {"config": released.to_json(), **results.provenance()}
    results.write_json(workdir / "config.json", stored)
    if not any(name.endswith(_SLOTS) for name in variables):
        print("No Adam slots in the checkpoint: --mode=train would begin at step 0.")
    print(
        f"{config.workdir}: step {int(state.step)} of a {released.image_size} model "
        f"with {released.base_channels} base channels, from {config.tf1_checkpoint}"
    )


def read_variables(prefix: str) -> dict[str, np.ndarray]:
    """All variables of a TensorFlow-1 checkpoint, whose path has no suffix."""
    if not pathlib.Path(f"{prefix}.index").is_file():
        raise ValueError(
            f"--tf1_checkpoint={prefix}: there is no {prefix}.index; give the path "
            "without .index, .meta or .data-..., such as model/model.ckpt-22000."
        )
    # Late: it takes seconds to import.
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(prefix)
        names = reader.get_variable_to_shape_map()
        return {name: reader.get_tensor(name) for name in sorted(names)}
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        raise ValueError(
            f"--tf1_checkpoint={prefix} cannot be read; is its .data file complete? "
            f"{error}"
        ) from error


def architecture_of(variables: Variables, name: str) -> Architecture:
    """The released model that the variables of the named checkpoint belong to."""
    try:
        base_channels = variables["Pose_AE/G/Conv/weights"].shape[-1]
        bottleneck_size, flat = variables["Pose_AE/G/fully_connected_1/weights"].shape
        discriminator = variables["Discriminator.1/Discriminator.1.Filters"].shape[-1]
    except KeyError as error:
        raise ValueError(
            f"--tf1_checkpoint={name} is not of the released code: {error} is missing."
        ) from error
    # G1 has a stem, an output, and per block two encoder and two decoder convolutions,
    # all but one block also a strided and a 1x1 one: 6 N in all.
    of_g1 = re.compile(r"Pose_AE/G/Conv(_\d+)?/weights")
    blocks = sum(bool(of_g1.fullmatch(variable)) for variable in variables) // 6
    height = 8 * 2 ** (blocks - 1)
    width = flat // (8 * base_channels) * 2 ** (blocks - 1)
    architecture = Architecture(
        image_height=height,
        image_width=width,
        base_channels=base_channels,
        bottleneck_size=bottleneck_size,
        discriminator_channels=discriminator,
        refine_decoder="constant",
        refine_full_skip=height == 256,
        discriminator_input="triplet",
        heat_map_range="minus_one_one",
    )
    wanted, there = set(variable_names(architecture).values()), set(variables)
    slots = {variable + slot for variable in wanted for slot in _SLOTS}
    others = sorted(there - wanted - slots)
    unknown = [variable for variable in others if not _UNUSED.fullmatch(variable)]
    missing = sorted((wanted | slots if slots & there else wanted) - there)
    said = f"--tf1_checkpoint={name} does not hold the released model:"
    lines = [f"missing: {variable}" for variable in missing]
    config_compatibility.refuse(said, lines + [f"unknown: {x}" for x in unknown])
    return architecture


def variable_names(architecture: Architecture) -> dict[Path, str]:
    """The authors' variable for each of our weights, by (player, layer, weight)."""
    names: dict[Path, str] = {}

    def add(layer: str, scope: str, **weights: str) -> None:
        for ours, theirs in weights.items():
            names[*layer.split("/"), ours] = scope + theirs

    # G2 halves two times less, and has no 1x1 convolution.
    refine = [
        layer.replace("/convolutions", "")
        for layer in _layers(architecture.blocks - 2)
        if not layer.startswith("narrow")
    ]
    for player, name, layers in (
        ("coarse", "Pose_AE/G/Conv", _layers(architecture.blocks)),
        ("coarse", "Pose_AE/G/fully_connected", ("to_code", "from_code")),
        ("refine", "UAEnoFC/G/Conv", refine),
    ):
        for i, layer in enumerate(layers):
            scope = f"{name}_{i}" if i else name
            add(f"{player}/{layer}", scope, kernel="/weights", bias="/biases")
    for i in range(architecture.blocks - 1):
        scope = f"Discriminator.{i + 1}/Discriminator.{i + 1}"
        add(f"discriminator/conv{i}", scope, kernel=".Filters", bias=".Biases")
        if i:
            scope = f"Discriminator.BN{i + 1}"
            add(f"discriminator/norm{i}", scope, scale=".scale", offset=".offset")
    scope = "Discriminator.Output/Discriminator.Output"
    add("discriminator/logit", scope, kernel=".W", bias=".b")
    return names


def _layers(blocks: int) -> Iterator[str]:
    """G1's convolutions in the order in which the released code makes them."""
    yield "stem"
    for i in range(blocks):
        yield f"encode{i}/convolutions/conv0"
        yield f"encode{i}/convolutions/conv1"
        if i < blocks - 1:
            yield f"halve{i}"
    for i in reversed(range(blocks)):
        yield f"decode{i}/convolutions/conv0"
        yield f"decode{i}/convolutions/conv1"
        if i > 0:
            yield f"narrow{i}"
    yield "rgb"


def released_config(config: Config, architecture: Architecture) -> Config:
    """The released code's config of this model; flags that are given must agree."""
    large = architecture.image_height == 256
    values = dataclasses.asdict(architecture)
    values["image_size"] = f"{values.pop('image_height')}x{values.pop('image_width')}"
    values |= {
        "discriminator_sees_coarse": not large,
        "adversarial_on_source": large,
        "l1_weight": 50.0 if large else 10.0,
        "coarse_steps": 22_000,
        "refine_steps": 58_000 if large else 38_000,
        "learning_rate_decay": "constant",
    }
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    for name, value in values.items():
        given = getattr(config, name)
        if given not in (value, defaults[name]):
            raise ValueError(
                f"--{name}={given} disagrees with --tf1_checkpoint="
                f"{config.tf1_checkpoint}, which has {value}."
            )
    return dataclasses.replace(config, **values)


def state_of(
    variables: Variables, architecture: Architecture, learning_rate: float
) -> train_state.TrainState:
    """The authors' weights and Adam slots as a state that training can resume from."""
    optimizer = train_state.make_optimizer(learning_rate)
    shapes = jax.eval_shape(lambda: train_state.create(architecture, optimizer, 0))
    names = variable_names(architecture)

    def tree(player: str, slot: str = "") -> Any:
        """The weights of a network, or one Adam moment of them, nested as ours."""
        paths = [path for path in names if path[0] == player]
        weights = {path[1:]: variables[names[path] + slot] for path in paths}
        if player == "discriminator":
            # Its rows are (channel, row, column) there, ours channel last.
            logit = weights["logit", "kernel"]
            width = 8 * architecture.image_width // architecture.image_height
            by_place = logit.reshape(-1, 8, width, 1).transpose(1, 2, 0, 3)
            weights["logit", "kernel"] = by_place.reshape(logit.shape)
        nested = flax.traverse_util.unflatten_dict(weights)
        return jax.tree.map(_fitting, nested, getattr(shapes, player).params)

    players = {}
    for index, player in enumerate(_PLAYERS):
        params = tree(player)
        adam, *rest = optimizer.init(params)
        if any(name.endswith(_SLOTS) for name in variables):
            first, second = (tree(player, slot) for slot in _SLOTS)
            count = jnp.asarray(_updates(variables, index), jnp.int32)
            adam = adam._replace(count=count, mu=first, nu=second)
        players[player] = train_state.Player(params, (adam, *rest))
    # Adam's counts of G1 and G2; the variable `step` stays where the run began.
    counts = (players[name].opt_state[0].count for name in ("coarse", "refine"))
    step = jnp.asarray(sum(counts), jnp.int32)
    return train_state.TrainState(step=step, **players)


def _fitting(value: np.ndarray, wanted: jax.ShapeDtypeStruct) -> jax.Array:
    if value.shape != wanted.shape:
        raise ValueError(
            f"--tf1_checkpoint: a variable has shape {value.shape}, the released model "
            f"of this size needs {wanted.shape}."
        )
    return jnp.asarray(value, wanted.dtype)


def _updates(variables: Variables, index: int) -> int:
    """Adam's number of updates, from beta2 to the power of (updates + 1)."""
    power = float(variables[f"beta2_power{f'_{index}' if index else ''}"])
    # Long runs underflow; then the bias correction is 1, whatever the count.
    return round(math.log(max(power, 1e-38)) / math.log(_BETA2)) - 1
