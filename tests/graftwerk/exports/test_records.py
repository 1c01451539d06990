"""The bytes of event files: against published values, and against Google's own implementation of the messages."""

import math
import struct
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from graftwerk.exports.records import crc32c, encode_parameters, encode_scalar, encode_text, frame_record
from tests.graftwerk.exports.event_file import bitwise_crc32c, read_records

FIELDS = {
    "Event": [
        ("wall_time", 1, "DOUBLE"),
        ("step", 2, "INT64"),
        ("file_version", 3, "STRING"),
        ("summary", 5, "Summary"),
    ],
    "Summary": [("value", 1, "*Value")],
    "Value": [("tag", 1, "STRING"), ("simple_value", 2, "FLOAT"), ("tensor", 8, "Tensor"), ("metadata", 9, "Metadata")],
    "Tensor": [("dtype", 1, "INT32"), ("tensor_shape", 2, "Shape"), ("string_val", 8, "*BYTES")],
    "Shape": [("dim", 2, "*Dim")],
    "Dim": [("size", 1, "INT64")],
    "Metadata": [("plugin_data", 1, "PluginData")],
    "PluginData": [("plugin_name", 1, "STRING"), ("content", 2, "BYTES")],
    "Hparams": [("version", 1, "INT32"), ("session_start_info", 3, "Start"), ("session_end_info", 4, "End")],
    "Start": [("hparams", 1, "*Entry"), ("group_name", 4, "STRING"), ("start_time_secs", 5, "DOUBLE")],
    "End": [("status", 1, "INT32"), ("end_time_secs", 2, "DOUBLE")],
    "Entry": [("key", 1, "STRING"), ("value", 2, "Any")],
    "Any": [("number_value", 2, "DOUBLE"), ("string_value", 3, "STRING"), ("bool_value", 4, "BOOL")],
}  # of tensorboard's event.proto, summary.proto, tensor.proto, plugin_data.proto of hparams, and struct.proto


def messages() -> dict[str, Any]:
    """Return the classes of the messages that event files consist of."""
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="t", syntax="proto2")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for title, number, type_name in fields:
            field = message.field.add(name=title, number=number, label=3 if type_name.startswith("*") else 1)
            kind = type_name.removeprefix("*")
            if kind in FIELDS:
                field.type, field.type_name = 11, f".t.{kind}"
            else:
                field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}")) for name in FIELDS}


def parse(kind: str, data: bytes) -> Any:
    message = messages()[kind]()
    message.ParseFromString(data)
    assert message.SerializeToString(deterministic=True)
    return message


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],  # RFC 3720, B.4
)
def test_crc32c_of_the_rfc(data: bytes, value: int) -> None:
    assert crc32c(data) == bitwise_crc32c(data) == value


def test_records_are_framed() -> None:
    assert list(read_records(frame_record(b"one") + frame_record(b""))) == [b"one", b""]
    broken = bytearray(frame_record(b"one"))
    broken[13] ^= 1
    with pytest.raises(AssertionError):
        list(read_records(bytes(broken)))


@pytest.mark.parametrize("value", [0.25, -1e-30, math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_a_scalar_is_read_by_google(value: float) -> None:
    event = parse("Event", encode_scalar(1.7e9 + 0.25, 3_000_000_000, "val/größe".encode(), value))
    (found,) = event.summary.value
    assert (event.wall_time, event.step, found.tag) == (1.7e9 + 0.25, 3_000_000_000, "val/größe")
    try:
        (expected,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        expected = math.copysign(math.inf, value)
    assert found.simple_value == expected or (math.isnan(found.simple_value) and math.isnan(expected))


def test_a_text_and_parameters_are_read_by_google() -> None:
    (text,) = parse("Event", encode_text(1.0, "job/text_summary", "| ä |")).summary.value
    assert (text.tensor.dtype, text.tensor.string_val[:], text.metadata.plugin_data.plugin_name) == (
        7,
        ["| ä |".encode()],
        "text",
    )
    parameters = {"training.optimizer.lr": 0.01, "model.kind": "Linear", "training.shuffle": True}
    (value,) = parse("Event", encode_parameters(2.0, "job_1", parameters)).summary.value
    assert value.metadata.plugin_data.plugin_name == "hparams"
    start = parse("Hparams", value.metadata.plugin_data.content).session_start_info
    assert start.group_name == "job_1"
    assert {
        entry.key: getattr(entry.value, name)
        for entry in start.hparams
        for name in ("number_value", "string_value", "bool_value")
        if entry.value.HasField(name)
    } == parameters
