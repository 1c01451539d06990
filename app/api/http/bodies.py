"""Request bodies: received within a limit, into memory or a file, and parsed."""

import re
import threading
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from app.api.services import ServicesDep
from app.errors import ContentTooLarge, InvalidInput
from app.spec.json_input import parse_document
from app.spec.problems import from_validation

SMALL_BYTES = 1 << 16
_large_bodies = threading.Lock()  # one is parsed at a time: many would keep the interpreter from other requests
_LENGTH = re.compile(r"[0-9]{1,18}")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A received body."""

    content: bytes
    media_type: str
    depth_limit: int

    def document(self) -> Any:
        """Return the parsed document. Raises what `parse_document` raises."""
        with _large_bodies if len(self.content) > SMALL_BYTES else nullcontext():
            return parse_document(self.content, self.media_type, self.depth_limit)

    def validate_as(self, model: type[Model]) -> Model:
        """Return the document as a model. Raises as `document` does, and `InvalidInput` with every problem."""
        return validate_model(model, self.document())


def validate_model(model: type[Model], document: Any, place: str = "") -> Model:
    """Return the part of a body at `place`, a JSON Pointer, as a model. Raises `InvalidInput` with every problem."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(from_validation(error, document, model, place)) from None


def content_length(request: Request) -> int:
    """Return the length that the request's headers promise; 0 if they promise none."""
    length = request.headers.get("content-length", "")
    return int(length) if _LENGTH.fullmatch(length) else 0


async def limited_stream(request: Request, limit: int, hint: str = "") -> AsyncIterator[bytes]:
    """Yield the body in pieces. Raises `ContentTooLarge` before the first one if its promised length is too much."""
    length = content_length(request)
    if length > limit:
        raise ContentTooLarge(f"the body has {length} bytes, at most {limit} are allowed", hint=hint)
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            raise ContentTooLarge(f"the body has more than {limit} bytes", hint=hint)
        yield piece


async def receive_file(request: Request, target: Path, limit: int, hint: str = "") -> int:
    """Write the body to a file, and return its size in bytes. Raises `ContentTooLarge`."""
    with target.open("wb") as file:
        async for piece in limited_stream(request, limit, hint):
            file.write(piece)
        return file.tell()


async def _read_body(request: Request, services: ServicesDep) -> RequestBody:
    settings = services.settings
    content = b"".join([piece async for piece in limited_stream(request, settings.body_limit)])
    return RequestBody(content, request.headers.get("content-type", ""), settings.depth_limit)


RequestBodyDep = Annotated[RequestBody, Depends(_read_body)]
