"""Which runs a report shows, and how many pairs."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Report", may_change=True, modes=("report",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Which runs a report shows, and how many pairs."""

    workdirs: str = _option(
        "",
        "report: the folders of evaluated runs, with commas between; NAME=FOLDER gives "
        "a run a name of its own. Differences are to the first.",
    )
    report_pairs: int = _option(
        100,
        "report: test pairs in the gallery, spread evenly, besides the best, median "
        "and worst twenty of each run. It decides the size of the page.",
        minimum=0,
    )
    report_metric: str = _option(
        "ssim_pg2",
        "report: the metric of pairs that says which are best and worst.",
    )
