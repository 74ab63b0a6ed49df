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
    def program(seconds):
        clock = iter(seconds)
        return lambda *pairs: (
            next(clock) and dict.fromkeys(metrics.NAMES, np.zeros(480))
        )

    pairs = [np.zeros((480, 2, 1, 3), np.uint8)] * 3
    monkeypatch.setattr(metrics, "random_pairs", lambda count: pairs)
    monkeypatch.setattr(metrics, "score", program([1] * 9))
    monkeypatch.setattr(metrics, "_scikit_image", lambda: program([1] * 9))
    turns = {"pg2_jax": (2.0, 4.0), "scikit-image loop": (30.0, 20.0)}
    monkeypatch.setattr(metrics, "_take_turns", lambda *_: turns)
    measured = metrics.measure(tmp_path, scale=1, repeats=2)
    assert measured.facts["pairs"] == 12_000
    assert measured.facts["largest difference"] == 0
    found = {series.name: list(series.values) for series in measured.series}
    assert found == {
        "pg2_jax": [6000, 6000],
        "scikit-image loop": [400, 400],
        "pg2_jax / scikit-image loop": [15, 15],
        "the same by CPU time": [5, 5],
    }
