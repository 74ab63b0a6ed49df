"""What a training tells of its steps, with TensorBoard's package and without."""

import sys
import time

import numpy as np

from experiments.train import history, log
from tests.experiments.tiny_run import make_config


def test_without_tensorboard_x_the_history_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    training_log = log.TrainingLog(make_config("d", tmp_path), 0)
    assert capsys.readouterr().out == (
        "note: tensorboardX is not installed: no TensorBoard summaries; "
        "pip install 'pg2_jax[programs]'\n"
    )
    training_log.add({"coarse/loss": np.float32(0.5)}, time.monotonic() - 1)
    assert training_log.write(1).startswith("coarse/loss 0.500")
    training_log.add_picture("pairs", np.zeros((2, 2, 3), np.uint8), 1)
    training_log.close()
    (row,) = history.read(str(tmp_path))
    assert (row["step"], row["coarse/loss"]) == (1, 0.5)
    assert not (tmp_path / "summaries").exists()
