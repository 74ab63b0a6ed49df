"""Evaluation during training, on pairs of people who are held out from it."""

import dataclasses
import math

import numpy as np
from jax.sharding import Mesh

from experiments import processes
from experiments.config import Config
from experiments.evaluate import evaluate
from experiments.options import training as options
from experiments.train import history
from pg2_jax import models, sharding, train_state
from pg2_jax.input_pipeline import pair_reader
from pg2_jax.metrics import suite


class Validation:
    """Scores the state of a run on the same pairs again and again."""

    def __init__(
        self,
        config: Config,
        architecture: models.Architecture,
        dataset: pair_reader.PairDataset,
        mesh: Mesh,
    ):
        self._config = config
        self._dataset = dataset
        self._mesh = mesh
        self._score = evaluate.compiled(architecture, mesh, options.METRICS)

    def score(self, state: train_state.TrainState) -> dict[str, float]:
        """The mean of each metric over the pairs that have a value; the same in all
        processes, which all call this.

        Returns:
            Such as "validation/refined/l1"; G1's image, "coarse", before stage II.
        """
        refine = None
        if state.refine and state.step > self._config.coarse_steps:
            refine = state.refine.drawing_params
        kind = "coarse" if refine is None else "refined"
        parts: list[dict[str, np.ndarray]] = []
        for test in self._dataset.test_batches(
            batch_size=self._config.batch_size,
            limit=self._config.eval_pairs,
            split="validation",
        ):
            batch = sharding.put_whole_batch(test.batch, self._mesh)
            _, _, found = self._score(state.coarse.drawing_params, refine, batch)
            scores = processes.gathered(found[kind])
            parts.append({n: x[: len(test.names)] for n, x in scores.items()})
        means = {}
        for name in options.METRICS:
            values = np.concatenate([part[name] for part in parts])
            if np.isfinite(values).any():
                mean = values[np.isfinite(values)].mean(dtype=np.float64)
                means[f"validation/{kind}/{name}"] = float(mean)
        return means


@dataclasses.dataclass(frozen=True)
class Standing:
    """How the last stage has done so far by --best_metric.

    Attributes:
        value: the best.
        step: where it was first reached; None before the first evaluation.
        since: evaluations after that.
    """

    value: float = math.nan
    step: int | None = None
    since: int = 0


def rows(config: Config, last_step: int) -> list[history.Row]:
    """The evaluations in a run's history, up to a step.

    Args:
        config: of the run.
        last_step: what lies behind it was undone by a resume.
    """
    found = [row for row in history.read(config.workdir) if row["step"] <= last_step]
    return [row for row in found if any(n.startswith("validation/") for n in row)]


def standing(config: Config, rows: list[history.Row]) -> Standing:
    """Reads the standing from a run's history, which a resumed run has too.

    Args:
        config: of the run.
        rows: of its history.
    """
    best = Standing()
    for row in rows:
        value = row.get(_name(config))
        if value is None:
            continue
        if best.step is None or score(config, value) > score(config, best.value):
            best = Standing(value, row["step"])
        else:
            best = dataclasses.replace(best, since=best.since + 1)
    return best


def is_over(config: Config, rows: list[history.Row]) -> bool:
    """Whether --early_stop_evals says that the last stage ends here."""
    return 0 < config.early_stop_evals <= standing(config, rows).since


def score(config: Config, value: float) -> float:
    """A value of --best_metric as a number that is better when it is higher."""
    return value if suite.METRICS[config.best_metric].higher_is_better else -value


def _name(config: Config) -> str:
    """--best_metric of the last stage's image: the only one that is compared, for the
    first stage draws without G2."""
    kind = "refined" if config.stages == "two_stage" else "coarse"
    return f"validation/{kind}/{config.best_metric}"
