"""What is run, and on what."""

import dataclasses
import functools

from experiments.options.option import option

MODES = (
    "train",
    "evaluate",
    "generate",
    "export",
    "report",
    "demo",
    "table1",
    "user_study",
    "import_checkpoint",
)

_option = functools.partial(option, group="Program")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramOptions:
    """What is run, and on what."""

    mode: str = _option(
        "train",
        "train: the --stages, resumed from --workdir if it holds a checkpoint. "
        "evaluate: scores every test pair, or the images of --generated_dir. generate: "
        "photos and poses in, pictures or an animation out. export: the model as one "
        "file. report: evaluated runs side by side, as one page for a browser. demo: a "
        "page for the browser, where one picks a person and drags a skeleton. table1: "
        "trains and scores every row of the paper's Table 1. user_study: makes a page "
        "that asks people which images are real, or scores their --answers. "
        "import_checkpoint: turns a checkpoint of the authors' TensorFlow-1 code into "
        "a run of ours.",
        MODES,
        may_change=True,
    )
    workdir: str = _option(
        "",
        "Folder of the run: checkpoints, summaries, metrics, pictures; of the whole "
        "table with --mode=table1. generate, demo and export also take an exported "
        "file, or hf://user/repository.",
        path=True,
        may_change=True,
    )
    data_dir: str = _option(
        "",
        "Data set written by data_prep/build_tfrecords.py.",
        path=True,
        may_change=True,
    )
    seed: int = _option(0, "Root of weights, data order and flips.", minimum=0)
