"""The rows of the paper's Table 1, and the authors' checkpoints."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Table 1", may_change=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table1Options:
    """The rows of the paper's Table 1, and the authors' checkpoints."""

    rows: str = _option(
        "",
        "table1: rows to train, such as ce,full; of ce, hme, l1, pose_mask_loss, "
        "one_stage, full and view; default: all but view.",
        modes=("table1",),
    )
    seeds: str = _option(
        "",
        "table1: seeds to repeat every row with, such as 0,1,2; default: --seed.",
        modes=("table1",),
    )
    steps_scale: float = _option(
        1.0,
        "table1: multiplies the steps of every row, such as 0.01.",
        above=0,
        modes=("table1",),
    )
    tf1_checkpoint: str = _option(
        "",
        "import_checkpoint: the authors' checkpoint without suffix, such as "
        "model/model.ckpt-22000.",
        path=True,
        modes=("import_checkpoint",),
    )
