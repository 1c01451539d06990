"""Request bodies: received within limits of size and time, into memory or a file, and parsed."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.concurrency import contextmanager_in_threadpool
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from app.api.lanes import SAFE_METHODS, Lane, requested_lane
from app.api.services import Services, ServicesDep
from app.errors import BodyTimeout, ContentTooLarge, InvalidInput
from app.settings import Settings
from app.spec.json_input import parse_document
from app.spec.problems import from_validation

SMALL_BYTES = 1 << 16
_large_bodies = threading.Lock()  # one is parsed at a time: many would keep the interpreter from other requests
_LENGTH = re.compile(r"[0-9]{1,18}")
WRITE_BYTES = 1 << 20  # written to a file at once, by a thread: a disk that is slow keeps no other request waiting

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


class BodyClock:
    """How long the client may keep a body waiting: for the next piece, and on average.

    Only the time spent waiting for the client counts: a grace of `idle_seconds`, and what the bytes received take
    at `body_rate`.
    """

    def __init__(self, settings: Settings) -> None:
        self._idle, self._rate = settings.idle_seconds, settings.body_rate
        self._waited, self._received = 0.0, 0

    async def next_piece(self, stream: AsyncIterator[bytes]) -> bytes | None:
        """Return the next piece; `None` at the end. Raises `BodyTimeout`."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience()):
                piece = await anext(stream)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise self._error() from None
        self._waited += time.monotonic() - began
        self._received += len(piece)
        return piece

    def _patience(self) -> float:
        if not self._rate:
            return self._idle
        return min(self._idle, max(0.0, self._idle + self._received / self._rate - self._waited))

    def _error(self) -> BodyTimeout:
        rate = f", or on average fewer than {self._rate:,} bytes per second" if self._rate else ""
        detail = f"no byte of the body came for {self._idle:g} s{rate}; {self._received:,} bytes had come"
        return BodyTimeout(detail, hint="send it again, in smaller pieces if the connection is slow")


async def limited_stream(request: Request, settings: Settings, limit: int, hint: str = "") -> AsyncIterator[bytes]:
    """Yield the body in pieces. Raises `ContentTooLarge` before the first one if its promised length is too much.

    Raises `BodyTimeout` if the client keeps it waiting.
    """
    length = content_length(request)
    if length > limit:
        raise ContentTooLarge(f"the body has {length} bytes, at most {limit} are allowed", hint=hint)
    clock, stream, received = BodyClock(settings), request.stream(), 0
    while (piece := await clock.next_piece(stream)) is not None:
        received += len(piece)
        if received > limit:
            raise ContentTooLarge(f"the body has more than {limit} bytes", hint=hint)
        yield piece


async def receive_file(request: Request, services: Services, target: Path, limit: int, hint: str = "") -> int:
    """Write the body to a file of the spool, and return its size in bytes.

    Raises `ContentTooLarge`, `BodyTimeout`, and `StorageFull` before the first byte if there is no room for all.
    """
    await run_in_threadpool(services.spool.check_room, content_length(request))
    with target.open("wb", buffering=0) as file:
        gathered, size = bytearray(), 0
        async for piece in limited_stream(request, services.settings, limit, hint):
            gathered += piece
            size += len(piece)
            if len(gathered) >= WRITE_BYTES:
                await run_in_threadpool(_write, services, file, gathered)
                gathered = bytearray()
        if gathered:
            await run_in_threadpool(_write, services, file, gathered)
    return size


def _write(services: Services, file: FileIO, content: bytearray) -> None:
    services.spool.check_room(len(content))
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


async def _declare_spooled(request: Request) -> None:
    request.scope["body_spooled"] = True


SPOOLED_BODY = Depends(_declare_spooled)  # by which a route declares that its body becomes a file, see `received_body`


@asynccontextmanager
async def received_body(request: Request, services: Services, key: str) -> AsyncIterator[None]:
    """Receive the body before the request takes its place in a lane: one that trickles holds no place of others.

    It is kept in memory, or in a file as long as the context if the route declares that. Files arrive in the lane of
    uploads, of which the key has a share. The content of a data set is received by its own route, in that lane.

    Raises `ContentTooLarge`, `BodyTimeout`, `StorageFull`, `ServiceOverloaded`.
    """
    settings, lane = services.settings, requested_lane(request)
    if "body_spooled" in request.scope:
        async with contextmanager_in_threadpool(services.spool.folder("body")) as folder:
            path = request.scope["body_file"] = folder / "body"
            async with services.lanes.enter(Lane.UPLOAD, key):
                await receive_file(request, services, path, settings.predict_limit, hint="send fewer rows")
            yield
        return
    if request.method not in SAFE_METHODS and lane is not Lane.UPLOAD:
        pieces = [piece async for piece in limited_stream(request, settings, settings.body_limit)]
        request.scope["body"] = b"".join(pieces)
    yield


async def _read_body(request: Request, services: ServicesDep) -> RequestBody:
    content: bytes = request.scope["body"]
    return RequestBody(content, request.headers.get("content-type", ""), services.settings.depth_limit)


RequestBodyDep = Annotated[RequestBody, Depends(_read_body)]
