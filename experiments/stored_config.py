"""How a config compares with the one that a run or a checkpoint has stored."""

import dataclasses
from typing import Any

from experiments.config import Config

# What may change while a run goes on; the cosine also depends on the number of steps.
_FREE_GROUPS = ("Reporting", "Other modes")
_FREE = ("mode", "workdir", "data_dir", "coarse_from")
# What G1 does not notice in stage I.
_STAGE_TWO = (
    "stages",
    "refine_steps",
    "refine_decoder",
    "refine_full_skip",
    "refine_sees_pose",
    "refine_output",
    "critic_input",
    "critic_sees_coarse",
    "adversarial_on_source",
    "discriminator_channels",
    "l1_weight",
)


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
    free = _FREE if config.learning_rate_decay == "cosine" else (*_FREE, "refine_steps")
    free = (*free, *_STAGE_TWO) if stage_one_only else free
    for field in dataclasses.fields(config):
        if field.name in free or field.metadata["group"] in _FREE_GROUPS:
            continue
        old = stored.get(field.name, field.default)
        new = getattr(config, field.name)
        if old != new:
            lines.append(f"--{field.name}: {old!r} in the run, {new!r} now")
    return lines


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
