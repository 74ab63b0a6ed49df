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
    "blending": ("soft", "sharp"),
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
    """Everything that decides the shapes of the weights and what they are fed.

    Attributes:
        image_height: H in pixels.
        image_width: W in pixels.
        stages: "two_stage": G1, G2 and D (the paper's G1+G2+D); "one_stage": G1 and D
            (G1+D); "coarse": G1 alone; "one_network": G1, by L1 at first, then
            against D.
        pose_embedding: how G1 takes the target pose. "heatmap": heat maps beside the
            photo (paper). "coordinate" and "encoder": joined at the bottleneck, as
            coordinates (CE) or through an encoder of the heat maps (HME), section 4.2.
            "view": only the word front, side or back, joined at the bottleneck.
        coarse_network: "bottleneck": G1 (paper); "refinement": the network of G2,
            which has no fully connected layer, on the inputs of G1; "part_transfer":
            that of pg2plus, which needs the source's pose too, see `part_transfer`.
        blending: how that network blends. "soft": freely. "sharp": with clearer
            weights, and with the photo itself only where its pixels stay, so that the
            body does not shine through where it was.
        coarse_block: "residual" (paper) or "plain" blocks in G1.
        base_channels: channels of the first block of G1 and G2; block i of the encoder
            has base_channels * (i + 1).
        bottleneck_size: units of G1's fully connected bottleneck, and of the feature
            of a pose that joins there.
        discriminator_channels: channels of D's first convolution; they double up to 8
            times.
        refine_decoder: "symmetric": the decoder's channels mirror the encoder's
            (paper); "constant": all are base_channels (released code).
        refine_full_skip: whether G2's last decoder block sees its first encoder block;
            the authors' 128x64 model lacks this skip, their 256x256 model has it.
        refine_sees_pose: whether G2 is given the target pose's heat maps too.
        refine_output: whether G2 generates a "difference" map to add to G1's image
            (paper) or the "image" itself.
        discriminator: "dcgan" (paper), or "patch": one that judges each patch of an
            image beside the guide of `part_transfer`, by the hinge loss.
        discriminator_input: "pair" (paper): D sees the source and an image, stacked on
            the channels; "triplet" (released code): D sees one image.
        heat_map_range: "zero_one" (paper) or "minus_one_one" (released code).
        precision: what convolutions compute in, "float32" or "bfloat16"; the weights
            are float32 in both.
        remat: whether a gradient computes the inside of G1's and G2's blocks again
            instead of keeping it: less memory, the same weights.
    """

    image_height: int
    image_width: int
    stages: str = "two_stage"
    pose_embedding: str = "heatmap"
    coarse_network: str = "bottleneck"
    blending: str = "soft"
    coarse_block: str = "residual"
    base_channels: int = 128
    bottleneck_size: int = 64
    discriminator_channels: int = 64
    refine_decoder: str = "symmetric"
    refine_full_skip: bool = True
    refine_sees_pose: bool = False
    refine_output: str = "difference"
    discriminator: str = "dcgan"
    discriminator_input: str = "pair"
    heat_map_range: str = "zero_one"
    precision: str = "float32"
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
        if self.blending != "soft" and not self.needs_source_pose:
            rule = " needs coarse_network=part_transfer."
            raise errors.ArgumentError("blending", self.blending, rule)
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
