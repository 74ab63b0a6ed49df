"""Writes pickles as Python 2 did: texts and array bytes are its 8-bit strings."""

import struct

import numpy as np


def dumps(value, protocol=2):
    """Pickles nested dicts, lists, tuples, texts, ints, floats and arrays."""
    if protocol == 0:
        return _text(value) + b"."
    return b"\x80\x02" + _binary(value) + b"."


def _binary(value):
    if isinstance(value, np.ndarray):
        dtype = value.dtype.str
        made = _binary_global("numpy.core.multiarray", "_reconstruct")
        made += b"(" + _binary_global("numpy", "ndarray") + _binary((0,))
        made += _binary("b") + b"tR"
        code = _binary_global("numpy", "dtype") + b"(" + _binary(dtype[1:])
        code += _binary(0) + _binary(1) + b"tR"
        code += b"(" + _binary(3) + _binary(dtype[0])
        code += b"NNN" + _binary(-1) + _binary(-1) + _binary(0) + b"tb"
        state = b"(" + _binary(1) + _binary(value.shape) + code + b"\x89"
        return made + state + _binary(value.tobytes()) + b"tb"
    if isinstance(value, dict):
        items = b"".join(_binary(k) + _binary(v) for k, v in value.items())
        return b"}(" + items + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(_binary, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_binary, value)) + b"t"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    text = value.encode() if isinstance(value, str) else value
    return b"T" + struct.pack("<i", len(text)) + text


def _binary_global(module, name):
    return f"c{module}\n{name}\n".encode()


def _text(value):
    if isinstance(value, dict):
        items = b"".join(_text(k) + _text(v) + b"s" for k, v in value.items())
        return b"(dp0\n" + items
    if isinstance(value, list):
        return b"(lp1\n" + b"".join(_text(v) + b"a" for v in value)
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_text, value)) + b"tp2\n"
    if isinstance(value, int):
        return b"I%d\n" % value
    if isinstance(value, float):
        return b"F%s\n" % repr(value).encode()
    # Python 2's repr of a string: b'...' without the b.
    return b"S" + repr(value.encode()).encode()[1:] + b"\np3\n"
