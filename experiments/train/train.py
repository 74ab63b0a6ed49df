"""--mode=train: both stages of PG2 in one resumable run."""

import contextlib
import dataclasses
import pathlib
import signal
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import tqdm

from experiments import config_compatibility, interrupts, pictures, processes
from experiments.config import Config
from experiments.train import dry_run, history, log, starting_state, training_steps
from experiments.train.training_steps import Photos
from experiments.train.validation import Validation
from pg2_jax import files, sharding, train_state
from pg2_jax.checkpoint import checkpointer
from pg2_jax.input_pipeline.pair_reader import PairDataset

OnStep = Callable[[train_state.TrainState], None]
_STAGES = {
    "two_stage": ("stage I to step {:,}", "stage II to {:,}"),
    "one_stage": ("one adversarial stage to step {:,}",),
    "coarse": ("stage I alone, to step {:,}",),
    "one_network": ("one network by L1 to step {:,}", "against D to {:,}"),
}


def stages_of(config: Config) -> str:
    """What a run trains until which step; a second stage without steps is not named."""
    ends = sorted({config.coarse_steps, config.total_steps})
    stages = zip(_STAGES[config.stages], ends, strict=False)
    return ", ".join(stage.format(end) for stage, end in stages)


def train(config: Config, on_step: OnStep = lambda state: None) -> int | None:
    """Trains, or resumes from the newest checkpoint of the workdir.

    `on_step` is called with the state before the first step and after each call of the
    devices, of which the next reuses the state's memory. Returns the number of the
    signal that stopped the run after a last checkpoint, None when the run has ended.
    """
    config = config_compatibility.with_reader(config)
    dataset = PairDataset(
        config.data_dir,
        config.validation_share,
        reader=config.reader,
        reader_memory_gib=config.reader_memory_gib,
    )
    config = config.with_size(dataset.height, dataset.width)
    readers = dataset.virtual_readers(config.batch_size, config.virtual_readers)
    calls = training_steps.steps_per_call(config)
    config = dataclasses.replace(config, virtual_readers=readers, steps_per_call=calls)
    training_steps.architecture_of(config)  # refuses networks that cannot be built
    sharding.check_batch_size(config.batch_size, config.grad_accumulation)
    dataset.prepare_training()
    if config.pose_embedding == "view":
        for split in dataset.splits:
            dataset.require_views(split)
    photos = training_steps.put_photos(config, dataset)
    if config.dry_run:
        dry_run.show(config, dataset, photos)
        return None
    with contextlib.ExitStack() as stack:
        if processes.is_first():
            # Keeps a second training out of the workdir.
            folder = pathlib.Path(config.workdir)
            folder.mkdir(parents=True, exist_ok=True)
            lock = files.locked(folder / ".lock", f"--workdir={config.workdir}")
            stack.enter_context(lock)
        run = _Run(config, dataset, photos, on_step)
        received = stack.enter_context(interrupts.collected())
        stack.push(run.close)
        stopped = run.to_the_end(stop=lambda: bool(received))
    # Another process may be the one that was told to stop.
    return (received or [signal.SIGTERM])[0] if stopped else None


