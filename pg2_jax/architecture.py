"""What decides the shapes of the networks.

Free of jax, because the flags need it before anything heavy is imported.
"""

import dataclasses
import math

from pg2_jax import errors

# The named variants; the first of each is the paper's full model.
CHOICES: dict[str, tuple[str, ...]] = {
    "stages": ("two_stage", "one_stage", "coarse", "one_network"),
    "pose_embedding": ("heatmap", "coordinate", "encoder", "view"),
    "coarse_network": ("bottleneck", "refinement", "part_transfer"),
    "coarse_block": ("residual", "plain"),
    "refine_decoder": ("symmetric", "constant"),
    "refine_output": ("difference", "image"),
    "discriminator": ("dcgan", "patch"),
    "discriminator_input": ("pair", "triplet"),
    "heat_map_range": ("zero_one", "minus_one_one"),
    "precision": ("float32", "bfloat16"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything that decides the shapes of the weights and what they are fed."""

    image_height: int  # H in pixels
    image_width: int  # W
    # "two_stage": G1, G2 and D (the paper's G1+G2+D); "one_stage": G1 and D (G1+D);
    # "coarse": G1 alone; "one_network": G1, by L1 at first, then against D.
    stages: str = "two_stage"
    # How G1 takes the target pose. "heatmap": heat maps beside the photo (paper).
    # "coordinate" and "encoder": joined at the bottleneck, as coordinates (CE) or by an
    # encoder of the heat maps (HME), section 4.2. "view": only the word front, side or
    # back, joined there.
    pose_embedding: str = "heatmap"
    # "bottleneck": G1 (paper); "refinement": the network of G2, which has no fully
    # connected layer, on the inputs of G1; "part_transfer": that of pg2plus, taking
    # the source's pose, see `part_transfer`.
    coarse_network: str = "bottleneck"
    coarse_block: str = "residual"  # (paper) or "plain"; in G1
    # Of the first block of G1 and G2; block i of the encoder has (i + 1) times as many.
    base_channels: int = 128
    # Units of G1's fully connected bottleneck, and of a pose that joins there.
    bottleneck_size: int = 64
    discriminator_channels: int = 64  # of the first layer; they double up to 8 times
    # "symmetric": the decoder's channels mirror the encoder's (paper); "constant": all
    # are base_channels (released code).
    refine_decoder: str = "symmetric"
    # Whether G2's last decoder block sees its first encoder block: so in the authors'
    # 256x256 model, not in that of 128x64.
    refine_full_skip: bool = True
    refine_sees_pose: bool = False  # whether G2 is given the target's heat maps too
    # Whether G2 makes a "difference" to add to G1's image (paper), or the "image".
    refine_output: str = "difference"
    # "dcgan" (paper), or "patch": one that judges each patch beside the guide of
    # `guides`, by the hinge loss.
    discriminator: str = "dcgan"
    # "pair" (paper): D sees the source and an image, stacked on the channels; "triplet"
    # (released code): D sees one image.
    discriminator_input: str = "pair"
    heat_map_range: str = "zero_one"  # (paper) or "minus_one_one" (released code)
    # What convolutions compute in, or "bfloat16"; the weights are float32 in both.
    precision: str = "float32"
    # Whether a gradient computes the inside of G1's and G2's blocks again instead of
    # keeping it: less memory, the same weights.
    remat: bool = False

    def __post_init__(self):
        for name, choices in CHOICES.items():
            errors.check_choice(name, getattr(self, name), choices)
        height, width = self.image_height, self.image_width
        if height < 32:
            raise ValueError(
                f"Image size {height}x{width}: the height must be at least 32, because "
                "G2 has log2(height) - 4 blocks and needs one."
            )
        if self.coarse_network != "bottleneck" and self.pose_embedding != "heatmap":
            rule = (
                " joins the pose at the fully connected layer, which "
                f"coarse_network={self.coarse_network} does not have."
            )
            raise errors.ArgumentError("pose_embedding", self.pose_embedding, rule)
        patch, guided = self.discriminator == "patch", self.needs_source_pose
        if patch and not (guided and self.stages == "one_network"):
            rule = " needs coarse_network=part_transfer and stages=one_network."
            raise errors.ArgumentError("discriminator", self.discriminator, rule)
        if self.refine_sees_pose and self.pose_embedding in ("coordinate", "view"):
            rule = (
                " gives G2 the heat maps, which "
                f"pose_embedding={self.pose_embedding} does without."
            )
            raise errors.ArgumentError("refine_sees_pose", True, rule)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image_height, self.image_width

    @property
    def needs_source_pose(self) -> bool:
        """Whether the networks see the keypoints of the source too."""
        return self.coarse_network == "part_transfer"

    @property
    def first_image(self) -> str:
        """What the image of G1, or of the network in its place, is called: "coarse", or
        "generated" where the one network is trained against D, and nothing refines."""
        return "generated" if self.stages == "one_network" else "coarse"

    @property
    def blocks(self) -> int:
        """Blocks of G1, N = log2(H) - 2, rounded down: 5 at 128x64, 6 at 256x256."""
        return int(math.log2(self.image_height)) - 2
