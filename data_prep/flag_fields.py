"""Flags that are the fields of a dataclass: default, help and rules in one place.

No jax here: `--help` and mistakes in flags are answered at once.
"""

import ast
import dataclasses
import inspect
import itertools
import operator
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
_BOUNDS = {
    "minimum": (operator.ge, "at least"),
    "maximum": (operator.le, "at most"),
    "above": (operator.gt, "above"),
    "below": (operator.lt, "below"),
}
_HELP = ("--help", "-help", "-h", "-?", "--helpshort", "--helpfull")


def option(
    default: Any, choices: tuple[str, ...] = (), group: str = "Flags", **rules: Any
) -> Any:
    """A field that is also a flag, in a group of --help; the string below it explains
    it. The rules are a `minimum`, `maximum`, `above` or `below`; whether it is
    `required`; and whether it is a `path`, in which a `~` at the beginning is the home
    folder, and an address, such as gs://BUCKET, is refused unless it begins with one of
    `addresses`. Without the flags `needs`, each "name", "name=value" or
    "name=one|other", it has no meaning, and none beside those of `not_with`. Others are
    what a program wants to know of its fields."""
    metadata = {"choices": choices, "group": group, **rules}
    return dataclasses.field(default=default, metadata=metadata)


class Parsed(NamedTuple):
    values: dict[str, Any]  # of every field, by its name
    given: set[str]  # the fields that it or a flagfile holds
    rest: list[str]  # the words that are no flags


def parse(
    options: Any, words: Sequence[str], aliases: Mapping[str, str] | None = None
) -> Parsed:
    """Reads the flags of a dataclass; `words` are without the program, `aliases` are
    former name -> name. Raises flags.Error: an unknown flag, or another type."""
    values = flags.FlagValues()
    fields = {field.name: field for field in dataclasses.fields(options)}
    for name, field in fields.items():
        default: Any = field.default
        if field.metadata["choices"]:
            flags.DEFINE_enum(name, default, field.metadata["choices"], "", values)
        else:
            _DEFINE[field.type](name, default, "", flag_values=values)
    for former, name in (aliases or {}).items():
        flags.DEFINE_alias(former, name, flag_values=values)
    _, *rest = values(["program", *words])
    return Parsed(
        {name: _value(field, values[name].value) for name, field in fields.items()},
        {name for name in fields if values[name].present},
        rest,
    )


def _value(field: dataclasses.Field, value: Any) -> Any:
    # The shell leaves a `~` behind `--name=` alone.
    if isinstance(value, list):
        return tuple(_value(field, part) for part in value)
    return os.path.expanduser(value) if field.metadata.get("path") else value


def check(options: Any) -> None:
    """Refuses an instance of which a field breaks a rule of its own."""
    for field in dataclasses.fields(options):
        rules, value = field.metadata, getattr(options, field.name)
        if value is None:
            continue
        given = f"--{field.name}={value}"
        if rules.get("path"):
            for path in [value] if isinstance(value, str) else value:
                _check_is_path(field, path)
        if rules["choices"] and value not in rules["choices"]:
            raise ValueError(f"{given} must be one of {', '.join(rules['choices'])}.")
        for name, (holds, words) in _BOUNDS.items():
            if name in rules and not holds(value, rules[name]):
                raise ValueError(f"{given} must be {words} {rules[name]}.")
    for field in dataclasses.fields(options):
        if field.metadata.get("required") and not getattr(options, field.name):
            raise ValueError(f"--{field.name} is required.")


def _check_is_path(field: dataclasses.Field, path: str) -> None:
    # Python would make the folder ./gs: of gs://BUCKET.
    address = re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path)
    if address and address[0] not in field.metadata.get("addresses", ()):
        raise ValueError(
            f"--{field.name}={path} is an address; it must be on a disk of this "
            "machine: copy it here, or mount it."
        )


def check_together(options: Any) -> None:
    """Refuses an instance of which a field has no meaning with its other fields."""
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value == field.default:
            continue
        given = f"--{field.name}={value}"
        for needed in field.metadata.get("needs", ()):
            name, _, wanted = needed.partition("=")
            there = getattr(options, name)
            if not there or (wanted and there not in wanted.split("|")):
                raise ValueError(f"{given} needs --{needed}.")
        for name in field.metadata.get("not_with", ()):
            if getattr(options, name) != getattr(type(options), name):
                raise ValueError(f"{given} has no meaning with --{name}.")


def message(error: flags.Error) -> str:
    """What absl says of a flag, in words for people who do not program."""
    text = str(error).removeprefix("ERROR:: ")
    text = re.sub(r"\('Non-boolean argument.*", "must be true or false", text)
    text = re.sub(r"invalid literal for int\(\).*", "must be a whole number", text)
    return re.sub(r"could not convert string to float.*", "must be a number", text)


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether a command line holds --help."""
    return any(word in _HELP for word in words)


def without_help(words: Sequence[str]) -> list[str]:
    """The rest of a command line that asks for help."""
    return [word for word in words if word not in _HELP]


def help_text(options: Any, names: Collection[str] | None = None) -> str:
    """Flags by group, with default and meaning; those of `names`, or all."""
    texts = explanations(options)
    groups: dict[str, list[str]] = {}
    for field in dataclasses.fields(options):
        if names is not None and field.name not in names:
            continue
        rules = field.metadata
        line = f"  --{field.name}={default_text(field)}"
        if rules["choices"]:
            line += f" ({'|'.join(rules['choices'])})"
        if rules.get("required"):
            line += " (required)"
        if needs := rules.get("needs"):
            line += f" (needs --{', --'.join(needs)})"
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
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                text = ast.literal_eval(below.value)
                texts[ast.unparse(field.target)] = " ".join(text.split())
    return texts


def names(options: Any) -> dict[str, str]:
    """The flags of options, by the arguments of the library of the same name."""
    return {field.name: field.name for field in dataclasses.fields(options)}


def default_text(field: dataclasses.Field) -> str:
    """A field's default as it is written on a command line; empty for none."""
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return "" if field.default in (None, ()) else str(field.default)
