"""The config's fields as flags: definition, parsing, and --help.

No jax here: `--help` and mistakes in flags must be answered at once.
"""

import dataclasses
import os
import textwrap
from collections.abc import Callable
from typing import Any

from absl import flags

from experiments.config import Config

_DEFINE: dict[type, Callable] = {
    str: flags.DEFINE_string,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_boolean,
}

# Flagfiles of version 0.1.0 stay valid.
_FORMER_NAMES = {
    "critic_input": "discriminator_input",
    "critic_sees_coarse": "discriminator_sees_coarse",
}


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Registers one flag per field, so that flags and config cannot drift apart."""
    for field in dataclasses.fields(Config):
        text, choices = field.metadata["help"], field.metadata["choices"]
        if choices:
            flags.DEFINE_enum(
                field.name, str(field.default), choices, text, flag_values=flag_values
            )
        else:
            define = _DEFINE[type(field.default)]
            define(field.name, field.default, text, flag_values=flag_values)
    for former, name in _FORMER_NAMES.items():
        flags.DEFINE_alias(former, name, flag_values=flag_values)


def from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> Config:
    """The config that the command line and its flagfiles say."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Config):
        value: Any = flag_values[field.name].value
        expand = os.path.expanduser if field.metadata["path"] else lambda x: x
        values[field.name] = expand(value)
    return Config(**values)


def help_text() -> str:
    """Our flags by group, each with its default and what it means."""
    lines, group = [], None
    for field in dataclasses.fields(Config):
        if field.metadata["group"] != group:
            group = field.metadata["group"]
            lines.append(f"\n{group}:")
        default = str(field.default).lower() if field.type is bool else field.default
        choices = "|".join(field.metadata["choices"])
        values = f" ({choices})" if choices else ""
        lines.append(f"  --{field.name}={default}{values}")
        text = textwrap.fill(field.metadata["help"], 78)
        lines.append(textwrap.indent(text, " " * 6))
    return "\n".join(lines)
