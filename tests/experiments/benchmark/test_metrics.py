"""The two programs of --what=metrics compute the same; the books are right."""

import numpy as np
import pytest

from experiments.benchmark import metrics


@pytest.mark.slow
def test_the_loop_and_the_library_agree():
    pytest.importorskip("skimage.metrics")
    pairs = metrics.random_pairs(10)
    assert [x.shape for x in pairs] == [(10, 128, 64, 3)] * 2 + [(10, 128, 64, 1)]
    ours, loop = (
        metrics.score(*pairs),
        metrics._scikit_image()(*pairs),
    )
    assert list(ours) == list(loop) == list(metrics.NAMES)
    for name in metrics.NAMES:
        np.testing.assert_allclose(ours[name], loop[name], rtol=1e-5)
    # Neither the trivial 0 nor the trivial 1.
    assert ours["ssim_pg2"].min() > 0.1 and ours["masked_ssim_gauss"].max() < 0.99


def test_rates_are_pairs_per_second(tmp_path, monkeypatch):
    pairs = [np.zeros((480, 2, 1, 3), np.uint8)] * 3
    monkeypatch.setattr(metrics, "random_pairs", lambda count: pairs)
    scores = dict.fromkeys(metrics.NAMES, np.zeros(480))
    monkeypatch.setattr(metrics, "score", lambda *pairs: scores)
    monkeypatch.setattr(metrics, "_scikit_image", lambda: lambda *pairs: scores)

    def take_turns(programs, turns):
        assert turns == 25
        # Of all turns together 2 and 30 seconds, of the processor 4 and 20.
        times = {"pg2_jax": (2.0, 4.0), "scikit-image loop": (30.0, 20.0)}
        return {
            name: tuple([seconds / turns] * turns for seconds in times[name])
            for name in programs
        }

    monkeypatch.setattr(metrics.measurement, "take_turns", take_turns)
    measured = metrics.measure(tmp_path, scale=1, repeats=2)
    assert measured.facts["pairs"] == 12_000
    assert measured.facts["largest difference"] == 0
    found = {series.name: list(series.values) for series in measured.series}
    for name, want in {
        "pg2_jax": 6000,
        "scikit-image loop": 400,
        "pg2_jax / scikit-image loop": 15,
        "the same by CPU time": 5,
    }.items():
        assert found.pop(name) == pytest.approx([want, want])
    assert not found
