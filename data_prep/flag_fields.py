"""Flags that are the fields of a dataclass: default, help and rules in one place.

No jax here: `--help` and mistakes in flags are answered at once.
"""

import ast
import dataclasses
import inspect
import itertools
import os
import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags

_DEFINE: dict[Any, Any] = {
    str: flags.DEFINE_string,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_boolean,
    int | None: flags.DEFINE_integer,
    Sequence[str]: flags.DEFINE_list,
}
_HELP = ("--help", "-help", "-h", "-?", "--helpshort", "--helpfull")


def option(
    default: Any,
    choices: tuple[str, ...] = (),
    *,
    group: str = "Flags",
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    path: bool = False,
    required: bool = False,
    needs: tuple[str, ...] = (),
    not_with: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    """A field that is also a flag; the string below it is its help.

    Args:
        choices: the values there are, if they can be listed.
        group: the heading in --help.
        minimum: the smallest value.
        maximum: the largest value.
        above: what every value must exceed.
        below: what no value may reach.
        path: whether a `~` at the beginning is the home folder.
        required: whether the program cannot do without a value.
        needs: flags without which it has no meaning, as "name" or "name=value".
        not_with: flags beside which it has no meaning.
        more: what else a program wants to know of its fields.
    """
    bounds = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    rules = {"choices": choices, "group": group, "path": path}
    company = {"required": required, "needs": needs, "not_with": not_with}
    metadata = {**rules, **bounds, **company, **more}
    return dataclasses.field(default=default, metadata=metadata)


class Parsed(NamedTuple):
    """What a command line says.

    Attributes:
        values: of every field, by name.
        given: names of the flags that the command line or a flagfile holds.
        rest: words that are no flags.
    """

    values: dict[str, Any]
    given: set[str]
    rest: list[str]


def parse(
    options: Any, words: Sequence[str], aliases: Mapping[str, str] | None = None
) -> Parsed:
    """Reads the flags of a dataclass.

    Args:
        options: the dataclass.
        words: of the command line, without the program.
        aliases: former name -> name; not in --help.

    Raises:
        flags.Error: an unknown flag, or a value of another type.
    """
    values = flags.FlagValues()
    for field in dataclasses.fields(options):
        choices = field.metadata["choices"]
        if choices:
            default: Any = field.default
            flags.DEFINE_enum(field.name, default, choices, "", values)
        else:
            define = _DEFINE[field.type]
            define(field.name, field.default, "", flag_values=values)
    for former, name in (aliases or {}).items():
        flags.DEFINE_alias(former, name, flag_values=values)
    _, *rest = values(["program", *words])
    fields = {field.name: field for field in dataclasses.fields(options)}
    return Parsed(
        {name: _expand(field, values[name].value) for name, field in fields.items()},
        {name for name in fields if values[name].present},
        rest,
    )


def _expand(field: dataclasses.Field, value: Any) -> Any:
    """Replaces a leading `~`, which the shell leaves alone behind `--name=`."""
    if not field.metadata["path"]:
        return value
    if isinstance(value, str):
        return os.path.expanduser(value)
    return [os.path.expanduser(path) for path in value]


def check(options: Any) -> None:
    """Checks each field of an instance on its own.

    Raises:
        ValueError: it is required, or breaks a bound.
    """
    for field in dataclasses.fields(options):
        rules, value = field.metadata, getattr(options, field.name)
        if value is None:
            continue
        if rules["choices"] and value not in rules["choices"]:
            raise _broken(field, value, f"one of {', '.join(rules['choices'])}")
        if rules["minimum"] is not None and value < rules["minimum"]:
            raise _broken(field, value, f"at least {rules['minimum']}")
        if rules["maximum"] is not None and value > rules["maximum"]:
            raise _broken(field, value, f"at most {rules['maximum']}")
        if rules["above"] is not None and value <= rules["above"]:
            raise _broken(field, value, f"above {rules['above']}")
        if rules["below"] is not None and value >= rules["below"]:
            raise _broken(field, value, f"below {rules['below']}")
    for field in dataclasses.fields(options):
        if field.metadata["required"] and not getattr(options, field.name):
            raise ValueError(f"--{field.name} is required.")


def check_together(options: Any) -> None:
    """Checks that an instance has no field that its other fields make meaningless."""
    defaults = {field.name: field.default for field in dataclasses.fields(options)}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value == field.default:
            continue
        for needed in field.metadata["needs"]:
            name, _, wanted = needed.partition("=")
            there = getattr(options, name)
            if not there or (wanted and there != wanted):
                raise ValueError(f"--{field.name}={value} needs --{needed}.")
        for name in field.metadata["not_with"]:
            if getattr(options, name) != defaults[name]:
                raise ValueError(
                    f"--{field.name}={value} has no meaning with --{name}."
                )


def _broken(field: dataclasses.Field, value: Any, rule: str) -> ValueError:
    return ValueError(f"--{field.name}={value} must be {rule}.")


def message(error: flags.Error) -> str:
    """What absl says of a flag, without its own word at the beginning, and in words for
    people who do not program."""
    text = str(error).removeprefix("ERROR:: ")
    text = re.sub(r"invalid literal for int\(\).*", "must be a whole number", text)
    return re.sub(r"could not convert string to float.*", "must be a number", text)


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether a command line holds --help."""
    return any(word in _HELP for word in words)


def without_help(words: Sequence[str]) -> list[str]:
    """The rest of a command line that asks for help."""
    return [word for word in words if word not in _HELP]


def help_text(options: Any, names: Collection[str] | None = None) -> str:
    """Flags by group, each with its default and what it means.

    Args:
        options: the dataclass.
        names: of the fields to show; None for all.
    """
    texts = explanations(options)
    groups: dict[str, list[str]] = {}
    for field in dataclasses.fields(options):
        if names is not None and field.name not in names:
            continue
        rules = field.metadata
        line = f"  --{field.name}={default_text(field)}"
        if rules["choices"]:
            line += f" ({'|'.join(rules['choices'])})"
        if rules["required"]:
            line += " (required)"
        if rules["needs"]:
            line += f" (needs --{', --'.join(rules['needs'])})"
        text = textwrap.indent(textwrap.fill(texts[field.name], 78), " " * 6)
        groups.setdefault(rules["group"], []).append(f"{line}\n{text}")
    return "\n\n".join("\n".join([f"{g}:", *ls]) for g, ls in groups.items())


def explanations(options: type) -> dict[str, str]:
    """The strings below the fields of a dataclass, and of its bases, by field."""
    texts = {}
    for owner in options.__mro__[:-1]:
        (tree,) = ast.parse(inspect.getsource(owner)).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in itertools.pairwise(tree.body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    texts[name] = " ".join(text.split())
    return texts


def default_text(field: dataclasses.Field) -> str:
    """A field's default as it is written on a command line; empty for none."""
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return "" if field.default in (None, ()) else str(field.default)
