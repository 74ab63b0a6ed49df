"""CRC-32C against published numbers and the definition."""

import numpy as np
import pytest

from pg2_jax.input_pipeline import tfrecord


def by_definition(data):
    """One bit after the other."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        # RFC 3720, B.4.
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_the_published_numbers(data, crc):
    assert tfrecord.crc(data) == crc


@pytest.mark.parametrize("length", [1, 3, 4, 5, 1023, 1024, 1025, 2500])
def test_any_length_and_any_two_parts(length):
    """1024 bytes are looked up at once."""
    data = np.random.default_rng(length).bytes(length)
    want = by_definition(data)
    assert tfrecord.crc(data) == want
    cuts = np.array([0, 1, length // 2, length])
    first, second = (
        np.array([tfrecord.crc(part) for part in parts], np.uint32)
        for parts in ([data[:cut] for cut in cuts], [data[cut:] for cut in cuts])
    )
    joined = tfrecord.joined(first, second, length - cuts)
    assert joined.dtype == np.uint32
    assert joined.tolist() == [want] * 4
