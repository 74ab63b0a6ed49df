"""What is run, and on what."""

import dataclasses
import functools

from data_prep.flag_fields import option
from experiments.options import modes

_option = functools.partial(option, group="Program", may_change=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramOptions:
    """What is run, and on what."""

    mode: str = _option("train", tuple(modes.MODES), modes=())
    """What to do; --mode=MODE --help shows the flags of a mode."""
    workdir: str = _option(
        "",
        path=True,
        modes=tuple(mode for mode in modes.MODES if mode != "report"),
        not_with=("answers",),
    )
    """Folder of the run: checkpoints, summaries, metrics, pictures; of the whole table
    with --mode=table1. generate, demo and export also take an exported file, or
    hf://user/repository."""
    data_dir: str = _option(
        "",
        path=True,
        modes=("train", "evaluate", "table1", "report", "user_study"),
        not_with=("generated_dir", "answers"),
    )
    """Data set written by data_prep/build_tfrecords.py."""
    seed: int = _option(
        0,
        minimum=0,
        below=2**32,
        modes=("train", "table1", "user_study", "import_checkpoint"),
        may_change=False,
    )
    """Root of weights, data order and flips; of the order of a user study."""
