"""--profile_steps: where the time of some steps goes, for TensorBoard."""

import pathlib

import jax

from experiments.config import Config
from pg2_jax import files, train_state


class Profile:
    """Records the calls that hold steps of --profile_steps into workdir/profile."""

    def __init__(self, config: Config):
        """Notes which steps; empty for none."""
        self._first, self._last = 0, 0
        if config.profile_steps:
            self._first, self._last = files.parse_range(
                "profile_steps", config.profile_steps
            )
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
