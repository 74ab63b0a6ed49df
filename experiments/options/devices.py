"""How the computing is done: processes, memory, precision, calls, caches, profiles."""

import dataclasses
import functools

from data_prep.flag_fields import option
from experiments.options import modes
from experiments.options.training import TrainingOptions
from pg2_jax import files, variants

_option = functools.partial(option, group="Devices", may_change=True)
_SEVERAL = ("train", "evaluate")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions(TrainingOptions):
    """How the computing is done: processes, memory, precision, calls, caches."""

    coordinator_address: str = _option("", modes=_SEVERAL, not_with=("generated_dir",))
    """HOST:PORT of process 0, the same in every process of a run of several, each with
    its own --process_id. auto: Slurm, Open MPI, Kubernetes or a Cloud TPU says how many
    there are and which one this is. Empty: one process."""
    num_processes: int = _option(1, minimum=1, modes=_SEVERAL)
    """Processes of the run, with --coordinator_address=HOST:PORT."""
    process_id: int = _option(0, minimum=0, modes=_SEVERAL)
    """Number of this process, from 0, with --coordinator_address=HOST:PORT. Process 0
    alone prints and writes pictures, summaries and metrics."""
    remat: bool = _option(False, modes=modes.TRAINING)
    """Saves memory of an accelerator by computing the inside of the generators' blocks
    again where a gradient needs it; XLA undoes it on a CPU."""
    debug_nans: bool = _option(False, modes=modes.TRAINING)
    """When a number is no longer finite, takes the step again, one operation after the
    other, and names the first whose result is not."""

    precision: str = _option(
        "float32",
        variants.CHOICES["precision"],
        may_change=False,
        modes=(*modes.TRAINING, *modes.OF_A_CHECKPOINT),
    )
    """What convolutions compute in: float32, or bfloat16, which is faster on GPUs and
    TPUs. Weights, losses, optimizer and batch norm are float32 in both. Networks
    generate in the precision that they were trained in; bfloat16 suits any."""
    steps_per_call: int = _option(1, minimum=1, modes=modes.TRAINING)
    """Steps that the device takes in one call of the host; more than one helps where
    steps are short. Results stay the same but for rounding. Intervals of the log,
    pictures and checkpoints must be multiples."""
    compilation_cache_dir: str = _option("default", path=True, modes=())
    """Folder where compiled programs are kept, so that the next start is quick;
    default: pg2_jax/xla in the user's cache folder; empty for none."""
    profile_steps: str = _option("", modes=("train",))
    """A:B writes a profile of the steps after A up to B to workdir/profile, for
    TensorBoard."""

    def check_processes(self) -> None:
        """Checks that a run of several processes can meet."""
        address = self.coordinator_address
        if address in ("", "auto"):
            for name, default in (("num_processes", 1), ("process_id", 0)):
                if getattr(self, name) != default:
                    raise ValueError(
                        f"--{name}={getattr(self, name)} needs "
                        "--coordinator_address=HOST:PORT."
                    )
            return
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"--coordinator_address={address} must be HOST:PORT.")
        if self.process_id >= self.num_processes:
            raise ValueError(
                f"--process_id={self.process_id} must be below "
                f"--num_processes={self.num_processes}."
            )

    def check_calls(self) -> None:
        """Checks that what is due between steps is not due within a call, and that the
        steps to profile are there."""
        for name in ("log_every", "picture_every", "eval_every", "checkpoint_every"):
            if getattr(self, name) % self.steps_per_call:
                raise ValueError(
                    f"--{name}={getattr(self, name)} must be a multiple of "
                    f"--steps_per_call={self.steps_per_call}, because nothing can be "
                    "done between the steps of a call."
                )
        if self.profile_steps:
            begin, end = files.parse_range("profile_steps", self.profile_steps)
            if not begin < end <= self.total_steps:
                raise ValueError(
                    f"--profile_steps={self.profile_steps} must end after it begins, "
                    f"and by the last step, {self.total_steps}."
                )
