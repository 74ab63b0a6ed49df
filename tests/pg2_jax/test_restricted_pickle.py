"""Pickles of data are read; what would run, change or exhaust something is refused."""

import os
import pickle

import numpy as np
import pytest

from pg2_jax import restricted_pickle

ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    np.arange(24, dtype="f4").reshape(2, 3, 4).transpose(2, 0, 1),
    np.array(True),
]


@pytest.mark.parametrize("protocol", range(6))
def test_containers_numbers_and_arrays(protocol):
    value = {"a": [1, 2.5, None, True, "ä"], 3: (b"x", {}), "n": np.float32(0.5)}
    content = pickle.dumps(value | {"arrays": ARRAYS, "again": ARRAYS[0]}, protocol)
    read = restricted_pickle.load(content)
    arrays, again = read.pop("arrays"), read.pop("again")
    assert read == value
    assert again is arrays[0]
    for array, expected in zip(arrays, ARRAYS, strict=True):
        assert array.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(array, expected)


class _Program:
    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


_DEEP = b"\x80\x02}" + b"K\x01" + b"\x85" * 200_000 + b"K\x01s."
REFUSED = {
    "a call": (pickle.dumps(_Program(os.mkdir, "pwned")), r"it holds (posix|nt).mkdir"),
    "a call of protocol 0": (b"cos\nsystem\n(S'true'\ntR.", "it holds os.system"),
    "an instance": (b"(S'pwned'\nios\nmkdir\n.", "it holds os.mkdir"),
    "an object": (b"(cos\nmkdir\nS'pwned'\no.", "it holds os.mkdir"),
    "a class by its attributes": (
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        "it holds numpy.ndarray.__class__",
    ),
    "a change of what an allowed name stands for": (
        b"cnumpy\nndarray\n}S'__defaults__'\nNsb.",
        "it changes a function",
    ),
    "a change of a class": (b"cnumpy\ndtype\n}S'numpy'\nNsb.", "it changes a type"),
    "a change of a number": (b"I3\n}b.", "it changes a int"),
    "a new object": (b"\x80\x02cnumpy\nndarray\n)\x81.", "not a whole pickle"),
    "a call of a number": (b"I3\n(tR.", "not a whole pickle: TypeError"),
    "a persistent name": (b"Pabc\n.", "not a whole pickle"),
    "an extension": (b"\x80\x02\x82\x01.", "not a whole pickle"),
    "a set": (pickle.dumps({1}), "it makes more than plain containers"),
    "a frozenset": (pickle.dumps(frozenset({1})), "it makes more than plain"),
    "a key that is nested": (_DEEP, "keys other than names and numbers"),
    "an array of objects": (pickle.dumps(np.array([{}])), "an array without numbers"),
    "an array of dates": (
        pickle.dumps(np.array(["2020"], "M8[Y]")),
        "'<M8' is no array of numbers",
    ),
    "an array of few bytes": (
        pickle.dumps(np.zeros((2, 3), "u1"), 2).replace(b"K\x02K\x03", b"K\x09K\x09"),
        "not a whole pickle: ValueError",
    ),
    "a giant memo": (b"\x80\x02}r\xff\xff\xff\x7f", "not a whole pickle"),
    "a giant bytearray": (b"\x80\x05\x96\0\0\0\0\1\0\0\0", "not a whole pickle"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        restricted_pickle.load(content)
    assert not any(tmp_path.iterdir())
    # What the names stand for is as it was.
    test_containers_numbers_and_arrays(2)
