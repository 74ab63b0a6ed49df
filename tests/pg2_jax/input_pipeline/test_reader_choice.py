"""Which reader "auto" is, and what is said where tensorflow is missing."""

import sys

import pytest

from pg2_jax.input_pipeline import reader_choice

NEEDED = r"needs the package tensorflow: pip install 'pg2_jax\[data\]'"


def test_with_tensorflow_everything_is_there():
    assert reader_choice.choose("auto") == "tf_data"
    assert reader_choice.choose("auto", "memory") == "memory"
    assert reader_choice.choose("auto", "tf_data") == "tf_data"
    assert reader_choice.choose("tf_data", "memory") == "tf_data"
    assert reader_choice.choose("memory", "tf_data") == "memory"


def test_without_tensorflow_there_is_the_memory(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert reader_choice.choose("auto") == "memory"
    assert reader_choice.choose("auto", "memory") == "memory"
    assert reader_choice.choose("memory", "tf_data") == "memory"
    with pytest.raises(ValueError, match=f"reader=tf_data {NEEDED}"):
        reader_choice.choose("tf_data")
    run = f"reader=auto: the run began with tf_data, which {NEEDED}"
    with pytest.raises(ValueError, match=run):
        reader_choice.choose("auto", "tf_data")


def test_another_reader_is_refused():
    with pytest.raises(ValueError, match="reader=torch must be one of auto, tf_data"):
        reader_choice.choose("torch")
