"""Dataclasses as JSON: never pickle. Pydantic checks what arrives against the fields' types."""

import json
from dataclasses import fields, is_dataclass
from os import PathLike, fspath
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


class MessageCodec(Generic[T]):
    """Encodes instances of some dataclasses; the class's name stands in "type" beside the fields."""

    def __init__(self, *types: type[T]) -> None:
        self._adapters = {each.__name__: TypeAdapter(each) for each in types}

    def encode(self, message: T) -> bytes:
        """Return the JSON form."""
        return json.dumps({"type": type(message).__name__, **_encode_value(message)}, default=_encode_value).encode()

    def decode(self, content: bytes) -> T:
        """Return the message. Raises `KeyError` for an unknown type, `ValueError` for values of wrong types."""
        body: dict[str, Any] = json.loads(content)
        return self._adapters[body.pop("type")].validate_python(body)


def _encode_value(value: Any) -> Any:
    """Return a dataclass as a mapping and a path as text; `asdict` would copy thousands of points one by one."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, PathLike):
        return fspath(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
