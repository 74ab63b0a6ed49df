"""--what=checkpoint."""

import pytest

from experiments.benchmark import checkpoint


@pytest.mark.slow
def test_a_checkpoint_has_the_size_of_the_state(tmp_path):
    # Wide enough that the parts which are written twice, at times half a megabyte, and
    # the names of the arrays are little of it.
    measured = checkpoint.measure(tmp_path, scale=0.08, repeats=2)
    size, *seconds = measured.series
    # Weights and two moments in float32; random bits do not compress by much.
    want = measured.facts["parameters"] * 3 * 4 / 2**30
    assert 0.9 * want < size.values[0] < 1.1 * want
    assert all(len(s.values) == 2 and min(s.values) > 0 for s in seconds)
