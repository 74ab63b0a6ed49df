"""python -m experiments.flag_table > docs/flags.md: the modes and their flags."""

import dataclasses
import itertools

from data_prep import flag_fields
from experiments.config import Config
from experiments.options import modes

_HEAD = """# Flags of `python -m experiments.main`

Made by `python -m experiments.flag_table > docs/flags.md`. `--mode=MODE --help` shows
the same for one mode. Flags can be in a file, one per line: `--flagfile=FILE`; later
flags override earlier ones. A mode refuses the flags of other modes, but it accepts the
flagfile of the training of its run. A flag marked ↻ may change when a run resumes."""

_Row = tuple[str, ...]


def markdown() -> str:
    """A table of the modes, and one of each group of flags."""
    rows: list[_Row] = [
        (f"`{name}`", mode.about, ", ".join(f"`--{flag}`" for flag in mode.needs))
        for name, mode in modes.MODES.items()
    ]
    parts = [_HEAD, _table("Modes", ("mode", "what it does", "needs"), rows)]
    texts = flag_fields.explanations(Config)
    by_group = itertools.groupby(
        dataclasses.fields(Config), lambda field: field.metadata["group"]
    )
    for group, fields in by_group:
        rows = []
        for field in fields:
            rules, meaning = field.metadata, texts[field.name]
            if rules["choices"]:
                meaning += f" One of {', '.join(f'`{x}`' for x in rules['choices'])}."
            name = f"`--{field.name}`{' ↻' if rules['may_change'] else ''}"
            default = flag_fields.default_text(field)
            default = f"`{default}`" if default else "-"
            rows.append((name, default, ", ".join(rules["modes"]) or "all", meaning))
        parts.append(_table(group, ("flag", "default", "modes", "meaning"), rows))
    return "\n\n".join(parts) + "\n"


def _table(title: str, names: _Row, rows: list[_Row]) -> str:
    lines = [names, ("---",) * len(names), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join([f"## {title}\n", *(f"| {' | '.join(line)} |" for line in cells)])


if __name__ == "__main__":
    print(markdown(), end="")
