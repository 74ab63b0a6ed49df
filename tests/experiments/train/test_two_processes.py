"""Two processes of one device each do what one process of two devices does."""

import dataclasses
import json
import signal

import jax
import numpy as np
import pytest

from experiments.evaluate import evaluate
from experiments.train import history, train
from pg2_jax.checkpoint import restore
from tests.experiments import program_processes, untrained_run
from tests.experiments.tiny_run import make_config, state_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def first_weights():
    """Those of the seed, which other processes draw, too."""


def test_they_stop_together_and_one_goes_on(pair_dataset, tmp_path):
    """SIGTERM to one of two; then one process takes a step more. All steps and
    validations are as if it had been alone."""
    many = make_config(
        pair_dataset,
        tmp_path / "two",
        reader="memory",
        photos_on="device",
        coarse_steps=1,
        refine_steps=500,
        checkpoint_every=1000,
        ema_decay=0.5,
        validation_share=0.25,
        eval_every=2,
        eval_pairs=6,
    )
    logs = [tmp_path / str(i) for i in range(2)]
    both = program_processes.start_two(many, logs)
    # Three steps are reported, and the validation of the second.
    said = program_processes.wait_for_step(both[0], logs[0], count=4)
    assert said == 3, [log.read_text() for log in logs]
    both[1].send_signal(signal.SIGTERM)
    statuses = [process.wait(program_processes.PATIENCE) for process in both]
    assert statuses == [143, 143]
    assert "step" not in both[1].stdout.read()  # Process 0 alone prints.
    stopped_at = restore.restore_generators(many.workdir).step
    assert said <= stopped_at < many.total_steps

    # The step more is one of stage II.
    two = dataclasses.replace(many, refine_steps=stopped_at)
    one = dataclasses.replace(two, workdir=str(tmp_path / "one"), photos_on="host")
    for config in (one, two):
        assert train.train(config) is None
    assert_nearly_equal(state_of(two), state_of(one))
    for name in ("l1", one.best_metric):
        got, want = (
            values(config, f"validation/refined/{name}") for config in (two, one)
        )
        assert list(got) == list(want) and 2 in got
        np.testing.assert_allclose(list(got.values()), list(want.values()), rtol=1e-3)
    best = [restore.restore_generators(c.workdir, "best").step for c in (one, two)]
    assert best[0] == best[1]


def values(config, name):
    """By the steps at which it was noted."""
    rows = history.read(config.workdir)
    return {row["step"]: row[name] for row in rows if name in row}


def assert_nearly_equal(state, other):
    """Fails unless the weights are equal but for sums over the batch that are rounded
    in another order."""
    for one in (state, other):
        # The batch norm takes away the bias before it, whose gradient is nothing but
        # rounding, which Adam enlarges.
        one.discriminator.params["conv1"].pop("bias")
    for name in ("coarse", "refine", "discriminator"):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-4),
            getattr(state, name).params,
            getattr(other, name).params,
        )


def test_they_evaluate_as_one(pair_dataset, tmp_path):
    results = []
    for count in (2, 1):
        folder = tmp_path / str(count)
        config = make_config(pair_dataset, folder, mode="evaluate", max_test_pairs=13)
        untrained_run.write(config)
        if count == 1:
            evaluate.evaluate(config)
        else:
            said = program_processes.run_two(config, tmp_path)
            assert "copy of source" in said[0]
            assert "copy of source" not in said[1]
        results.append((folder / "metrics.json").read_text())
        assert (folder / "evaluation.png").is_file()
    pictures = [(tmp_path / n / "evaluation.png").read_bytes() for n in ("1", "2")]
    two, one = ([float(x) for x in numbers(text)] for text in results)
    np.testing.assert_allclose(two, one, rtol=1e-3)
    assert pictures[0] == pictures[1]


def numbers(text):
    metrics = json.loads(text)["metrics"]
    return [r["mean"] for kind in metrics.values() for r in kind.values()]
