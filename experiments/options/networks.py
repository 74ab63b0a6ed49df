"""The networks: what decides the shapes of the weights and what they are fed."""

import dataclasses
import functools

from experiments.options.option import option
from pg2_jax import architecture as variants

_option = functools.partial(option, group="Networks")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The networks: what decides the shapes of the weights and what they are fed."""

    image_size: str = _option(
        "", "HxW in pixels; must equal the data set's, and defaults to it."
    )
    stages: str = _option(
        "two_stage",
        "two_stage: G1, then G2 against D (the paper's G1+G2+D). one_stage: G1 against "
        "D (G1+D). coarse: G1 alone, by L1.",
        variants.CHOICES["stages"],
    )
    pose_embedding: str = _option(
        "heatmap",
        "How G1 takes the target pose. heatmap: 18 heat maps beside the photo (paper). "
        "Joined at the bottleneck instead (section 4.2): coordinate, (x, y, 1) of each "
        "joint in -1..1 through two fully connected layers, (0, 0, 0) for a missing "
        "joint (G1-CE); encoder, the heat maps through an encoder of their own "
        "(G1-HME). view: only a word, front, side or back, after VariGAN.",
        variants.CHOICES["pose_embedding"],
    )
    coarse_network: str = _option(
        "bottleneck",
        "What draws the coarse image: bottleneck is G1; refinement is G2's network, "
        "which has no fully connected layer. With --stages=one_stage it answers "
        "whether that layer makes the blur.",
        variants.CHOICES["coarse_network"],
    )
    coarse_block: str = _option(
        "residual",
        "G1's blocks: residual (paper), or plain, without the identity.",
        variants.CHOICES["coarse_block"],
    )
    base_channels: int = _option(
        128, "Channels of the first block of G1 and G2 (paper: 128).", minimum=1
    )
    bottleneck_size: int = _option(
        64, "Units of G1's fully connected bottleneck (released code: 64).", minimum=1
    )
    discriminator_channels: int = _option(
        64, "Channels of D's first convolution (released code: 64).", minimum=1
    )
    refine_decoder: str = _option(
        "symmetric",
        "G2's decoder: symmetric mirrors the encoder's channels (paper, section 3.3); "
        "constant uses base_channels throughout (released code).",
        variants.CHOICES["refine_decoder"],
    )
    refine_full_skip: bool = _option(
        True,
        "G2 has a skip connection at full resolution. The authors' 128x64 model lacks "
        "it; their 256x256 model has it.",
    )
    refine_sees_pose: bool = _option(
        False, "G2 is given the target pose's heat maps too."
    )
    refine_output: str = _option(
        "difference",
        "G2 draws a difference map to add to G1's image (paper), or the image itself.",
        variants.CHOICES["refine_output"],
    )
    discriminator_input: str = _option(
        "pair",
        "What D sees: pair is (source, image), Eq. 2 and 3 of the paper; triplet is "
        "single images with the source as a second negative (released code).",
        variants.CHOICES["discriminator_input"],
    )
    heat_map_range: str = _option(
        "zero_one",
        "Values of the pose heat maps: zero_one (paper) or minus_one_one (released "
        "code).",
        variants.CHOICES["heat_map_range"],
    )
