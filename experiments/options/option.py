"""What a setting knows of itself: its default, its help and its rules."""

import dataclasses
from typing import Any


def option(
    default: Any,
    text: str,
    choices: tuple[str, ...] = (),
    *,
    group: str,
    modes: tuple[str, ...] = (),
    minimum: float | None = None,
    above: float | None = None,
    path: bool = False,
    may_change: bool = False,
) -> Any:
    """A config field that is also a flag.

    Args:
        default: of the flag; its type is the flag's.
        text: for --help.
        choices: the values there are, if they can be listed.
        group: the heading in --help.
        modes: those that know this flag; empty for all. Elsewhere it is refused.
        minimum: the smallest value.
        above: what every value must exceed.
        path: whether a `~` at the beginning is the home folder.
        may_change: whether a run may go on with another value than it began with.
    """
    metadata = {
        "help": text,
        "choices": choices,
        "group": group,
        "modes": modes,
        "minimum": minimum,
        "above": above,
        "path": path,
        "may_change": may_change,
    }
    return dataclasses.field(default=default, metadata=metadata)
