"""tf.train.Example, read by plain python, and strictly: what such a message cannot hold
is refused, where a parser of protocol buffers would pass it over.

    Example {1: Features}   Features {1: entry, 1: entry, ...}
    entry {1: key, 2: Feature}   Feature {1: bytes, 2: floats or 3: integers}
    a list of bytes or floats {1: value, 1: value, ...}, floats as one text, too
"""

from collections.abc import Iterator

import numpy as np

_TEXT, _FOUR_BYTES = 2, 5  # how a field is written
_BYTES, _FLOATS, _INTEGERS = 1, 2, 3  # the fields of a Feature

Feature = list[bytes] | np.ndarray  # the ndarray: float32 [N]


def end_of_first_features(example: bytes) -> int:
    """Where the first Features of an Example end; its length if nothing follows."""
    if example[:1] != b"\x0a":
        return len(example)
    length, start = _varint(example, 1)
    return start + length


def features(example: bytes) -> dict[str, Feature]:
    """The features of an Example by name, of one name the last, as for tensorflow;
    integers become an empty list. A ValueError says what is malformed."""
    found = {}
    for some in _texts(example, 1, "an Example"):
        for entry in _texts(some, 1, "Features"):
            key, value = _entry(entry)
            found[key] = _feature(value)
    return found


def _entry(entry: bytes) -> tuple[str, bytes]:
    parts = {1: b"", 2: b""}
    for number, kind, content in _fields(entry):
        if number not in parts or kind != _TEXT:
            raise ValueError(f"an entry has no field {number} of kind {kind}")
        parts[number] = content
    try:
        return parts[1].decode(), parts[2]
    except UnicodeDecodeError as error:
        raise ValueError("the name of a feature is not UTF-8") from error


def _feature(feature: bytes) -> Feature:
    fields = list(_fields(feature))
    if not fields:
        return []
    (number, kind, values), *more = fields
    if more or kind != _TEXT or number not in (_BYTES, _FLOATS, _INTEGERS):
        raise ValueError("a feature is not one list of bytes, floats or integers")
    if number == _BYTES:
        return list(_texts(values, 1, "a list of bytes"))
    return _floats(values) if number == _FLOATS else []


def _floats(values: bytes) -> np.ndarray:
    parts = []
    for number, kind, content in _fields(values):
        if number != 1 or kind not in (_TEXT, _FOUR_BYTES) or len(content) % 4:
            raise ValueError("a list of floats holds something else")
        parts.append(content)
    return np.frombuffer(b"".join(parts), "<f4").astype(np.float32, copy=False)


def _texts(message: bytes, wanted: int, what: str) -> Iterator[bytes]:
    """The contents of a message that has texts of one field number and nothing else."""
    for number, kind, content in _fields(message):
        if number != wanted or kind != _TEXT:
            raise ValueError(f"{what} has no field {number} of kind {kind}")
        yield content


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, kind and content of each field of a message."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind not in (_TEXT, _FOUR_BYTES):
            raise ValueError(f"field {number} is of kind {kind}, which none has")
        length = 4
        if kind == _TEXT:
            length, place = _varint(message, place)
        if place + length > len(message):
            raise ValueError(f"field {number} reaches beyond the end")
        yield number, kind, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A number, 7 bits a byte from the lowest on, and where it ends."""
    value = 0
    for shift, byte in enumerate(message[place : place + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, place + shift + 1
    raise ValueError("a number does not end")
