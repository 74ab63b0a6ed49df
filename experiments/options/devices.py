"""How the computing is done: processes, memory, precision, calls, caches, profiles."""

import dataclasses
import functools

from experiments.options.option import option
from pg2_jax import architecture as variants

_option = functools.partial(option, group="Devices", may_change=True)
_SEVERAL = ("train", "evaluate")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """How the computing is done: processes, memory, precision, calls, caches."""

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
        "Saves memory of an accelerator by computing the inside of the generators' "
        "blocks again where a gradient needs it; XLA undoes it on a CPU.",
        modes=("train", "table1"),
    )
    debug_nans: bool = _option(
        False,
        "When a number is no longer finite, takes the step again, one operation after "
        "the other, and names the first whose result is not.",
        modes=("train", "table1"),
    )

    precision: str = option(
        "float32",
        "What convolutions compute in: float32, or bfloat16, which is faster on GPUs "
        "and TPUs. Weights, losses, optimizer and batch norm are float32 in both. "
        "Networks draw in the precision that they were trained in; bfloat16 draws with "
        "any.",
        variants.CHOICES["precision"],
        group="Devices",
    )
    steps_per_call: int = _option(
        1,
        "Steps that the device takes in one call of the host; more than one helps "
        "where steps are short. Results stay the same but for rounding. Intervals of "
        "the log, pictures and checkpoints must be multiples.",
        minimum=1,
        modes=("train", "table1"),
    )
    compilation_cache_dir: str = _option(
        "default",
        "Folder where compiled programs are kept, so that the next start is quick; "
        "default: pg2_jax/xla in the user's cache folder; empty for none.",
        path=True,
    )
    profile_steps: str = _option(
        "",
        "train: A:B writes a profile of the steps after A up to B to workdir/profile, "
        "for TensorBoard.",
        modes=("train",),
    )
