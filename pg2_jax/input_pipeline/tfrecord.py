"""TFRecord files by plain python and numpy: their frame, and the checksums in it.

A record is its length (8 bytes, little-endian), a checksum of that (4), its bytes, and
a checksum of those (4); a checksum is a masked CRC-32C (Castagnoli).

A CRC is linear: what a byte adds depends on its value and on how many bytes follow it.
So the bytes of a block are looked up all at once and summed (exclusive or), and the CRC
of a whole follows from those of its parts.
"""

import functools
import struct
from collections.abc import Iterator

import numpy as np

from pg2_jax import errors, files
from pg2_jax.input_pipeline import cloud_files

_BEGIN = struct.Struct("<8sI")
_END = struct.Struct("<I")
_POLYNOMIAL = np.uint32(0x82F63B78)  # reversed: the lowest bit comes first
_BLOCK = 4096  # more than most photos of 128x64 pixels
# A CRC begins with all bits set, as these bytes leave one that begins with none.
_BEFORE = bytes.fromhex("54641f64")


def records(path: files.PathLike) -> Iterator[tuple[bytes, int]]:
    """Yields each record of a file and the checksum that is stored of it, still to be
    compared. A ValueError says what is wrong with the next one."""
    path = cloud_files.path_of(path)
    with cloud_files.named_errors("data_dir", path), path.open("rb") as file:
        while begin := file.read(_BEGIN.size):
            if len(begin) < _BEGIN.size:
                raise errors.Damaged("the file ends within its length")
            encoded, stored = _BEGIN.unpack(begin)
            if checksum(encoded) != stored:
                raise errors.Damaged("the checksum of its length is wrong")
            length = int.from_bytes(encoded, "little")
            rest = file.read(length + _END.size)
            if len(rest) != length + _END.size:
                raise errors.Damaged(f"the file ends within its {length:,} bytes")
            yield rest[:length], _END.unpack_from(rest, length)[0]


@functools.lru_cache(maxsize=2**16)  # Of lengths, of which few are different.
def checksum(data: bytes) -> int:
    """The masked CRC of some bytes."""
    return int(masked(np.array([crc(data)], np.uint32))[0])


def crc(data: bytes) -> int:
    """The CRC of some bytes."""
    content = np.frombuffer(_BEFORE + data, np.uint8)
    # Zeros in front add nothing.
    blocks = np.zeros((-(-len(content) // _BLOCK), _BLOCK), np.uint8)
    blocks.reshape(-1)[-len(content) :] = content
    entries = blocks + 256 * np.arange(_BLOCK, dtype=np.int32)
    sums = np.bitwise_xor.reduce(_block_table().take(entries), axis=1)
    following = _BLOCK * np.arange(len(sums))[::-1]
    return int(np.bitwise_xor.reduce(_followed(sums, following))) ^ 0xFFFFFFFF


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
        chosen = length >> bit & 1
        if chosen.any():
            crc = np.where(chosen, _apply(_over(bit), crc), crc)
    return crc


def _apply(table: np.ndarray, crc: np.ndarray) -> np.ndarray:
    """Looks up each of the four bytes of a CRC, and sums what is found."""
    four = np.ascontiguousarray(crc, "<u4")[..., None].view(np.uint8)
    return np.bitwise_xor.reduce(table[np.arange(4), four], axis=-1)


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
