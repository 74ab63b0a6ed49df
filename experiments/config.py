"""The settings of a run: one field = default + help = one flag (command_line.py).

No jax here: `--help` and mistakes in flags must be answered at once.
"""

import dataclasses
from typing import Any

from experiments import config_rules
from pg2_jax import files, variants

MODES = ("train", "evaluate", "generate", "table1", "import_checkpoint")


def option(default: Any, group: str, text: str, choices: tuple[str, ...] = ()) -> Any:
    """A config field that is also a flag."""
    metadata = {"group": group, "help": text, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Immutable and validated; code below `main` never reads flags."""

    mode: str = option(
        "train",
        "Program",
        "train: the --stages, resumed from --workdir if it holds a checkpoint. "
        "evaluate: scores every test pair, or the images of --generated_dir. generate: "
        "one photo and one pose in, one PNG out. table1: trains and scores every row "
        "of the paper's Table 1. "
        "import_checkpoint: turns a checkpoint of the authors' TensorFlow-1 code into "
        "a run of ours.",
        MODES,
    )
    workdir: str = option(
        "",
        "Program",
        "Folder of the run: checkpoints, summaries, metrics, pictures; of the whole "
        "table with --mode=table1.",
    )
    data_dir: str = option(
        "", "Program", "Data set written by data_prep/build_tfrecords.py."
    )
    seed: int = option(0, "Program", "Root of weights, data order and flips.")

    image_size: str = option(
        "", "Networks", "HxW in pixels; must equal the data set's, and defaults to it."
    )
    stages: str = option(
        "two_stage",
        "Networks",
        "two_stage: G1, then G2 against D (the paper's G1+G2+D). one_stage: G1 against "
        "D (G1+D). coarse: G1 alone, by L1.",
        variants.CHOICES["stages"],
    )
    pose_embedding: str = option(
        "heatmap",
        "Networks",
        "How G1 takes the target pose. heatmap: 18 heat maps beside the photo (paper). "
        "Joined at the bottleneck instead (section 4.2): coordinate, (x, y, 1) of each "
        "joint in -1..1 through two fully connected layers, (0, 0, 0) for a missing "
        "joint (G1-CE); encoder, the heat maps through an encoder of their own "
        "(G1-HME). view: only a word, front, side or back, after VariGAN.",
        variants.CHOICES["pose_embedding"],
    )
    coarse_network: str = option(
        "bottleneck",
        "Networks",
        "What draws the coarse image: bottleneck is G1; refinement is G2's network, "
        "which has no fully connected layer. With --stages=one_stage it answers "
        "whether that layer makes the blur.",
        variants.CHOICES["coarse_network"],
    )
    coarse_block: str = option(
        "residual",
        "Networks",
        "G1's blocks: residual (paper), or plain, without the identity.",
        variants.CHOICES["coarse_block"],
    )
    base_channels: int = option(
        128, "Networks", "Channels of the first block of G1 and G2 (paper: 128)."
    )
    bottleneck_size: int = option(
        64, "Networks", "Units of G1's fully connected bottleneck (released code: 64)."
    )
    discriminator_channels: int = option(
        64, "Networks", "Channels of D's first convolution (released code: 64)."
    )
    refine_decoder: str = option(
        "symmetric",
        "Networks",
        "G2's decoder: symmetric mirrors the encoder's channels (paper, section 3.3); "
        "constant uses base_channels throughout (released code).",
        variants.CHOICES["refine_decoder"],
    )
    refine_full_skip: bool = option(
        True,
        "Networks",
        "G2 has a skip connection at full resolution. The authors' 128x64 model lacks "
        "it; their 256x256 model has it.",
    )
    refine_sees_pose: bool = option(
        False, "Networks", "G2 is given the target pose's heat maps too."
    )
    refine_output: str = option(
        "difference",
        "Networks",
        "G2 draws a difference map to add to G1's image (paper), or the image itself.",
        variants.CHOICES["refine_output"],
    )
    critic_input: str = option(
        "pair",
        "Networks",
        "What D sees: pair is (source, image), Eq. 2 and 3 of the paper; triplet is "
        "single images with the source as a second negative (released code).",
        variants.CHOICES["critic_input"],
    )
    heat_map_range: str = option(
        "zero_one",
        "Networks",
        "Values of the pose heat maps: zero_one (paper) or minus_one_one (released "
        "code).",
        variants.CHOICES["heat_map_range"],
    )

    coarse_steps: int = option(
        22_000,
        "Training",
        "Steps of stage I, or of the one stage; in table1 G1+D takes --coarse_steps + "
        "--refine_steps.",
    )
    refine_steps: int = option(
        14_000, "Training", "Steps of stage II, G2 against D with G1 frozen."
    )
    coarse_from: str = option(
        "",
        "Training",
        "Workdir of another run whose finished stage I this one begins with; it must "
        "have been trained with the same settings. Only for a new run.",
    )
    batch_size: int = option(16, "Training", "Pairs per step over all devices.")
    learning_rate: float = option(
        2e-5, "Training", "Adam's step size for all three networks."
    )
    learning_rate_decay: str = option(
        "constant",
        "Training",
        "constant (paper), or cosine: the rate falls to zero over each stage, which "
        "makes the most of a short run.",
        ("constant", "cosine"),
    )
    l1_weight: float = option(
        10.0,
        "Training",
        "Lambda of Eq. 4, the weight of L1 against D: small lets artifacts in, large "
        "blurs (released code: 10 at 128x64, 50 at 256x256).",
    )
    pose_mask_loss: bool = option(
        True, "Training", "The target's body counts twice in L1 (Eq. 1)."
    )
    flip: bool = option(
        True, "Training", "Mirrors pairs at random (paper, section 4.1)."
    )
    critic_sees_coarse: bool = option(
        False,
        "Training",
        "With critic_input=triplet: G1's image goes through D too, which moves the "
        "batch statistics only (released 128x64 code).",
    )
    adversarial_on_source: bool = option(
        False,
        "Training",
        "With critic_input=triplet: the adversarial loss averages over D's verdict on "
        "the source photo too (released 256x256 code).",
    )

    log_every: int = option(50, "Reporting", "Steps between entries of the log.")
    picture_every: int = option(
        500, "Reporting", "Steps between picture grids of test pairs; 0 for none."
    )
    checkpoint_every: int = option(
        1000, "Reporting", "Steps between checkpoints; one more is saved at the end."
    )
    keep_checkpoints: int = option(3, "Reporting", "Newest checkpoints that stay.")
    progress: bool = option(
        True, "Reporting", "Shows a progress bar, if the output is a terminal."
    )

    checkpoint_step: int = option(
        -1, "Other modes", "The checkpoint to use; -1 for the newest."
    )
    max_test_pairs: int = option(
        0, "Other modes", "Scores the first N test pairs; 0 for all."
    )
    picture_pairs: int = option(
        12, "Other modes", "Test pairs in the picture of an evaluation or table."
    )
    generated_dir: str = option(
        "",
        "Other modes",
        "evaluate: scores the images of this folder, any method's, in place of a "
        "checkpoint in --workdir.",
    )
    target_dir: str = option(
        "",
        "Other modes",
        "evaluate: the images that those of --generated_dir should equal.",
    )
    match: str = option(
        "name",
        "Other modes",
        "evaluate: which files of the two folders belong together. name: those of one "
        "name, whatever their suffix. order: the first of both, the second, and so on, "
        "sorted by name.",
        ("name", "order"),
    )
    annotations: str = option(
        "",
        "Other modes",
        "evaluate: keypoints of the images in --target_dir, a file or folder in any "
        "format that data_prep.annotations reads, for the masked metrics.",
    )
    inception: str = option(
        "",
        "Other modes",
        "evaluate: weights of Inception-v3, one file or two with a comma between, for "
        "Inception Score and FID: inception-2015-12-05 (.tgz, .pb, or .pth of "
        "pytorch-fid or torch-fidelity), torchvision's inception_v3_google (.pth or "
        ".safetensors).",
    )
    source_image: str = option("", "Other modes", "generate: the photo of the person.")
    pose: str = option(
        "",
        "Other modes",
        "generate: a keypoint file of any format that data_prep.annotations reads, "
        "such as OpenPose JSON or an annotation csv; of several poses --pose_name "
        "chooses one. Pixels are those of an image of --pose_size.",
    )
    pose_name: str = option(
        "", "Other modes", "generate: which of several poses in --pose."
    )
    pose_size: str = option(
        "",
        "Other modes",
        "generate: HxW of the image that the pose was made for; default: the model's.",
    )
    output: str = option("", "Other modes", "generate: the PNG file to write.")
    rows: str = option(
        "",
        "Other modes",
        "table1: rows to train, such as ce,full; of ce, hme, l1, pose_mask_loss, "
        "one_stage, full and view; default: all but view.",
    )
    seeds: str = option(
        "",
        "Other modes",
        "table1: seeds to repeat every row with, such as 0,1,2; default: --seed.",
    )
    steps_scale: float = option(
        1.0, "Other modes", "table1: multiplies the steps of every row, such as 0.01."
    )
    tf1_checkpoint: str = option(
        "",
        "Other modes",
        "import_checkpoint: the authors' checkpoint without suffix, such as "
        "model/model.ckpt-22000.",
    )

    def __post_init__(self):
        config_rules.check(self)

    @property
    def total_steps(self) -> int:
        """Steps of the stages together."""
        more = self.refine_steps if self.stages == "two_stage" else 0
        return self.coarse_steps + more

    def with_size(self, height: int, width: int) -> "Config":
        """The config of a run on images of this size, a data set's or a checkpoint's.

        Raises:
            ValueError: --image_size says otherwise.
        """
        size = f"{height}x{width}"
        wanted = self.image_size and files.parse_size("image_size", self.image_size)
        if wanted and wanted != (height, width):
            raise ValueError(
                f"--image_size={self.image_size} disagrees with the images, which "
                f"are {size}."
            )
        return dataclasses.replace(self, image_size=size)

    def to_json(self) -> dict[str, Any]:
        """The fields, with the image size as two numbers, as checkpoints store it."""
        height, width = files.parse_size("image_size", self.image_size)
        sizes = {"image_height": height, "image_width": width}
        return dataclasses.asdict(self) | sizes
