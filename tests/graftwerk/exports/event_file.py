"""A reader of TensorBoard's event files that shares nothing with the writer."""

import struct
from collections.abc import Iterator


def bitwise_crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 * (value & 1))
    return value ^ 0xFFFFFFFF


def unmask(stored: int) -> int:
    rotated = (stored - 0xA282EAD8) % 2**32
    return (rotated << 15 | rotated >> 17) % 2**32


def read_records(content: bytes) -> Iterator[bytes]:
    """Yield the data of every record, after a look at both checksums."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        (of_length,) = struct.unpack("<I", content[8:12])
        data, rest = content[12 : 12 + length], content[12 + length :]
        assert unmask(of_length) == bitwise_crc32c(content[:8])
        assert unmask(struct.unpack("<I", rest[:4])[0]) == bitwise_crc32c(data)
        yield data
        content = rest[4:]
