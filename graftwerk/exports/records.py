"""TFRecord files of TensorBoard events, written without TensorFlow.

A record is its length (uint64), the masked CRC-32C of the length, the data, and the masked CRC-32C of the data, all
little-endian. The data is a Protocol Buffers message `tensorflow.Event`; only what is written here is encoded.
Formats: tensorflow/core/lib/io/record_writer.cc, tensorboard/compat/proto/event.proto and summary.proto.
"""

import struct
from collections.abc import Iterable, Mapping

from graftwerk.exports.run import Parameter

CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, reversed
MASK_DELTA = 0xA282EAD8
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of data."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def frame_record(data: bytes) -> bytes:
    """Return data as a record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + _masked_crc(length) + data + _masked_crc(data)


def _masked_crc(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + MASK_DELTA) & 0xFFFFFFFF)


def encode_version(time: float) -> bytes:
    """Return the event that every file begins with."""
    return _fixed64(1, time) + _bytes(3, b"brain.Event:2")


def encode_scalar(time: float, step: int, tag: bytes, value: float) -> bytes:
    """Return an event with one value, which TensorBoard keeps as float32. `time`: seconds since 1970."""
    return _event(time, step, _bytes(1, tag) + _key(2, FIXED32) + _float32(value))


def encode_text(time: float, tag: str, text: str) -> bytes:
    """Return an event that shows a text (Markdown) in TensorBoard's tab of texts."""
    tensor = (
        _key(1, VARINT) + _varint(7) + _bytes(2, _bytes(2, _key(1, VARINT) + _varint(1))) + _bytes(8, text.encode())
    )
    metadata = _bytes(1, _bytes(1, b"text"))
    return _event(time, 0, _bytes(1, tag.encode()) + _bytes(8, tensor) + _bytes(9, metadata))


def encode_parameters(time: float, group: str, parameters: Mapping[str, Parameter]) -> bytes:
    """Return the event that begins a session of TensorBoard's tab of hyper-parameters."""
    entries = (_bytes(1, _bytes(1, name.encode()) + _bytes(2, _value(each))) for name, each in parameters.items())
    session = b"".join(entries) + _bytes(4, group.encode()) + _fixed64(5, time)
    return _event(time, 0, _bytes(1, b"_hparams_/session_start_info") + _plugin_data(_bytes(3, session)))


def encode_end(time: float, succeeded: bool) -> bytes:
    """Return the event that ends the session of hyper-parameters."""
    session = _key(1, VARINT) + _varint(1 if succeeded else 2) + _fixed64(2, time)
    return _event(time, 0, _bytes(1, b"_hparams_/session_end_info") + _plugin_data(_bytes(4, session)))


def _plugin_data(content: bytes) -> bytes:
    """Return the metadata of a summary of the plugin hparams, and the empty tensor that it needs."""
    metadata = _bytes(1, _bytes(1, b"hparams") + _bytes(2, content))
    return _bytes(8, _key(1, VARINT) + _varint(1) + _bytes(2, b"")) + _bytes(9, metadata)


def _event(time: float, step: int, value: bytes) -> bytes:
    return _fixed64(1, time) + _key(2, VARINT) + _varint(step) + _bytes(5, _bytes(1, value))


def _value(value: Parameter) -> bytes:
    """Return a google.protobuf.Value."""
    if isinstance(value, bool):
        return _key(4, VARINT) + _varint(int(value))
    return _bytes(3, value.encode()) if isinstance(value, str) else _fixed64(2, value)


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, BYTES) + _varint(len(content)) + content


def _fixed64(field: int, value: float) -> bytes:
    return _key(field, FIXED64) + struct.pack("<d", value)


def _float32(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:  # finite, but beyond float32: infinite there, as IEEE 754 rounds
        return struct.pack("<f", float("inf") if value > 0 else float("-inf"))


def join(records: Iterable[bytes]) -> bytes:
    """Return events as the content of a file."""
    return b"".join(map(frame_record, records))
