"""The readers are what is tested here."""

import pytest


@pytest.fixture(autouse=True)
def small_programs(tensorflow_reader):
    """Of tensorflow."""
