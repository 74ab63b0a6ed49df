"""How a training is judged while it goes on."""

import dataclasses
import functools

from experiments.options.option import option

# What is computed of every validation pair; of pg2_jax.metrics.suite.
METRICS = ("ssim_pg2", "masked_ssim_pg2", "psnr", "l1", "body_l1")

_option = functools.partial(option, group="Validation")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidationOptions:
    """How a training is judged while it goes on."""

    validation_share: float = _option(
        0.0,
        "Share of the training people, such as 0.05, who are left out of training so "
        "that --eval_every can score pairs of them; 0 for none. The same people in "
        "every run on a data set.",
        minimum=0,
    )
    eval_every: int = _option(
        0,
        "Steps between evaluations on pairs of the people of --validation_share; one "
        "more comes at the end. 0 for none.",
        minimum=0,
        may_change=True,
    )
    eval_pairs: int = _option(
        1000, "Pairs of such an evaluation, at most; 0 for all.", minimum=0
    )
    best_metric: str = _option(
        "masked_ssim_pg2",
        "By what --eval_every finds the best checkpoint of the last stage, which is "
        "kept beside the newest.",
        METRICS,
    )
    early_stop_evals: int = _option(
        0,
        "Ends the last stage when so many evaluations after another have not improved "
        "--best_metric; 0 for never.",
        minimum=0,
        may_change=True,
    )
