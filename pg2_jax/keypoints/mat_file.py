"""A matrix of numbers out of a MATLAB file of version 5 to 7.2.

Written here, because scipy.io.loadmat ends the whole program (a segmentation fault) on
some damaged files. Format: "MAT-File Format", The MathWorks, chapter 1.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_DTYPES = {
    **{1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"},
    **{12: "i8", 13: "u8"},
}
# The classes of arrays that hold numbers, double to uint64.
_NUMBERS = range(6, 16)
_COMPLEX = 0x0800
# More is a decompression bomb: a small file that unpacks to gigabytes.
_MOST_UNPACKED = 2**28


class _Element(NamedTuple):
    kind: int
    data: bytes


def matrix(content: bytes, name: str) -> np.ndarray | None:
    """Returns a variable.

    Args:
        content: the file.
        name: of the variable.

    Returns:
        The array of numbers, of any shape, or None when there is no variable of this
        name that is one.

    Raises:
        ValueError: the file is damaged, or of another version.
    """
    if content.startswith(b"MATLAB 7.3"):
        raise ValueError(
            "a MATLAB file of version 7.3; save it with -v7 to read it here"
        )
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER])
    if order is None:
        raise ValueError("not a whole MATLAB file: its header is damaged")
    for element in _elements(content[_HEADER:], order):
        if element.kind == _COMPRESSED:
            element = next(_elements(_unpack(element.data), order), element)
        if element.kind == _MATRIX:
            found = _matrix(element.data, order, name.encode())
            if found is not None:
                return found
    return None


def _elements(content: bytes, order: str) -> Iterator[_Element]:
    position = 0
    while position < len(content):
        tag = content[position : position + 8]
        if len(tag) < 8:
            raise ValueError("not a whole MATLAB file: it ends within a tag")
        kind, size = struct.unpack(f"{order}II", tag)
        if kind >> 16:  # Up to four bytes of data lie in the tag itself.
            kind, size = kind & 0xFFFF, kind >> 16
            data = tag[4 : 4 + size]
        else:
            data = content[position + 8 : position + 8 + size]
            # All but packed elements are filled up to a multiple of 8.
            position += size if kind == _COMPRESSED else -(-size // 8) * 8
        if len(data) < size:
            raise ValueError("not a whole MATLAB file: it ends within a variable")
        yield _Element(kind, data)
        position += 8


def _unpack(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, _MOST_UNPACKED)
    except zlib.error as error:
        raise ValueError(f"not a whole MATLAB file: {error}") from error
    if not unpacker.eof:
        raise ValueError(
            "not a whole MATLAB file: a variable is cut off, or unpacks to more than "
            f"{_MOST_UNPACKED:,} bytes"
        )
    return unpacked


def _matrix(content: bytes, order: str, name: bytes) -> np.ndarray | None:
    """Returns the array of a matrix element, None if it has another name or holds no
    real numbers."""
    parts = _elements(content, order)
    flags, sizes, title = (_next(parts) for _ in range(3))
    if title.data != name or len(flags.data) != 8 or len(sizes.data) < 8:
        return None
    kind = struct.unpack(f"{order}I", flags.data[:4])[0]
    if kind & 0xFF not in _NUMBERS or kind & _COMPLEX:
        return None
    values = _next(parts)
    shape = np.frombuffer(sizes.data[: len(sizes.data) // 4 * 4], f"{order}i4").tolist()
    dtype = np.dtype(order + _DTYPES.get(values.kind, "V"))
    count = 1
    for size in shape:
        count *= size
    if (
        dtype.kind == "V"
        or min(shape) < 0
        or count * dtype.itemsize != len(values.data)
    ):
        raise ValueError("not a whole MATLAB file: a variable has not its size")
    return np.frombuffer(values.data, dtype).reshape(shape, order="F")


def _next(parts: Iterator[_Element]) -> _Element:
    part = next(parts, None)
    if part is None:
        raise ValueError("not a whole MATLAB file: a variable lacks a part")
    return part
