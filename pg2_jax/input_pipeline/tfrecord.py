"""The frame of a TFRecord file, read by plain python.

A record is its length (8 bytes, little-endian), a checksum of that (4), its bytes, and
a checksum of those (4); a checksum is a masked CRC-32C. This checks what frames a
record; the bytes and their checksum go to the caller.
"""

import functools
import os
import struct
from collections.abc import Iterator

import numpy as np

from pg2_jax import errors
from pg2_jax.input_pipeline import cloud_files, crc32c

_BEGIN = struct.Struct("<8sI")
_END = struct.Struct("<I")


def records(path: str | os.PathLike[str]) -> Iterator[tuple[bytes, int]]:
    """Yields each record of a file and the checksum that is stored of it, still to be
    compared. A ValueError says what is wrong with the next one."""
    with (
        cloud_files.named_errors("data_dir", path),
        cloud_files.opened(path) as file,
    ):
        file.seek(0, os.SEEK_END)
        left = file.tell()
        file.seek(0)
        while left:
            begin = file.read(_BEGIN.size)
            if len(begin) < _BEGIN.size:
                raise errors.Damaged("the file ends within its length")
            encoded, stored = _BEGIN.unpack(begin)
            if _checksum(encoded) != stored:
                raise errors.Damaged("the checksum of its length is wrong")
            length = int.from_bytes(encoded, "little")
            left -= _BEGIN.size + length + _END.size
            rest = file.read(length + _END.size) if left >= 0 else b""
            if len(rest) != length + _END.size:
                raise errors.Damaged(f"the file ends within its {length:,} bytes")
            yield rest[:length], _END.unpack_from(rest, length)[0]


@functools.lru_cache(maxsize=2**16)  # Few lengths are different.
def _checksum(encoded: bytes) -> int:
    return int(crc32c.masked(np.array([crc32c.of(encoded)], np.uint32))[0])
