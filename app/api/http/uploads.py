"""Uploads of data sets: chunks are kept in the artifact store until the content is complete and described."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Header, Request
from fastapi.concurrency import contextmanager_in_threadpool
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.access import audit, quotas
from app.access.audit import Action, Actor
from app.api.auth import WritePrincipal
from app.api.http.bodies import content_length, receive_file
from app.api.services import Services, ServicesDep
from app.datasets import uploads
from app.db.tables import DatasetRow
from app.errors import (
    ContentTooLarge,
    InvalidInput,
    MalformedRequest,
    NotFound,
    Problem,
    QuotaExceeded,
    RequestError,
    Unavailable,
    WrongOffset,
)
from app.ids import new_id
from app.spec.data.sources import UploadSource
from app.storage.protocol import ArtifactStore, PartRecord
from app.storage.removal import remove_files

P = ParamSpec("P")
R = TypeVar("R")

CONTENT_RANGE_PATTERN = r"^bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})$"


@dataclass(frozen=True, slots=True)
class UploadChunk:
    """A chunk of content in a temporary file."""

    path: Path
    start: int | None  # `None`: the complete content, which replaces earlier chunks
    size: int
    total_size: int


async def _receive_chunk(
    request: Request,
    who: WritePrincipal,
    services: ServicesDep,
    content_range: Annotated[
        str | None,
        Header(
            pattern=CONTENT_RANGE_PATTERN,
            description="bytes FIRST-LAST/SIZE of a chunk, or bytes */SIZE to finish; without it: all content.",
        ),
    ] = None,
) -> AsyncIterator[UploadChunk]:
    """Receive a body into a temporary file, which lives as long as the request.

    A chunk that does not come completely is dropped: what was received before it stays.
    """
    limit = services.settings.upload_limit
    start, size, total = _parse_content_range(content_range)
    if max(total or 0, content_length(request)) > limit:
        raise ContentTooLarge(f"at most {limit} bytes are allowed")
    coming = max((total or 0) - (start or 0), content_length(request))
    await run_in_threadpool(services.db.read, quotas.check_storage, who.owner, who.limits, coming)
    quota = await run_in_threadpool(services.db.read, quotas.remaining_storage, who.owner, who.limits)
    most = limit if quota is None else min(limit, quota)
    async with contextmanager_in_threadpool(services.spool.folder("upload")) as folder:
        path = folder / "piece"
        try:
            received = await receive_file(request, services, path, most)
        except ContentTooLarge:
            if quota is None or quota >= limit:
                raise
            raise QuotaExceeded(f"{quota} more bytes may be stored", hint="delete data sets or jobs") from None
        if size is not None and received != size:
            raise MalformedRequest(f"the chunk has {received} bytes, but its Content-Range says {size}")
        yield UploadChunk(path, start, received, total if total is not None else received)


def _parse_content_range(content_range: str | None) -> tuple[int | None, int | None, int | None]:
    """Return the start, the size, and the total size, in bytes, of a chunk."""
    if content_range is None:
        return None, None, None
    match = re.fullmatch(CONTENT_RANGE_PATTERN, content_range)
    if match is None:
        raise MalformedRequest("Content-Range is bytes FIRST-LAST/SIZE, or bytes */SIZE")
    total = int(match[3])
    if match[1] is None:
        return total, 0, total
    first, last = int(match[1]), int(match[2])
    if not first <= last < total:
        raise MalformedRequest(f"Content-Range {content_range} is not within {total} bytes")
    return first, last + 1 - first, total


UploadChunkDep = Annotated[UploadChunk, Depends(_receive_chunk)]


def store_chunk(services: Services, actor: Actor, dataset_id: str, piece: UploadChunk) -> DatasetRow:
    """Store a chunk; after the last one, describe the content and make the data set ready.

    Raises `WrongOffset`, `InvalidState`, `NotFound`, and `InvalidInput` for content that is not a data set.
    """
    owner = actor.owner
    row = services.db.read(uploads.find_for_upload, owner, dataset_id)
    if piece.start is None:
        return _finish(services, actor, row, piece.path)
    uploads.check_total(row, piece.total_size)
    if piece.start != row.size:
        raise WrongOffset(row.size)
    if piece.size:
        key = f"datasets/{dataset_id}/parts/{new_id('part')}"
        stored = services.store.put_file(key, piece.path)
        part: PartRecord = {"path": key, "size": stored.size, "sha256": stored.sha256, "total": piece.total_size}
        with _remove_file_on_error(services, key):
            row = services.db.run(
                _with_audit(actor, dataset_id, uploads.append_part), owner, dataset_id, piece.start, part
            )
    if row.size < piece.total_size:
        return row
    services.spool.check_room(row.size)
    content = piece.path.with_name("content")
    with content.open("wb") as file:
        for part in row.parts:
            _append_part(services.store, part, file)
    return _finish(services, actor, row, content)


def _append_part(store: ArtifactStore, part: PartRecord, file: BinaryIO) -> None:
    """Append a stored part to a file. Raises `Unavailable` if the store sends other bytes than it was given."""
    digest = hashlib.sha256()
    for chunk in store.read(part["path"]):
        digest.update(chunk)
        file.write(chunk)
    if part.get("sha256", digest.hexdigest()) != digest.hexdigest():
        detail = "the artifact store sent other bytes than were stored"
        raise Unavailable(detail, hint="finish again, with Content-Range: bytes */SIZE")


def _finish(services: Services, actor: Actor, row: DatasetRow, content_path: Path) -> DatasetRow:
    with content_path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    expected = row.source.get("sha256") or digest
    if digest != expected:
        detail = f"the content has the SHA-256 {digest}, expected was {expected}"
        raise _reject(services, actor, row, [Problem("", "digest_mismatch", detail, "upload it again")])
    reused = services.db.run(_reuse, actor, row.id, digest)
    if reused is not None:
        remove_files(services.store, reused[1])
        return reused[0]
    description = services.inspector.describe_upload(content_path, UploadSource.model_validate(row.source))
    if description.schema is None or description.format is None:
        raise _reject(services, actor, row, description.problems)
    key = f"contents/{digest}/{new_id('content')}"
    size = services.store.put_file(key, content_path).size
    content = uploads.DatasetContent(description.schema, description.preview, description.format, key, size, digest)
    with _remove_file_on_error(services, key):
        accepted, superfluous = services.db.run(_with_audit(actor, row.id, uploads.accept), row.owner, row.id, content)
    remove_files(services.store, superfluous)
    return accepted


def _with_audit(actor: Actor, dataset_id: str, unit: Callable[Concatenate[Session, P], R]) -> Callable[..., R]:
    return audit.with_audit(actor, Action.DATASET_UPLOAD, dataset_id, unit)


def _reuse(session: Session, actor: Actor, dataset_id: str, digest: str) -> tuple[DatasetRow, list[str]] | None:
    reused = uploads.reuse_content(session, actor.owner, dataset_id, digest)
    if reused is not None:
        audit.append(session, actor, Action.DATASET_UPLOAD, dataset_id)
    return reused


@contextmanager
def _remove_file_on_error(services: Services, key: str) -> Iterator[None]:
    """Remove a file that no row will list: another request was faster, or the data set is deleted."""
    try:
        yield
    except (NotFound, RequestError):
        remove_files(services.store, [key])
        raise


def _reject(
    services: Services, actor: Actor, row: DatasetRow, problems: list[Problem] | tuple[Problem, ...]
) -> InvalidInput:
    unit = _with_audit(actor, row.id, uploads.reject)
    remove_files(services.store, services.db.run(unit, row.owner, row.id, problems))
    return InvalidInput(problems)