class _Run:
    """A run in progress: the state on the devices, and where its results go."""

    def __init__(
        self, config: Config, dataset: PairDataset, photos: Photos, on_step: OnStep
    ):
        self._config, self._dataset = config, dataset
        self._photos, self._on_step = photos, on_step
        self._stages = training_steps.compiled(config)
        stored = {**config.to_json(), "data": dataset.metadata}
        self._checkpoints = checkpointer.Checkpointer(
            config.workdir, stored, keep=config.keep_checkpoints
        )
        self._state = starting_state.find(config, dataset, self._checkpoints)
        self._first = first = int(self._state.step)
        if processes.is_first():
            history.write_config(config.workdir, stored, first)
        batches = dataset.training_batches(
            batch_size=config.batch_size,
            seed=config.seed,
            first_step=first,
            virtual_readers=config.virtual_readers,
            numbered=photos is not None,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        self._batches = training_steps.feed(config, batches, first)
        self._pictures = None
        if config.picture_every and processes.is_first() and "test" in dataset.splits:
            self._pictures = pictures.of_progress(config, dataset)
        self._profile = log.Profile(config)
        self._log = log.TrainingLog(config, first)
        self._validation = Validation(config, dataset, first)
        self._vote = processes.vote()

    def close(self, failure: type[BaseException] | None, *_: object) -> None:
        """Waits for what is being written; its failure does not hide the run's."""
        suppressed = [OSError] if failure else []
        with contextlib.suppress(*suppressed), contextlib.ExitStack() as all_of_them:
            for each in (self._log, self._checkpoints, self._profile):
                all_of_them.callback(each.close)

    def to_the_end(self, stop: Callable[[], bool]) -> bool:
        """Takes the steps that are left, or fewer if `stop` says so in any process, and
        saves; returns whether it was told to stop."""
        config, step = self._config, self._first
        last, stopping = config.total_steps, False
        processes.say(self._announcement())
        self._on_step(self._state)
        if step < last and not self._validation.is_over:
            stopping = self._vote(stop())
            with tqdm.tqdm(
                total=last,
                initial=step,
                unit="step",
                # None: unless it is a terminal.
                disable=None if config.progress and processes.is_first() else True,
                dynamic_ncols=True,
            ) as bar:
                while step < last and not stopping and not self._validation.is_over:
                    step = self._take_steps(step)
                    stopping = self._vote(stop())
                    self._report(step, bar, stopping)
                self._save(step)
        elif step >= last:
            self._save(step)  # of a run that begins with all it needs
        # What is said to be finished is on the disk.
        self._checkpoints.wait()
        processes.say(self._ending(step))
        return stopping

    def _take_steps(self, step: int) -> int:
        """Takes the steps of one call; returns how many are finished then."""
        count = training_steps.call_length(self._config, step)
        self._profile.begin(step, count)
        begin = time.monotonic()
        first, second = self._stages
        stage = first if step < self._config.coarse_steps else second
        take = stage.step if count == 1 else stage.steps
        before, batch = self._state, next(self._batches)
        self._state, metrics = take(before, batch, self._photos)
        if self._config.debug_nans and not _all_finite((self._state, metrics)):
            # Again by single operations, up to the one that is not finite.
            try:
                with jax.disable_jit(), jax.debug_nans(True), jax.debug_infs(True):
                    take(before, batch, self._photos)
            except FloatingPointError as error:
                raise log.not_finite(self._config, step + 1, str(error)) from error
        # The first step of a stage is compiled, which says nothing of the others.
        is_first = step in (self._first, self._config.coarse_steps)
        self._log.add(metrics, None if is_first else begin)
        self._profile.end(step + count, self._state)
        self._on_step(self._state)
        return step + count

    def _report(self, step: int, bar: tqdm.tqdm, stopping: bool) -> None:
        config = self._config
        bar.update(step - bar.n)

        def is_due(every: int) -> bool:
            return bool(every) and (step % every == 0 or step == config.total_steps)

        if is_due(config.log_every) or stopping:
            line = self._log.write(step)
            bar.set_postfix_str(line)
            if bar.disable:
                processes.say(f"step {step}: {line}")
        if self._pictures and is_due(config.picture_every):
            grid = self._pictures(self._state, step)
            self._log.add_picture("pairs", grid, step)
        if is_due(config.eval_every):
            processes.say(self._validate(step))
        if is_due(config.checkpoint_every):
            self._save(step)

    def _validate(self, step: int) -> str:
        """Scores the state, saves it if it is the best; returns a line for people."""
        values = self._validation.score(self._state)
        self._log.add_scalars(values, step)
        best = self._validation.add(step, values)
        if best is not None:
            self._save(step, score=best)
        scores = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
        return f"step {step}: {scores}{'' if best is None else ' (best)'}"

    def _save(self, step: int, score: float | None = None) -> None:
        """Saves a state whose losses and weights are known to be finite."""
        self._log.write(step)
        # The last update came after the last loss.
        players = self._state.players.values()
        if not _all_finite([player.params for player in players]):
            raise log.not_finite(self._config, step, "a weight is not finite")
        self._checkpoints.save(self._state, score)

    def _announcement(self) -> str:
        config, players = self._config, self._state.players.items()
        sizes = ", ".join(f"{name} {player.size:,}" for name, player in players)
        device, count = jax.devices()[0].device_kind, jax.process_count()
        several = f" in {count} processes" if count > 1 else ""
        start = f"resumes from step {self._first:,}; " if self._first else ""
        return (
            f"{config.workdir}: {start}{self._dataset.count('train'):,} pairs of "
            f"{config.image_size}, {sizes} parameters, "
            f"{jax.device_count()} x {device}{several}; {stages_of(config)}."
        )

    def _ending(self, step: int) -> str:
        """Says where and why a run goes no further, and where it was best."""
        config, best = self._config, self._validation.best
        if self._first >= config.total_steps:
            already = f"{config.workdir} has {step} steps already"
            return f"{already}; this training ends at {config.total_steps}."
        if step >= config.total_steps:
            how = "finished."
        elif self._validation.is_over:
            evaluations = f"{config.early_stop_evals} evaluations"
            how = f"ended early after {evaluations} without a better one."
        else:
            how = "stopped; the same command resumes it."
        if best.step is not None:
            where = f"{config.best_metric} was best at step {best.step}"
            how += f" {where}: {best.value:.4f}."
        return f"{config.workdir}: step {step} of {config.total_steps}, {how}"


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    return jnp.all(jnp.array([jnp.isfinite(x).all() for x in jax.tree.leaves(tree)]))
