"""Which records the picture of a data set shows."""

import numpy as np

from data_prep.records import write_dataset


def test_the_pictured_records_are_drawn_as_numpy_draws():
    drawn = np.random.RandomState(3).choice(50, write_dataset.NUM_PICTURED_PAIRS, False)
    assert write_dataset.pictured_rows(50, seed=3) == drawn.tolist()
    assert sorted(write_dataset.pictured_rows(2, seed=0)) == [0, 1]
