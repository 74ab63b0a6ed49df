"""The config on the command line: parsing, --help, and where compiled programs stay.
Without jax, so that --help and mistakes are answered at once."""

import dataclasses
import os
import pathlib
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence

from absl import flags

from data_prep import flag_fields
from experiments import config_compatibility
from experiments.config import Config
from experiments.options import modes
from pg2_jax.checkpoint import run_folder
from pg2_jax.checkpoint.run_folder import FORMER_NAMES
from pg2_jax.input_pipeline import description

# What is often tried for a flag, and is spelled too differently for absl to find it.
_TRIED = {
    "source_image": ("image", "input", "input_image", "photo", "source_photo"),
    "source_pose": ("joints", "keypoints", "source_joints", "source_keypoints"),
    "pose": ("target_image", "target_pose"),
    "output": ("out_dir", "outdir", "output_dir"),
    "learning_rate": ("lr",),
}
_USAGE = """PG2: pose-guided person image generation (Ma et al., NIPS 2017) in JAX.

  python -m experiments.main --mode=MODE --FLAG=VALUE ...
  python -m experiments.main --mode=MODE --help    shows the flags of a mode

Flags can be in a file, one per line: --flagfile=FILE. Later flags override earlier
ones. The modes, each with an example:
"""


def parse(words: Sequence[str], say: Callable[[str], object] = print) -> Config:
    """The config that the words behind the program, and their flagfiles, say; `say`
    gets a note for each folder that stands for the model in it."""
    try:
        parsed = flag_fields.parse(Config, words, FORMER_NAMES)
    except flags.UnrecognizedFlagError as error:
        meant = [name for name, tried in _TRIED.items() if error.flagname in tried]
        if not meant:
            raise
        raise flags.UnrecognizedFlagError(error.flagname, suggestions=meant) from None
    if parsed.rest:
        raise ValueError(
            f"unexpected argument {parsed.rest[0]!r}; flags begin with --."
        )
    typed = flag_fields.parse(Config, _without_flagfiles(words), FORMER_NAMES).given
    values, mode = parsed.values, parsed.values["mode"]
    for field in dataclasses.fields(Config):
        takers = field.metadata["modes"]
        # The flagfile of a training serves what is done with its run, too.
        refused = typed if "train" in takers else parsed.given
        if field.name in refused and not takes(mode, field):
            raise ValueError(
                f"--{field.name}={values[field.name]} is not for --mode={mode} but for "
                f"--mode={', '.join(takers)}."
            )
    # The files of models in place of the folders that hold nothing else to read.
    of_checkpoint = mode in modes.OF_A_CHECKPOINT and not values["generated_dir"]
    for name in ["init_from", *["workdir"] * of_checkpoint]:
        values[name] = run_folder.model_of(values[name], say)
    return Config(**values)


def takes(mode: str, field: dataclasses.Field) -> bool:
    """Whether a field is a flag of a mode."""
    return not field.metadata["modes"] or mode in field.metadata["modes"]


def _without_flagfiles(words: Sequence[str]) -> list[str]:
    kept, rest = [], iter(words)
    for word in rest:
        if word in ("--flagfile", "-flagfile"):
            next(rest, None)
        elif not word.startswith(("--flagfile=", "-flagfile=")):
            kept.append(word)
    return kept


def check_early(config: Config) -> None:
    """Refuses, with a ValueError, a data set, a run or photos that are not there, and
    settings that are not those of the run: before seconds of importing jax, tensorflow
    and orbax. What only they can tell is left to what does the work."""
    if config.data_dir:
        description.find(config.data_dir)
    if config.mode == "generate":
        for name in ("source_image", "source_pose"):
            path = getattr(config, name)
            if path and not pathlib.Path(path).exists():
                raise ValueError(f"--{name}={path}: there is no such file or folder.")
    if config.mode == "train":
        _check_training(config)
    elif config.mode not in modes.OF_A_CHECKPOINT or config.generated_dir:
        return
    elif config.workdir and not run_folder.is_model(config.workdir):
        run, _ = run_folder.run_of(config.workdir)
        run_folder.check_there(run, "workdir")
        stored = run_folder.newest_config(run)
        if stored is not None and config.mode in ("evaluate", "generate", "demo"):
            config_compatibility.check_networks(stored, config)


def _check_training(config: Config) -> None:
    if run_folder.steps(config.workdir):
        data = description.read(config.data_dir)
        stored = run_folder.newest_config(config.workdir)
        if data is not None:
            config = config.with_size(data.height, data.width)
            config_compatibility.check_unchanged(stored, config, data.metadata)
        return
    if config.coarse_from:
        run_folder.check_there(config.coarse_from, "coarse_from")
    if config.init_from and not run_folder.is_model(config.init_from, "init_from"):
        run_folder.check_there(config.init_from, "init_from")


def help_text(words: Sequence[str]) -> str:
    """The flags of the mode that a command line with --help names, or the modes."""
    parsed = flag_fields.parse(Config, flag_fields.without_help(words), FORMER_NAMES)
    mode = parsed.values["mode"]
    if "mode" not in parsed.given:
        entries = [
            f"  {name:<18}{about.about}\n{_example(about, 20)}"
            for name, about in modes.MODES.items()
        ]
        return "\n\n".join([_USAGE.rstrip(), *entries])
    about = modes.MODES[mode]
    needs = " ".join(f"--{name}" for name in about.needs)
    names = [field.name for field in dataclasses.fields(Config) if takes(mode, field)]
    shown = flag_fields.help_text(Config, set(names) - {"mode"})
    head = f"--mode={mode}: {about.about}."
    return "\n\n".join([head, _example(about, 2), f"Needs {needs}.", shown])


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


def use_precision(precision: str) -> None:
    """Lets "float32_highest" be float32 in what jax compiles from now on: an NVIDIA GPU
    multiplies float32 in TF32 (10 bits of precision) otherwise, a TPU in bfloat16."""
    if precision == "float32_highest":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")


def use_compilation_cache(folder: str) -> None:
    """Keeps what jax compiles from now on, and takes what is kept. "default" is the
    folder of `JAX_COMPILATION_CACHE_DIR`, or else pg2_jax/xla in the user's cache
    folder; empty means none. A run does not fail for a cache that cannot be written."""
    import jax

    from pg2_jax import downloads

    if folder == "default":
        configured = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
        folder = configured or str(downloads.cache_folder() / "xla")
    if folder:
        try:
            os.makedirs(folder, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            print(
                f"--compilation_cache_dir={folder}: {error.strerror}; programs are "
                "compiled at every start.",
                file=sys.stderr,
            )
            folder = ""
    jax.config.update("jax_compilation_cache_dir", folder or None)
