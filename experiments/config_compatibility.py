"""How a config compares with the one that a run or a checkpoint has stored."""

import dataclasses
from typing import Any

from experiments.config import Config
from pg2_jax.checkpoint import restore

# What G1 does not notice in stage I.
_STAGE_TWO = (
    "stages",
    "coarse_from",
    "refine_steps",
    "refine_sees_pose",
    "refine_output",
    "discriminator_input",
    "discriminator_sees_coarse",
    "adversarial_on_source",
    "discriminator_channels",
    "l1_weight",
    "eval_pairs",
    "best_metric",
)


def newest(config: Config) -> tuple[int, dict[str, Any]] | None:
    """Step and config of a run's newest checkpoint, None where there is none."""
    try:
        return restore.latest_config(config.workdir)
    except ValueError:
        return None


def differences(
    stored: dict[str, Any], config: Config, *, stage_one_only: bool = False
) -> list[str]:
    """How a run's config differs from the stored one in what may not change.

    Args:
        stored: `Config.to_json()` of the run that is to go on; a field that is younger
            has its default.
        config: the new config.
        stage_one_only: compares what the training of G1 in stage I depends on.

    Returns:
        One line for each field: name, stored value, new value.
    """
    lines = []
    # A cosine depends on the number of steps.
    free: tuple[str, ...] = (
        () if config.learning_rate_decay == "cosine" else ("refine_steps",)
    )
    if stage_one_only:
        free = (*free, *_STAGE_TWO)
        if config.coarse_network == "bottleneck":
            free = (*free, "refine_decoder", "refine_full_skip")
    for field in dataclasses.fields(config):
        if field.name in free or field.metadata["may_change"]:
            continue
        old = stored.get(field.name, field.default)
        new = getattr(config, field.name)
        if old != new:
            lines.append(f"--{field.name}: {old!r} in the run, {new!r} now")
    return lines


def check_init_from(stored: dict[str, Any], config: Config) -> None:
    """Refuses to begin with the networks of a run that has others.

    Args:
        stored: `Config.to_json()` of the run --init_from.
        config: of the new run, with the size of its data.

    Raises:
        ValueError: naming the flags and both values.
    """
    lines = []
    for field in dataclasses.fields(config):
        if field.metadata["group"] == "Networks":
            had = stored.get(field.name, field.default)
            now = getattr(config, field.name)
            if had != now:
                lines.append(f"--{field.name}: {had!r} there, {now!r} here")
    if lines:
        raise ValueError(
            f"--init_from={config.init_from} holds other networks:\n  "
            + "\n  ".join(lines)
        )


def check_networks(stored: dict[str, Any], config: Config) -> None:
    """Refuses flags that describe other networks than a checkpoint holds.

    Args:
        stored: `Config.to_json()` of the checkpoint.
        config: flags at their defaults say nothing and agree with everything.

    Raises:
        ValueError: naming the flag and both values.
    """
    for field in dataclasses.fields(config):
        given = getattr(config, field.name)
        had = stored.get(field.name, field.default)
        if field.metadata["group"] == "Networks" and given not in (field.default, had):
            raise ValueError(
                f"--{field.name}={given} disagrees with the checkpoint in "
                f"--workdir={config.workdir}, which has {had}."
            )


def check_unchanged(
    stored: dict[str, Any] | None, config: Config, data: dict[str, Any]
) -> None:
    """Refuses to go on from a checkpoint of another config or another data set.

    Args:
        stored: config of the newest checkpoint, None if there is none.
        config: of the run that is to go on.
        data: metadata of the data set that it is to be trained on.

    Raises:
        ValueError: naming the workdir, and what differs.
    """
    if stored is None:
        return
    changed = differences(stored, config) + _other_data(stored, data)
    if changed:
        raise ValueError(
            f"--workdir={config.workdir} holds a run with another config:\n  "
            + "\n  ".join(changed)
            + "\nUse its values to go on, or another workdir."
        )


def check_stage_one(
    step: int, stored: dict[str, Any], config: Config, data: dict[str, Any]
) -> None:
    """Checks that the run --coarse_from has trained the stage I that a config wants.

    Args:
        step: of that run's newest checkpoint.
        stored: config of that checkpoint.
        config: of the run that is to begin.
        data: metadata of its data set.

    Raises:
        ValueError: that run is another in what stage I depends on, or not so far.
    """
    changed = differences(stored, config, stage_one_only=True)
    changed += _other_data(stored, data)
    if stored.get("stages") == "one_stage":
        changed.append("--stages: one_stage trains G1 against D")
    if step < config.coarse_steps:
        changed.append(f"step {step} of {config.coarse_steps}: stage I is not finished")
    if changed:
        raise ValueError(
            f"--coarse_from={config.coarse_from} is not the stage I of this run:\n  "
            + "\n  ".join(changed)
        )


def _other_data(stored: dict[str, Any], data: dict[str, Any]) -> list[str]:
    if stored.get("data", data) == data:
        return []
    return [f"--data_dir: another data set than {stored['data_dir']} was"]
