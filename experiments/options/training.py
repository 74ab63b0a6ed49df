"""How the networks are trained."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Training")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How the networks are trained."""

    dry_run: bool = _option(
        False,
        "train: prints the settings, the size of the networks, and what a step takes "
        "in computation, memory and time on this machine, and writes nothing.",
        modes=("train",),
        may_change=True,
    )
    coarse_steps: int = _option(
        22_000,
        "Steps of stage I, or of the one stage; in table1 G1+D takes --coarse_steps + "
        "--refine_steps.",
        minimum=0,
    )
    refine_steps: int = _option(
        14_000, "Steps of stage II, G2 against D with G1 frozen.", minimum=0
    )
    coarse_from: str = _option(
        "",
        "Workdir of another run whose finished stage I this one begins with; it must "
        "have been trained with the same settings. Only for a new run.",
        path=True,
    )
    init_from: str = _option(
        "",
        "Workdir of another run whose networks this one begins with, to fine-tune them "
        "on other data or with other settings; from step 0, with a new optimizer. The "
        "networks and the image size must be the same. Only for a new run; "
        "--checkpoint says which checkpoint.",
        path=True,
    )
    batch_size: int = _option(16, "Pairs per step over all devices.", minimum=1)
    grad_accumulation: int = _option(
        1,
        "Computes the gradients of a batch in so many parts, one after the other, to "
        "save memory. For the generators the same as the whole batch at once; the "
        "batch norm of D sees one part at a time.",
        minimum=1,
    )
    learning_rate: float = _option(
        2e-5, "Adam's step size for all three networks.", above=0
    )
    learning_rate_decay: str = _option(
        "constant",
        "constant (paper). cosine: the rate falls to zero over each stage, which makes "
        "the most of a short run. halving: half as large after every --halve_every "
        "steps of a stage, as the released code computes and does not apply.",
        ("constant", "cosine", "halving"),
    )
    halve_every: int = _option(
        50_000, "Steps with --learning_rate_decay=halving.", minimum=1
    )
    warmup_steps: int = _option(
        0,
        "Steps at the beginning of each stage in which the learning rate grows in "
        "equal steps to --learning_rate.",
        minimum=0,
    )
    ema_decay: float = _option(
        0.0,
        "Decay of an exponential moving average of the weights of G1 and G2, such as "
        "0.999, which then draws in their place, in stage II, too; 0 for none.",
        minimum=0,
    )
    l1_weight: float = _option(
        10.0,
        "Lambda of Eq. 4, the weight of L1 against D: small lets artifacts in, large "
        "blurs (released code: 10 at 128x64, 50 at 256x256).",
        minimum=0,
    )
    pose_mask_loss: bool = _option(
        True, "The target's body counts twice in L1 (Eq. 1)."
    )
    flip: bool = _option(True, "Mirrors pairs at random (paper, section 4.1).")
    discriminator_sees_coarse: bool = _option(
        False,
        "With discriminator_input=triplet: G1's image goes through D too, which moves "
        "the batch statistics only (released 128x64 code).",
    )
    adversarial_on_source: bool = _option(
        False,
        "With discriminator_input=triplet: the adversarial loss averages over D's "
        "verdict on the source photo too (released 256x256 code).",
    )
