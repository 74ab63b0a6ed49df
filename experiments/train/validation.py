"""Evaluation during training, on pairs of people who are left out of it."""

import dataclasses
import math

import numpy as np

from experiments import processes
from experiments.config import Config
from experiments.evaluate import evaluate
from experiments.options import training as options
from experiments.train import history
from pg2_jax import sharding, train_state
from pg2_jax.checkpoint import restore
from pg2_jax.input_pipeline.pair_reader import PairDataset
from pg2_jax.metrics import suite


@dataclasses.dataclass(frozen=True)
class Standing:
    """How the last stage has done so far by --best_metric."""

    value: float = math.nan  # the best
    step: int | None = None  # where it was first reached, once there is an evaluation
    since: int = 0  # evaluations after that


class Validation:
    """Scores the state of a run on the same pairs again and again."""

    def __init__(self, config: Config, dataset: PairDataset, first_step: int):
        self._config = config
        self._dataset = dataset
        self._mesh = sharding.data_mesh()
        architecture = restore.architecture_of(config.to_json())
        self._first_image = architecture.first_image
        self._score = evaluate.compiled(architecture, options.METRICS)
        # Later rows were undone by a resume.
        rows = history.read(config.workdir)
        self._rows = [row for row in rows if row["step"] <= first_step]
        self._judge()

    def add(self, step: int, values: dict[str, float]) -> float | None:
        """Takes in the scores of a step. Returns their merit if they are the best, else
        None; the same in all processes, of which the first alone has the history."""
        self._rows.append({"step": step, **values})
        self._judge()
        is_best = processes.as_first(self.best.step == step)
        merit = suite.METRICS[self._config.best_metric].better.merit
        return merit(self.best.value) if is_best else None

    def _judge(self) -> None:
        """Sets how the run has done, earlier sessions included, and if it ends here."""
        self.best = standing(self._config, self._rows)
        patience = self._config.early_stop_evals
        self.is_over = processes.as_first(0 < patience <= self.best.since)

    def score(self, state: train_state.TrainState) -> dict[str, float]:
        """Means over the pairs that have a value, the same in all processes, which all
        call this: "validation/refined/l1" and so on; "coarse" before stage II."""
        refine = None
        if state.refine and state.step > self._config.coarse_steps:
            refine = state.refine.drawing_params
        kind = "coarse" if refine is None else "refined"
        scored = self._first_image if refine is None else "refined"
        parts: list[dict[str, np.ndarray]] = []
        for test in self._dataset.test_batches(
            batch_size=self._config.batch_size,
            limit=self._config.eval_pairs,
            split="validation",
        ):
            batch = sharding.put_whole_batch(test.batch, self._mesh)
            _, _, scores = self._score(state.coarse.drawing_params, refine, batch)
            gathered = processes.gathered(scores[scored])
            parts.append({n: x[: len(test.names)] for n, x in gathered.items()})
        means = {}
        for name in options.METRICS:
            values = np.concatenate([part[name] for part in parts])
            finite = values[np.isfinite(values)]
            if len(finite):
                mean = finite.mean(dtype=np.float64)
                means[f"validation/{kind}/{name}"] = float(mean)
        return means


def standing(config: Config, rows: list[history.Row]) -> Standing:
    """Reads the standing from a run's history, which a resumed run has too."""
    # The last stage's image is the only one that is compared, for the first stage
    # generates without G2.
    kind = "refined" if config.stages == "two_stage" else "coarse"
    name = f"validation/{kind}/{config.best_metric}"
    scored = [row for row in rows if name in row]
    if not scored:
        return Standing()
    # The first of the best.
    merit = suite.METRICS[config.best_metric].better.merit
    best = max(scored, key=lambda row: merit(row[name]))
    return Standing(best[name], best["step"], len(scored) - 1 - scored.index(best))
