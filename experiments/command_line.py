"""The config on the command line: parsing, --help, and where compiled programs stay.

No jax here: `--help` and mistakes in flags must be answered at once.
"""

import dataclasses
import os
import sys
import textwrap
from collections.abc import Sequence

from data_prep import flag_fields
from experiments.config import Config
from experiments.options import modes
from pg2_jax import downloads

# Flagfiles of version 0.1.0 stay valid.
_FORMER_NAMES = {
    "critic_input": "discriminator_input",
    "critic_sees_coarse": "discriminator_sees_coarse",
}
_USAGE = """PG2: pose-guided person image generation (Ma et al., NIPS 2017) in JAX.

  python -m experiments.main --mode=MODE --FLAG=VALUE ...
  python -m experiments.main --mode=MODE --help    shows the flags of a mode

Flags may stand in a file, one a line: --flagfile=FILE. Later flags win. The modes, each
with an example:
"""


def parse(words: Sequence[str]) -> Config:
    """The config that the command line and its flagfiles say.

    Args:
        words: of the command line, without the program.

    Raises:
        flags.Error: an unknown flag, or a value of another type.
        ValueError: a flag of another mode, or values that do not go together.
    """
    parsed = flag_fields.parse(Config, words, _FORMER_NAMES)
    if parsed.rest:
        raise ValueError(
            f"unexpected argument {parsed.rest[0]!r}; flags begin with --."
        )
    typed = flag_fields.parse(Config, _without_flagfiles(words), _FORMER_NAMES).given
    mode = parsed.values["mode"]
    for field in dataclasses.fields(Config):
        takers = field.metadata["modes"]
        if _takes(mode, field):
            continue
        # The flagfile of a training serves what is done with its run, too.
        if field.name in typed or (
            field.name in parsed.given and "train" not in takers
        ):
            raise ValueError(
                f"--{field.name}={parsed.values[field.name]} is not for --mode={mode} "
                f"but for --mode={', '.join(takers)}."
            )
    return Config(**parsed.values)


def _takes(mode: str, field: dataclasses.Field) -> bool:
    return not field.metadata["modes"] or mode in field.metadata["modes"]


def _without_flagfiles(words: Sequence[str]) -> list[str]:
    kept, rest = [], iter(words)
    for word in rest:
        if word in ("--flagfile", "-flagfile"):
            next(rest, None)
        elif not word.startswith(("--flagfile=", "-flagfile=")):
            kept.append(word)
    return kept


def help_text(words: Sequence[str]) -> str:
    """What a command line with --help is answered: the flags of its mode, or, where it
    names none, the modes."""
    parsed = flag_fields.parse(Config, flag_fields.without_help(words), _FORMER_NAMES)
    mode = parsed.values["mode"]
    if "mode" not in parsed.given:
        entries = [_entry(name, about) for name, about in modes.MODES.items()]
        return "\n\n".join([_USAGE.rstrip(), *entries])
    about = modes.MODES[mode]
    needs = " ".join(f"--{name}" for name in about.needs)
    flags = [field.name for field in dataclasses.fields(Config) if _takes(mode, field)]
    flags.remove("mode")
    return (
        f"--mode={mode}: {about.about}.\n\n{_example(about, 2)}\n\nNeeds {needs}.\n\n"
        + flag_fields.help_text(Config, flags)
    )


def _entry(name: str, mode: modes.Mode) -> str:
    return f"  {name:<18}{mode.about}\n{_example(mode, 20)}"


def _example(mode: modes.Mode, indent: int) -> str:
    margin = " " * indent
    return textwrap.fill(
        f"python -m experiments.main {mode.example}",
        width=88,
        initial_indent=margin,
        subsequent_indent=margin + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\n", " \\\n")


def use_compilation_cache(folder: str) -> None:
    """Keeps what jax compiles from now on, and takes what is kept.

    A run does not fail for its cache: where the folder cannot be written, this is
    said, and every start compiles.

    Args:
        folder: "default" for the one that jax is configured to use
            (`JAX_COMPILATION_CACHE_DIR`), or else pg2_jax/xla in the user's cache
            folder; empty for none.
    """
    import jax  # late: `--help` and mistakes in flags are answered without it

    if folder == "default":
        configured = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
        folder = configured or str(downloads.cache_folder() / "xla")
    if folder:
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            folder = _without(folder, error.strerror)
        else:
            if not os.access(folder, os.W_OK | os.X_OK):
                folder = _without(folder, "it cannot be written")
    jax.config.update("jax_compilation_cache_dir", folder or None)


def _without(folder: str, reason: str | None) -> str:
    print(
        f"--compilation_cache_dir={folder}: {reason}; programs are compiled at every "
        "start.",
        file=sys.stderr,
    )
    return ""
