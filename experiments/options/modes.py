"""The modes of `python -m experiments.main`, and the flags of what is run."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from data_prep.flag_fields import option
from pg2_jax.checkpoint import run_folder
from pg2_jax.input_pipeline import cloud_files, reader_choice


@dataclasses.dataclass(frozen=True)
class Mode:
    """What a mode does."""

    about: str
    example: str
    module: str  # whose function of the mode's name gets the config
    needs: tuple[str, ...]
    # Arguments of the library whose flag has another name.
    flag_of: Mapping[str, str] = dataclasses.field(default_factory=dict)


MODES = {
    "train": Mode(
        "trains G1, then G2 against D; resumes the run in --workdir",
        "--flagfile=experiments/flagfiles/market1501_paper.flags "
        "--data_dir=data/market1501 --workdir=runs/market1501",
        "experiments.train.train",
        ("workdir", "data_dir"),
    ),
    "evaluate": Mode(
        "scores every test pair of a run, or the images of --generated_dir",
        "--mode=evaluate --data_dir=data/market1501 --workdir=runs/market1501",
        "experiments.evaluate.evaluate",
        ("workdir", "data_dir"),
    ),
    "generate": Mode(
        "generates pictures or an animation of people in new poses",
        "--mode=generate --workdir=models/pg2plus_128x64/model.safetensors "
        "--source_image=me.png --source_pose=me.csv --poses=walk "
        "--output=walking.gif",
        "experiments.generate",
        ("workdir", "source_image", "output"),
        {
            "model": "pose_model",
            "image": "source_image",
            "photos": "source_image",
            "fit": "photo_fit",
        },
    ),
    "export": Mode(
        "writes the model of a run as one file, or to the Hugging Face Hub",
        "--mode=export --workdir=runs/market1501 --output=model.safetensors",
        "experiments.export",
        ("workdir", "output"),
        {"path": "output", "form": "format"},
    ),
    "report": Mode(
        "shows evaluated runs side by side on one page for the browser",
        "--mode=report --workdirs=runs/a,runs/b --output=report",
        "experiments.report.report",
        ("workdirs", "output"),
    ),
    "demo": Mode(
        "serves a page for the browser: pick a person, drag a skeleton",
        "--mode=demo --workdir=runs/market1501",
        "experiments.demo.demo",
        ("workdir",),
        {"model": "pose_model"},
    ),
    "table1": Mode(
        "trains and scores every row of the paper's Table 1",
        "--mode=table1 --flagfile=experiments/flagfiles/market1501_paper.flags "
        "--data_dir=data/market1501 --workdir=runs/table1",
        "experiments.table1.table1",
        ("workdir", "data_dir"),
    ),
    "user_study": Mode(
        "makes a page that asks which images are real, or scores its --answers",
        "--mode=user_study --data_dir=data/market1501 --workdir=runs/market1501 "
        "--output=study",
        "experiments.user_study.make",
        ("workdir", "data_dir", "output"),
    ),
    "import_checkpoint": Mode(
        "turns a checkpoint of the authors' TensorFlow-1 code into a run",
        "--mode=import_checkpoint --tf1_checkpoint=model/model.ckpt-22000 "
        "--workdir=runs/authors",
        "experiments.import_checkpoint",
        ("workdir", "tf1_checkpoint"),
    ),
}
# What generates with the weights of a checkpoint.
OF_A_CHECKPOINT = ("evaluate", "generate", "export", "demo", "user_study")
TRAINING = ("train", "table1")
# How the address of a model in one file begins: on the Hub, or in cloud storage.
ADDRESSES = (run_folder.HUB, *cloud_files.SCHEMES)
# Whether a flag may change when a run resumes, and matters to G1's training in stage I.
_RULES = {"may_change": True, "stage_one": True}


def flags_of(group: str, modes: tuple[str, ...], **rules: Any) -> Callable[..., Any]:
    """`option` for flags of a group, which the modes take (without any: all), and their
    rules, of which each flag may have its own."""
    rules = {"group": group, "modes": modes, **_RULES, **rules}
    return functools.partial(option, **rules)


_program = flags_of("Program", ())
_kept = flags_of("Program", TRAINING, may_change=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramOptions:
    """What is run, and on what."""

    mode: str = _program("train", tuple(MODES))
    """What to do; --mode=MODE --help shows the flags of a mode."""
    workdir: str = _program(
        "",
        path=True,
        addresses=ADDRESSES,
        modes=tuple(mode for mode in MODES if mode != "report"),
        not_with=("answers",),
    )
    """Folder of the run: checkpoints, summaries, metrics and pictures. With
    --mode=table1, the folder of the whole table. evaluate, generate, export, demo and
    user_study also take an exported file, here or in cloud storage (gs://, s3://,
    az://), a folder with one such file, or hf://user/repository."""
    data_dir: str = _program(
        "",
        path=True,
        addresses=cloud_files.SCHEMES,
        modes=("train", "evaluate", "table1", "report", "user_study"),
        not_with=("generated_dir", "answers"),
    )
    """Data set written by data_prep/build_tfrecords.py, here or in cloud storage
    (gs://, s3://, az://)."""
    reader: str = _kept("auto", reader_choice.READERS)
    """How training reads the data. tf_data: by tensorflow, record by record. memory:
    without tensorflow; all decoded photos stay in memory. The two have different orders
    of the pairs. auto: the reader that the run started with; in a new run tf_data if
    tensorflow is installed, else memory. The other modes choose as a new run does."""
    virtual_readers: int = _kept(0, minimum=0, needs=("reader=auto|tf_data",))
    """With --reader=tf_data the training files are dealt to so many virtual readers,
    and every batch has equally many pairs of each. Of n processes that divide their
    number each reads an n-th of the data. It must divide --batch_size and the number
    of files, and the order of the pairs depends on it. 0: that of the run; in a new
    run as many as leave 4 files to each, at most 64."""
    reader_memory_gib: float = _kept(8.0, above=0, may_change=True)
    """Most GiB that --reader=memory may use for photos; a data set that needs more
    is refused."""
    seed: int = _kept(
        0, minimum=0, below=2**32, modes=(*TRAINING, "user_study", "import_checkpoint")
    )
    """Seed of the weights, the order of the data and the flips; of the order of
    images in a user study."""
