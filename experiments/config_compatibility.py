"""How a config compares with the one that a run or a checkpoint has stored.

A stored config is `Config.to_json()` of its run; what it lacks has its default, but for
how it reads: before there was a choice, one reader of tf_data read all files.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from experiments.config import Config
from pg2_jax.input_pipeline import reader_choice

Stored = dict[str, Any]

_READING: Stored = {"reader": "tf_data", "virtual_readers": 1}
# With these a run goes on as it began.
_AS_IT_BEGAN: Stored = {"reader": "auto", "virtual_readers": 0}
RESUME = "\nUse its values to resume it, or another workdir."


def newest(config: Config) -> tuple[int, Stored] | None:
    """Step and config of a run's newest checkpoint, None where there is none."""
    # Late: mistakes in flags are answered without jax.
    from pg2_jax.checkpoint import restore

    try:
        return restore.latest_config(config.workdir)
    except ValueError:
        return None


def with_reader(config: Config, stored: Stored | None = None) -> Config:
    """The config with the reader that --reader=auto means, and the number that
    --virtual_readers=0 does: those of the run with a stored config, or in --workdir.
    Where there is none the number stays 0, until the data set is open."""
    if stored is None:
        run = newest(config)
        stored = run[1] if run else _AS_IT_BEGAN
    begun = _READING | stored
    reader = reader_choice.choose(config.reader, begun["reader"])
    number = config.virtual_readers
    if number and reader != "tf_data":
        raise ValueError(
            f"--virtual_readers={number} is for --reader=tf_data; the reader of this "
            f"run is {reader}."
        )
    if reader == "tf_data":
        number = number or begun["virtual_readers"]
    return dataclasses.replace(config, reader=reader, virtual_readers=number)


def differences(
    stored: Stored, config: Config, *, stage_one_only: bool = False
) -> list[str]:
    """How a run's config differs from the stored one in what may not change, a line
    for each field; `stage_one_only` for what the training of G1 in stage I needs."""
    # A cosine depends on the number of steps.
    free = set() if config.learning_rate_decay == "cosine" else {"refine_steps"}
    if stage_one_only:
        fields = dataclasses.fields(config)
        free |= {field.name for field in fields if not field.metadata["stage_one"]}
        free.update(_READING)
        if config.coarse_network == "bottleneck":
            free |= {"refine_decoder", "refine_full_skip"}
    return [
        f"--{field.name}: {old!r} in the run, {new!r} now"
        for field, old, new in _changed(stored, config)
        if field.name not in free and not field.metadata["may_change"]
    ]


def _changed(
    stored: Stored, config: Config
) -> Iterator[tuple[dataclasses.Field, Any, Any]]:
    """The fields whose values differ, with the stored value and the config's."""
    for field in dataclasses.fields(config):
        default = _READING.get(field.name, field.default)
        old, new = stored.get(field.name, default), getattr(config, field.name)
        agreeing = field.name in _READING and _AS_IT_BEGAN[field.name] in (old, new)
        if old != new and not agreeing:
            yield field, old, new


def check_init_from(stored: Stored, config: Config) -> None:
    """Refuses to begin with the networks of a run, --init_from, that has others."""
    lines = [
        f"--{field.name}: {old!r} there, {new!r} here"
        for field, old, new in _changed(stored, config)
        if field.metadata["group"] == "Networks"
    ]
    refuse(f"--init_from={config.init_from} holds other networks:", lines)


def check_networks(stored: Stored, config: Config) -> None:
    """Refuses a config that describes other networks than a checkpoint holds; values at
    their defaults say nothing and agree with everything."""
    for field, had, given in _changed(stored, config):
        if field.metadata["group"] == "Networks" and given != field.default:
            raise ValueError(
                f"--{field.name}={given} disagrees with the checkpoint in "
                f"--workdir={config.workdir}, which has {had}."
            )


def check_unchanged(stored: Stored | None, config: Config, data: Stored) -> None:
    """Refuses to resume from a checkpoint of another config or of another data set than
    the one with this metadata; `stored` is None where there is no checkpoint."""
    if stored is None:
        return
    changed = differences(stored, config) + _other_data(stored, data)
    said = f"--workdir={config.workdir} holds a run with another config:"
    refuse(said, changed, RESUME)


def check_stage_one(step: int, stored: Stored, config: Config, data: Stored) -> None:
    """Checks that the run --coarse_from, whose newest checkpoint has this step and
    config, has trained the stage I that a new run wants."""
    changed = differences(stored, config, stage_one_only=True)
    changed += _other_data(stored, data)
    against_d = {"one_stage": "G1", "one_network": "it"}
    if trained := against_d.get(stored.get("stages", "")):
        changed.append(f"--stages: {stored['stages']} trains {trained} against D")
    if step < config.coarse_steps:
        changed.append(f"step {step} of {config.coarse_steps}: stage I is not finished")
    said = f"--coarse_from={config.coarse_from} is not the stage I of this run:"
    refuse(said, changed)


def refuse(said: str, reasons: list[str], advice: str = "") -> None:
    """Raises a ValueError with a line for each of the reasons, if there are any."""
    if reasons:
        raise ValueError("\n  ".join([said, *reasons]) + advice)


def _other_data(stored: Stored, data: Stored) -> list[str]:
    if stored.get("data", data) == data:
        return []
    return [f"--data_dir: another data set than {stored['data_dir']} was"]
