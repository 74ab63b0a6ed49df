"""Reports of the steps of a training: screen, TensorBoard, history.jsonl."""

import math
import pathlib
import time
from typing import Any

import jax
import numpy as np

from experiments import processes
from experiments.config import Config
from experiments.train import history, training_steps
from pg2_jax import files, train_state
from pg2_jax.train_step import Metrics


class TrainingLog:
    """Collects the metrics of steps on the device, and fetches and writes them late."""

    def __init__(self, config: Config, first_step: int):
        """Opens the summaries and the history, and hides what is after `first_step`."""
        self._config = config
        self._summaries = None
        self._begin = time.monotonic()
        if processes.is_first():
            self._summaries = _summary_writer(config, first_step)
            self._begin -= history.begin(config.workdir, first_step)
        self._unlogged: list[Metrics] = []
        self._seconds = 0.0  # of the steps since the last entry

    def add(self, metrics: Metrics, begin: float | None = None) -> None:
        """Takes the metrics of the next step, or [steps] arrays of several; counts the
        time since `begin` for the images per second of the next entry."""
        if self._unlogged:
            # One step computes while the next is prepared, no more: a host that runs
            # ahead would fill the memory with batches.
            jax.block_until_ready(self._unlogged[-1])
        self._unlogged.append(metrics)
        if begin is not None:
            self._seconds += time.monotonic() - begin

    def add_picture(self, name: str, picture: np.ndarray, step: int) -> None:
        """Adds a picture, [H, W, 3] uint8, to the summaries."""
        if self._summaries:
            self._summaries.add_image(name, picture, step, dataformats="HWC")

    def add_scalars(self, values: dict[str, float], step: int) -> None:
        """Adds numbers to the summaries and the history."""
        if self._summaries:
            for name, value in values.items():
                self._summaries.add_scalar(name, value, step)
        if processes.is_first():
            seconds = round(time.monotonic() - self._begin, 3)
            history.add(self._config.workdir, step, {**values, "seconds": seconds})

    def write(self, step: int) -> str:
        """Writes the means since the last entry; returns a line for people. A loss that
        is not finite is a FloatingPointError, which names its step."""
        if not self._unlogged:
            return ""
        begin = time.monotonic()
        calls = jax.device_get(self._unlogged)
        self._seconds += time.monotonic() - begin
        fetched: list[Metrics] = []
        for call in calls:
            rows = zip(*map(np.atleast_1d, call.values()), strict=True)
            fetched += [dict(zip(call, row, strict=True)) for row in rows]
        for number, metrics in enumerate(fetched, start=step - len(fetched) + 1):
            bad = [f"{n} is {x}" for n, x in metrics.items() if not math.isfinite(x)]
            if bad:
                raise not_finite(self._config, number, ", ".join(bad))
        # The first step of stage II can share an interval with the last of stage I.
        names = dict.fromkeys(name for metrics in fetched for name in metrics)
        means = {
            name: float(np.mean([m[name] for m in fetched if name in m]))
            for name in names
        }
        rate = len(fetched) * self._config.batch_size / self._seconds
        learning_rate = training_steps.learning_rate(self._config, step - 1)
        rates = {"images_per_second": rate, "learning_rate": learning_rate}
        self.add_scalars(means | rates, step)
        self._unlogged, self._seconds = [], 0.0
        losses = [f"{n} {v:.3f}" for n, v in means.items() if n.endswith("/loss")]
        return ", ".join([*losses, f"{rate:.0f} images/s"])

    def close(self) -> None:
        if self._summaries:
            self._summaries.close()


def _summary_writer(config: Config, first_step: int) -> Any:
    """For TensorBoard; None if the package is not installed."""
    try:
        import tensorboardX
    except ModuleNotFoundError:
        processes.say(
            "note: tensorboardX is not installed: no TensorBoard summaries; "
            "pip install 'pg2_jax[programs]'"
        )
        return None
    folder = pathlib.Path(config.workdir) / "summaries"
    return tensorboardX.SummaryWriter(str(folder), purge_step=first_step + 1)


def not_finite(config: Config, step: int, what: str) -> FloatingPointError:
    """The error of a training that has left the finite numbers."""
    return FloatingPointError(
        f"step {step}: {what}. Checkpoints in {config.workdir}, if any, are from "
        f"before this step; try a --learning_rate below {config.learning_rate:g} in a "
        "new workdir."
    )


class Profile:
    """Records the calls that hold steps of --profile_steps into workdir/profile."""

    def __init__(self, config: Config):
        steps = config.profile_steps or "0:0"
        self._first, self._last = files.parse_range("profile_steps", steps)
        self._folder = pathlib.Path(config.workdir) / "profile"
        self._recording = False

    def begin(self, step: int, count: int) -> None:
        """To be called before the steps after `step`."""
        if not self._recording and step < self._last and step + count > self._first:
            jax.profiler.start_trace(self._folder)
            self._recording = True

    def end(self, step: int, state: train_state.TrainState) -> None:
        """To be called with the state after `step` steps, which may be computing."""
        if self._recording and step >= self._last:
            jax.block_until_ready(state)
            self.close()

    def close(self) -> None:
        """Writes what was recorded of a run that ends early."""
        if self._recording:
            self._recording = False
            jax.profiler.stop_trace()
