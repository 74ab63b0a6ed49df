"""Errors name arguments; programs name flags."""

import ast
import pathlib
import re

import pytest

from pg2_jax import errors

LIBRARY = pathlib.Path(errors.__file__).parent


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


def test_a_program_names_the_flags_that_a_message_marks():
    text = "a.jpg: `fit=crop` needs joints (`source_pose`), not `fan_in` or ``."
    flag_of = {"fit": "photo_fit", "source_pose": "source_pose"}
    said = "a.jpg: --photo_fit=crop needs joints (--source_pose), not `fan_in` or ``."
    for message in (ValueError(text), UserWarning(text)):
        assert errors.for_programs(message, flag_of) == said
    plain = "a.jpg: fit=crop needs joints (source_pose), not fan_in or ``."
    assert errors.for_visitors(ValueError(text)) == plain


def test_other_errors_speak_for_themselves():
    assert errors.for_programs(OSError("disk full"), {"disk": "d"}) == "disk full"
    for name in ("a.json", b"a.json"):
        denied = PermissionError(13, "Permission denied", name)
        assert errors.for_programs(denied, {}) == "a.json: Permission denied"


@pytest.mark.parametrize(
    "path",
    sorted(LIBRARY.rglob("*.py")),
    ids=lambda path: str(path.relative_to(LIBRARY)),
)
def test_the_library_names_no_flag(path):
    tree = ast.parse(path.read_text())
    docstrings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node not in docstrings
    ]
    assert not [t for t in texts if isinstance(t, str) and re.search("--[a-z]", t)]


def test_numbers_have_their_noun():
    counted = errors.counted
    assert [counted(n, "joint") for n in (0, 1, 2000)] == [
        *("0 joints", "1 joint", "2,000 joints")
    ]
    assert counted(1, "person", "people") == "1 person"
    assert counted(3, "person", "people") == "3 people"
