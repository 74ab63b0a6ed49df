"""TFRecord files by plain python and numpy: their frame, and the checksums in it.

A record is its length (8 bytes, little-endian), a checksum of that (4), its bytes, and
a checksum of those (4); a checksum is a masked CRC-32C (Castagnoli).

A CRC is linear: what a byte adds depends on its value and on how many bytes follow it.
So the bytes of a block are looked up all at once and summed (exclusive or), and the CRC
of a whole follows from those of its parts.
"""

import functools
import os
import struct
from collections.abc import Iterator

import numpy as np

from pg2_jax import errors, files
from pg2_jax.input_pipeline import cloud_files

_BEGIN = struct.Struct("<8sI")
_END = struct.Struct("<I")
_POLYNOMIAL = np.uint32(0x82F63B78)  # reversed: the lowest bit comes first
_BLOCK_BITS = 10
_BLOCK = 1 << _BLOCK_BITS
_ALL = 0xFFFFFFFF


def records(path: files.PathLike) -> Iterator[tuple[bytes, int]]:
    """Yields each record of a file and the checksum that is stored of it, still to be
    compared. A ValueError says what is wrong with the next one."""
    with cloud_files.named_errors("data_dir", path), cloud_files.opened(path) as file:
        file.seek(0, os.SEEK_END)
        left = file.tell()
        file.seek(0)
        while left:
            begin = file.read(_BEGIN.size)
            if len(begin) < _BEGIN.size:
                raise errors.Damaged("the file ends within its length")
            encoded, stored = _BEGIN.unpack(begin)
            if checksum_of_length(encoded) != stored:
                raise errors.Damaged("the checksum of its length is wrong")
            length = int.from_bytes(encoded, "little")
            left -= _BEGIN.size + length + _END.size
            rest = file.read(length + _END.size) if left >= 0 else b""
            if len(rest) != length + _END.size:
                raise errors.Damaged(f"the file ends within its {length:,} bytes")
            yield rest[:length], _END.unpack_from(rest, length)[0]


def checksum(data: bytes) -> int:
    """The masked CRC of some bytes."""
    return int(masked(np.array([crc(data)], np.uint32))[0])


# Of a record's length, of which few are different.
checksum_of_length = functools.lru_cache(maxsize=2**16)(checksum)


def crc(data: bytes) -> int:
    """The CRC of some bytes."""
    rows = -(-len(data) // _BLOCK)
    # Zeros in front add nothing.
    padded = np.zeros(rows * _BLOCK, np.uint8)
    padded[len(padded) - len(data) :] = np.frombuffer(data, np.uint8)
    entries = padded.reshape(rows, _BLOCK) + 256 * np.arange(_BLOCK, dtype=np.int32)
    sums = np.bitwise_xor.reduce(_block_table().take(entries), axis=1)
    total, (one, two, three, four) = 0, _over(_BLOCK_BITS).tolist()
    for added in sums.tolist():
        total = (
            one[total & 255]
            ^ two[total >> 8 & 255]
            ^ three[total >> 16 & 255]
            ^ four[total >> 24]
            ^ added
        )
    return total ^ _of_zeros(len(data))


def joined(first: np.ndarray, second: np.ndarray, length: np.ndarray) -> np.ndarray:
    """The CRCs of wholes of two parts, uint32 [N]: from those of the parts, uint32 [N],
    and the number of bytes of the second, int [N]."""
    return _followed(first, length) ^ second


def masked(crc: np.ndarray) -> np.ndarray:
    """CRCs as TFRecords store them, uint32 [N]."""
    turned = crc >> np.uint32(15) | crc << np.uint32(17)
    return turned + np.uint32(0xA282EAD8)


def _followed(crc: np.ndarray, length: np.ndarray) -> np.ndarray:
    """What CRCs become when so many bytes of zero follow."""
    for bit in range(int(length.max(initial=0)).bit_length()):
        crc = np.where(length >> bit & 1, _apply(_over(bit), crc), crc)
    return crc


@functools.lru_cache(maxsize=2**16)
def _of_zeros(length: int) -> int:
    """The CRC of bytes of zero: they begin with all bits set, and end inverted."""
    every = np.array([_ALL], np.uint32)
    return int(_followed(every, np.array([length]))[0]) ^ _ALL


def _apply(table: np.ndarray, crc: np.ndarray) -> np.ndarray:
    """Looks up each of the four bytes of a CRC, and sums what is found."""
    found = [table[i].take(crc >> np.uint32(8 * i) & 255) for i in range(4)]
    return found[0] ^ found[1] ^ found[2] ^ found[3]


@functools.cache
def _over(bit: int) -> np.ndarray:
    """What each byte of a CRC becomes over 2**bit bytes of zero: uint32 [4, 256]."""
    if bit:
        half = _over(bit - 1)
        return _apply(half, half)
    places = np.arange(0, 32, 8, dtype=np.uint32)[:, None]
    return _after_zero(np.arange(256, dtype=np.uint32) << places)


def _after_zero(crc: np.ndarray) -> np.ndarray:
    for _ in range(8):
        crc = np.where(crc & 1, crc >> 1 ^ _POLYNOMIAL, crc >> 1)
    return crc


@functools.cache
def _block_table() -> np.ndarray:
    """What a byte adds by its place in a block and its value: uint32 [_BLOCK * 256]."""
    rows = [_after_zero(np.arange(256, dtype=np.uint32))]
    for _ in range(_BLOCK - 1):
        rows.append(_apply(_over(0), rows[-1]))
    return np.concatenate(rows[::-1])
