"""What a training says of itself, and what it keeps."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Reporting", may_change=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportingOptions:
    """What a training says of itself, and what it keeps."""

    log_every: int = _option(50, "Steps between entries of the log.", minimum=1)
    picture_every: int = _option(
        500, "Steps between picture grids of test pairs; 0 for none.", minimum=0
    )
    checkpoint_every: int = _option(
        1000, "Steps between checkpoints; one more is saved at the end.", minimum=1
    )
    keep_checkpoints: int = _option(3, "Newest checkpoints that stay.", minimum=1)
    progress: bool = _option(True, "Shows a progress bar, if the output is a terminal.")
