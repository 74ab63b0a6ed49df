"""Errors name arguments; programs name flags."""

import pytest

from pg2_jax import errors


@pytest.mark.parametrize(
    ("flag_of", "message"),
    [
        ({}, "--model=a.onnx: there is no such file."),
        ({"model": "pose_model"}, "--pose_model=a.onnx: there is no such file."),
    ],
)
def test_a_program_names_the_flag_of_an_argument(flag_of, message):
    error = errors.ArgumentError("model", "a.onnx", ": there is no such file.")
    assert str(error) == "model=a.onnx: there is no such file."
    assert errors.for_programs(error, flag_of) == message


def test_other_errors_speak_for_themselves():
    assert errors.for_programs(OSError("disk full"), {"disk": "d"}) == "disk full"
