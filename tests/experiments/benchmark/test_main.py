"""Mistakes in the flags of the benchmark."""

import pytest

from experiments.benchmark import __main__ as benchmark
from tests import programs


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--what=luck", "--what=luck: value should be one of <data|metrics|train|"),
        ("--scale=-1", "--scale=-1"),
        (
            "--output=no/such/b.json",
            "--output=no/such/b.json: there is no folder no/such",
        ),
        ("--output=tests", "--output=tests is a folder; name a file"),
        ("--workdir=/no/such", "--workdir=/no/such: there is no such folder"),
        ("--batch_size=2", "--batch_size=2 needs --what=train|plus"),
        ("--image_size=big", "--image_size=big needs --what=train|plus|accelerator"),
        ("faster", "unexpected argument 'faster'"),
    ],
)
def test_mistakes_are_named_at_once(argument, message):
    done = programs.run("experiments.benchmark", argument)
    assert done.returncode == 1 and message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({"what": "train"}, [(1.0, 2), (0.125, 8)]),
        ({"what": "train", "batch_size": 3}, [(1.0, 3), (0.125, 3)]),
        ({"what": "train", "scale": 0.25}, [(0.25, 8)]),
        ({"what": "plus"}, [(1.0, 2)]),
    ],
)
def test_widths_and_batches(given, want):
    works = benchmark._works(benchmark.Options(**given))
    assert [(work["scale"], work["batch_size"]) for work in works] == want


def test_all_that_has_no_batch_is_of_full_size():
    assert benchmark._works(benchmark.Options(what="data")) == [{"scale": 1.0}]
    small = benchmark.Options(what="metrics", scale=0.1)
    assert benchmark._works(small) == [{"scale": 0.1}]
