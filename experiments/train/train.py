"""--mode=train: both stages of PG2 in one resumable run."""

import contextlib
import pathlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import tqdm

from experiments import pictures, processes
from experiments.config import Config
from experiments.train import (
    dry_run,
    history,
    log,
    profiling,
    resume,
    training_steps,
    validation,
)
from pg2_jax import locks, models, sharding, train_state
from pg2_jax.checkpoint import checkpointer, restore
from pg2_jax.input_pipeline import pair_reader


def train(config: Config) -> int | None:
    """Trains, or goes on from the newest checkpoint of the workdir.

    Args:
        config: of the run; its data set and workdir are read and written.

    Returns:
        None when the run has ended, or the number of the signal that stopped the run
        after a last checkpoint.

    Raises:
        ValueError: the flags, the data set and the workdir do not fit each other.
        FloatingPointError: a loss is not finite; names the steps.
    """
    dataset = pair_reader.PairDataset(config.data_dir, config.validation_share)
    config = config.with_size(dataset.height, dataset.width)
    architecture = restore.architecture_of(config.to_json())
    sharding.check_batch_size(config.batch_size, config.grad_accumulation)
    dataset.count("train")
    if config.pose_embedding == "view":
        for split in dataset.splits:
            dataset.require_views(split)
    if config.dry_run:
        dry_run.show(config, architecture, dataset)
        return None
    with _claimed(config.workdir):
        run = _Run(config, architecture, dataset)
        processes.say(_announcement(config, dataset, run.state))
        with _signals() as received, _closing(run):
            stopped = run.until(config.total_steps, stop=lambda: bool(received))
    # Another process may be the one that was told to stop.
    return (received or [signal.SIGTERM])[0] if stopped else None


def _claimed(workdir: str) -> contextlib.AbstractContextManager[None]:
    """Keeps a second training out of the workdir."""
    if not processes.is_first():
        return contextlib.nullcontext()
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    return locks.holding(folder / ".lock", f"--workdir={workdir}")


def _announcement(
    config: Config, dataset: pair_reader.PairDataset, state: train_state.TrainState
) -> str:
    """What is about to happen, in one line."""
    players = {"G1": state.coarse, "G2": state.refine, "D": state.discriminator}
    sizes = [
        f"{name} {sum(x.size for x in jax.tree.leaves(player.params)):,}"
        for name, player in players.items()
        if player
    ]
    device, step = jax.devices()[0], int(state.step)
    count = jax.process_count()
    several = f" in {count} processes" if count > 1 else ""
    start = f"goes on from step {step:,}; " if step else ""
    return (
        f"{config.workdir}: {start}{dataset.count('train'):,} pairs of "
        f"{config.image_size}, "
        f"{', '.join(sizes)} parameters, {jax.device_count()} x {device.device_kind}"
        f"{several}; "
        f"{_STAGES[config.stages].format(config.coarse_steps, config.total_steps)}."
    )


_STAGES = {
    "two_stage": "stage I to step {:,}, stage II to {:,}",
    "one_stage": "one adversarial stage to step {:,}",
    "coarse": "stage I alone, to step {:,}",
}


