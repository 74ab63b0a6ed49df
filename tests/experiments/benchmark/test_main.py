"""Mistakes in the flags of the benchmark."""

import pytest

from tests import programs


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--what=luck", "--what=luck: value should be one of <data|metrics|train|"),
        ("--scale=0", "--scale=0"),
        ("--output=no/such/b.json", "--output=no/such/b.json: no folder no/such"),
        ("--output=tests", "--output=tests is a folder; name a file"),
        ("--workdir=/no/such", "--workdir=/no/such: there is no such folder"),
        ("--batch_size=2", "--batch_size=2 needs --what=train|plus"),
        ("faster", "unexpected argument 'faster'"),
    ],
)
def test_mistakes_are_named_at_once(argument, message):
    done = programs.run("experiments.benchmark", argument)
    assert done.returncode == 1 and message in done.stderr
    assert "Traceback" not in done.stderr
