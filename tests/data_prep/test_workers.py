"""data_prep.workers: jobs of several processes, and what becomes of their errors."""

import os

import pytest

from data_prep import workers
from pg2_jax import errors


def _squared(number: int) -> int:
    return number * number


def _refuse(number: int) -> int:
    raise errors.ArgumentError("model", number, " is not a model.")


def _die(number: int) -> int:
    os._exit(1)


@pytest.mark.parametrize("processes", [1, 2])
def test_all_jobs_are_done_once(processes):
    with workers.results(_squared, range(20), processes) as done:
        assert sorted(done) == [number**2 for number in range(20)]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_of_a_process_arrives_as_it_was_raised(processes):
    # An error that cannot be unpickled once stopped everything without a word.
    refused = pytest.raises(errors.ArgumentError, match=r"^model=7 is not a model\.$")
    with workers.results(_refuse, [7, 7], processes) as done, refused:
        list(done)


def test_a_process_that_dies_is_an_error():
    refused = pytest.raises(ChildProcessError, match=r"process died.*--workers=1")
    with refused, workers.results(_die, range(20), 2) as done:
        list(done)
