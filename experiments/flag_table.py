"""python -m experiments.flag_table > docs/flags.md: every flag of the config.

The page of the documentation is this output; a test holds it to that.
"""

import dataclasses
import itertools

from experiments.config import Config

_HEAD = """# Flags of `python -m experiments.main`

Made by `python -m experiments.flag_table > docs/flags.md`. Flags may stand in a file,
one a line: `--flagfile=FILE`; later flags win. A flag marked ↻ may have another value
when a run goes on than when it began. A flag with modes in brackets is refused in
other modes."""


def markdown() -> str:
    """A heading and a table for each group of options."""
    parts = [_HEAD]
    by_group = itertools.groupby(
        dataclasses.fields(Config), lambda field: field.metadata["group"]
    )
    for group, fields in by_group:
        rows = "\n".join(_row(field) for field in fields)
        parts.append(
            f"## {group}\n\n| flag | default | meaning |\n|---|---|---|\n{rows}"
        )
    return "\n\n".join(parts) + "\n"


def _row(field: dataclasses.Field) -> str:
    rules = field.metadata
    mark = " ↻" if rules["may_change"] else ""
    default = str(field.default).lower() if field.type is bool else str(field.default)
    meaning = rules["help"]
    if rules["choices"]:
        meaning += f" One of {', '.join(f'`{choice}`' for choice in rules['choices'])}."
    if rules["modes"]:
        meaning += f" ({', '.join(rules['modes'])})"
    shown = f"`{default}`" if default else "-"
    cells = (f"`--{field.name}`{mark}", shown, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(markdown(), end="")
