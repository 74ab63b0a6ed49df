"""The processes and devices of a run, and how much of their memory it takes."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Devices", may_change=True)
_SEVERAL = ("train", "evaluate")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """The processes and devices of a run, and how much of their memory it takes."""

    coordinator_address: str = _option(
        "",
        "HOST:PORT of process 0, the same in every process of a run of several, each "
        "with its own --process_id. auto: Slurm, Open MPI, Kubernetes or a Cloud TPU "
        "says how many there are and which one this is. Empty: one process.",
        modes=_SEVERAL,
    )
    num_processes: int = _option(
        1,
        "Processes of the run, with --coordinator_address=HOST:PORT.",
        minimum=1,
        modes=_SEVERAL,
    )
    process_id: int = _option(
        0,
        "Number of this process, from 0, with --coordinator_address=HOST:PORT. "
        "Process 0 alone prints and writes pictures, summaries and metrics.",
        minimum=0,
        modes=_SEVERAL,
    )
    remat: bool = _option(
        False,
        "Saves memory by computing the inside of the generators' blocks again where a "
        "gradient needs it.",
        modes=("train", "table1"),
    )
    debug_nans: bool = _option(
        False,
        "Names the operation whose result is the first that is not finite. Slow.",
        modes=("train", "table1"),
    )
