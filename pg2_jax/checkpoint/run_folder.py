"""What the folder of a run says without jax, so that mistakes are answered at once."""

import difflib
import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from pg2_jax import errors
from pg2_jax.input_pipeline import cloud_files

# What this code writes into a checkpoint, and the newest that it reads. It grows when
# code of an older release would read a checkpoint and generate something else from it.
FORMAT = 1
# orbax' item of a checkpoint that holds its config.
CONFIG = "config"
# What flagfiles, checkpoints and exported files of version 0.1.0 call D's settings.
FORMER_NAMES = {
    "critic_input": "discriminator_input",
    "critic_sees_coarse": "discriminator_sees_coarse",
}
# Formats of exported models, which are their suffixes.
FORMATS = ("safetensors", "jax_export", "onnx")
HUB = "hf://"  # begins the address of one on the Hugging Face Hub
_EXPORTED = (
    "Such files are for evaluate, generate, demo, export, init_from and "
    "pg2_jax.PoseTransfer"
)


def is_model(path: str, argument: str = "workdir") -> bool:
    """Whether it is no run, but a model in one file: here, in cloud storage or on the
    Hub. A run in cloud storage is a ValueError that names the argument."""
    if not cloud_files.is_address(path):
        return path.startswith(HUB) or pathlib.Path(path).expanduser().is_file()
    if pathlib.PurePath(path).suffix[1:] not in FORMATS:
        rule = (
            f" must be a model in one file (.{', .'.join(FORMATS)}); the folder of a "
            "run must be on a disk of this machine."
        )
        raise errors.ArgumentError(argument, path, rule)
    return True


def model_of(path: str, say: Callable[[str], object]) -> str:
    """The only exported model in a folder that holds no checkpoint, of which `say` gets
    a note; any other path as it is."""
    given = pathlib.Path(path).expanduser()
    if not path or cloud_files.is_address(path) or not given.is_dir():
        return path
    exported = _exported(given)
    if len(exported) != 1 or steps(run_of(path)[0]):
        return path
    say(f"note: {path}: its model {exported[0].name} is used")
    return str(exported[0])


def with_current_names(config: dict[str, Any]) -> dict[str, Any]:
    """A stored config with today's names of its settings."""
    return {FORMER_NAMES.get(name, name): value for name, value in config.items()}


def run_of(path: str) -> tuple[str, int | None]:
    """The run that a folder belongs to, and the step that it names: the folder is a
    run, its `checkpoints`, or one of the numbered folders in there."""
    given = pathlib.Path(path).expanduser()
    if given.name == "checkpoints":
        return str(given.parent), None
    if given.parent.name == "checkpoints" and given.name.isdigit():
        return str(given.parent.parent), int(given.name)
    return path, None


def folder(workdir: str) -> pathlib.Path:
    """Where a run keeps its checkpoints. A path that is not UTF-8, as every path with
    an accent is to a program in the locale "C", is a ValueError."""
    path = pathlib.Path(workdir).expanduser().resolve() / "checkpoints"
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        # The checkpoints' own code would fail on it, and they would look damaged.
        raise ValueError(
            f"{workdir!a}: this path is not valid UTF-8 in the encoding "
            f"{sys.getfilesystemencoding()}; set PYTHONUTF8=1, or LC_ALL=C.UTF-8."
        ) from error
    return path


def steps(workdir: str) -> list[int]:
    """The steps of which a run has checkpoints, damaged ones included, in order."""
    path = folder(workdir)
    names = [each.name for each in path.iterdir()] if path.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal())


def check_there(workdir: str, argument: str) -> None:
    """Refuses what is no run with a checkpoint, with a ValueError for the argument."""
    given, path = pathlib.Path(workdir).expanduser(), folder(workdir)
    if steps(workdir):
        return
    rule = f": no checkpoint in {path}; {_instead(given)}."
    if given.is_file():
        rule = f" is a file; here it takes the folder of a run. {_EXPORTED}."
    elif not given.exists():
        rule = f": there is no such file or folder{_like(given)}"
    raise errors.ArgumentError(argument, workdir, rule)


def newest_config(workdir: str) -> dict[str, Any] | None:
    """The config inside a run's newest checkpoint; None where there is no checkpoint,
    or none that this can read, which does not say that it is damaged."""
    try:
        path = folder(workdir) / str(steps(workdir)[-1]) / CONFIG / "metadata"
        stored = json.loads(path.read_text(encoding="utf-8"))
        known = stored.get("format", 1) <= FORMAT
        return with_current_names(stored["config"]) if known else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _instead(path: pathlib.Path) -> str:
    exported = _exported(path)
    if not exported:
        return "train there first"
    models = "model in it is" if len(exported) == 1 else "models in it are"
    return f"the exported {models} {', '.join(map(str, exported))}. {_EXPORTED}"


def _exported(path: pathlib.Path) -> list[pathlib.Path]:
    return sorted(file for kind in FORMATS for file in path.glob(f"*.{kind}"))


def _like(path: pathlib.Path) -> str:
    if not path.parent.is_dir():
        return "."
    names = [there.name for there in path.parent.iterdir()]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.with_name(close[0])}?" if close else "."