class _Run:
    """A run in progress: the state on the devices, and where its results go."""

    def __init__(
        self,
        config: Config,
        architecture: models.Architecture,
        dataset: pair_reader.PairDataset,
    ):
        self._config = config
        self._mesh = sharding.data_mesh()
        self._stages = training_steps.compiled(config, architecture, self._mesh)
        stored = {**config.to_json(), "data": dataset.metadata}
        self._checkpoints = checkpointer.Checkpointer(
            config.workdir, stored, keep=config.keep_checkpoints
        )
        self.state = resume.restored(
            config, architecture, dataset, self._checkpoints, self._stages, self._mesh
        )
        self._first = first = int(self.state.step)
        if processes.is_first():
            history.write_config(config.workdir, stored, first)
        batches = dataset.training_batches(
            batch_size=config.batch_size,
            seed=config.seed,
            first_step=first,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        self._batches = training_steps.feed(config, batches, first, self._mesh)
        self._profile = profiling.Profile(config)
        self._pictures = None
        wanted = config.picture_every and processes.is_first()
        if wanted and "test" in dataset.splits:
            self._pictures = pictures.ProgressPictures(config, architecture, dataset)
        self._log = log.TrainingLog(config, first)
        self._vote = processes.Vote(self._mesh)
        self._validation = None
        if config.eval_every:
            self._validation = validation.Validation(
                config, architecture, dataset, self._mesh
            )
        # What earlier starts of the run have found. Later evaluations join it here,
        # because one process alone writes the file.
        self._rows = validation.rows(config, last_step=first)
        self._over = processes.as_first(validation.is_over(config, self._rows))

    def until(self, last: int, stop: Callable[[], bool]) -> bool:
        """Takes the steps up to `last`, or fewer if `stop` says so in any process, and
        saves; returns whether it was told to stop."""
        config, step = self._config, int(self.state.step)
        if step < last and self._over:
            processes.say(self._ended(step, last))
            return False
        if step >= last:
            self._save(step)  # of a run that begins with all it needs
            processes.say(f"{config.workdir} has {step} steps; {last} were asked for.")
            return False
        stopping = self._vote(stop())
        with _progress_bar(config, step) as bar:
            while step < last and not stopping and not self._over:
                count = training_steps.call_length(config, step)
                self._profile.begin(step, count)
                self._take_step(step)
                step += count
                self._profile.end(step, self.state)
                bar.update(count)
                stopping = self._vote(stop())
                if _is_due(step, config.log_every, last) or stopping:
                    line = self._log.write(step)
                    bar.set_postfix_str(line)
                    if bar.disable:
                        processes.say(f"step {step}: {line}")
                if self._pictures and _is_due(step, config.picture_every, last):
                    grid = self._pictures.draw(self.state, step)
                    self._log.add_picture("pairs", grid, step)
                if self._validation and _is_due(step, config.eval_every, last):
                    processes.say(self._validate(self._validation, step), bar)
                if _is_due(step, config.checkpoint_every, last):
                    self._save(step)
            self._save(step)
        processes.say(self._ended(step, last))
        return stopping

    def _validate(self, judge: validation.Validation, step: int) -> str:
        """Scores the state, saves it if it is the best; returns a line for people."""
        config, values = self._config, judge.score(self.state)
        self._log.add_scalars(values, step)
        self._rows.append({"step": step, **values})
        best = validation.standing(config, self._rows)
        self._over = processes.as_first(validation.is_over(config, self._rows))
        is_best = processes.as_first(best.step == step)
        if is_best:
            self._save(step, score=validation.score(config, best.value))
        found = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        return f"step {step}: {found}{' (best)' if is_best else ''}"

    def _ended(self, step: int, last: int) -> str:
        """Says where and why a run goes no further, and where it was best."""
        config = self._config
        here = f"{config.workdir}: step {step} of {last},"
        best = validation.standing(config, self._rows)
        where = ""
        if best.step is not None:
            where = (
                f" {config.best_metric} was best at step {best.step}: {best.value:.4f}."
            )
        if step >= last:
            return f"{here} finished.{where}"
        if self._over:
            evaluations = f"{config.early_stop_evals} evaluations without a better one"
            return f"{here} ended early after {evaluations}.{where}"
        return f"{here} stopped; the same command goes on.{where}"

    def _take_step(self, step: int) -> None:
        begin = time.monotonic()
        stage = self._stages.first
        if step >= self._config.coarse_steps:
            stage = self._stages.second
        before, batch = self.state, next(self._batches)
        self.state, metrics = stage(before, batch)
        if self._config.debug_nans and not _all_finite((self.state, metrics)):
            self._find_operation(stage, before, batch, step)
        self._log.add(metrics)
        if step not in (self._first, self._config.coarse_steps):
            # The first step of a stage is compiled, which says nothing of the others.
            self._log.add_seconds(time.monotonic() - begin)

    def _find_operation(
        self, stage: training_steps.Step, state: Any, batch: Any, step: int
    ) -> None:
        """Takes a step again, one operation after the other, up to the one that is not
        finite."""
        try:
            with jax.disable_jit(), jax.debug_nans(True), jax.debug_infs(True):
                stage(state, batch)
        except FloatingPointError as error:
            advice = log.advice(self._config)
            raise FloatingPointError(f"step {step + 1}: {error}. {advice}") from error

    def _save(self, step: int, score: float | None = None) -> None:
        """Saves a state whose losses and weights are known to be finite."""
        self._log.write(step)
        # The last update came after the last loss.
        players = (self.state.coarse, self.state.refine, self.state.discriminator)
        if not _all_finite([player.params for player in players if player]):
            advice = log.advice(self._config)
            raise FloatingPointError(f"step {step}: a weight is not finite. {advice}")
        self._checkpoints.save(self.state, score)

    def close(self) -> None:
        """Waits for what is still being written."""
        self._profile.close()
        self._checkpoints.close()
        self._log.close()


@contextlib.contextmanager
def _closing(run: _Run) -> Iterator[None]:
    """Closes a run; what fails then does not hide why the run has ended."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            run.close()
        raise
    run.close()


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    """[] whether every number is finite."""
    return jnp.all(jnp.array([jnp.isfinite(x).all() for x in jax.tree.leaves(tree)]))


def _is_due(step: int, every: int, last: int) -> bool:
    return step % every == 0 or step == last


def _progress_bar(config: Config, step: int) -> tqdm.tqdm:
    return tqdm.tqdm(
        total=config.total_steps,
        initial=step,
        unit="step",
        # None: unless it is a terminal.
        disable=None if config.progress and processes.is_first() else True,
        dynamic_ncols=True,
    )


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGTERM and Ctrl-C, so that the loop can save and stop."""
    received: list[int] = []

    def note(number, _frame):
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt  # pressed twice: stop at once
        received.append(number)

    handled = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, note) for number in handled}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
