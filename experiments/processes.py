"""Several processes that run as one program: how they meet, and what they agree on."""

import sys
from collections.abc import Callable

import jax
import numpy as np
import tqdm
from jax.experimental import multihost_utils

from experiments.config import Config
from pg2_jax import sharding


def connect(config: Config) -> None:
    """Joins the other processes of the run, before anything is computed."""
    # Our own handler of SIGTERM saves; see `vote`.
    jax.config.update("jax_enable_preemption_service", False)
    address = config.coordinator_address
    try:
        if address == "auto":
            jax.distributed.initialize()
        else:
            jax.distributed.initialize(
                address,
                config.num_processes,
                config.process_id,
                # Every device that this process sees is its own.
                cluster_detection_method="deactivate",
            )
    except (ValueError, RuntimeError) as error:
        reason = f"the processes could not connect: {error}"
        raise ValueError(f"--coordinator_address={address}: {reason}") from error


def is_first() -> bool:
    """Whether this is the process that writes and prints, the only one or number 0."""
    return jax.process_index() == 0


def say(line: str) -> None:
    """Prints a line, once for all processes; above a progress bar, if there is one."""
    if is_first():
        tqdm.tqdm.write(line)
        sys.stdout.flush()


def as_first(decision: bool) -> bool:
    """What the first process has decided, in all; all call it."""
    return bool(multihost_utils.broadcast_one_to_all(np.asarray(decision)))


def gathered(tree):
    """Arrays that are split over the processes, whole and as numpy in all of them."""
    return multihost_utils.process_allgather(tree, tiled=True)


def vote() -> Callable[[bool], bool]:
    """Lets all processes stop at the same step, whichever of them is told to.

    Each calls the result at each step with whether it is told to, and is answered
    whether to stop; of several by the votes of the call before, so that no device
    waits."""
    mesh = sharding.data_mesh()
    is_any = jax.jit(lambda votes: votes.any(), out_shardings=sharding.replicated(mesh))
    before: jax.Array | None = None

    def answer(mine: bool) -> bool:
        nonlocal before
        if jax.process_count() == 1:
            return mine
        votes = np.full(jax.local_device_count(), mine)
        last, before = before, is_any(sharding.put_batch(votes, mesh))
        return last is not None and bool(last)

    return answer
