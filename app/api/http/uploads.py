"""Content of data sets on its way in: pieces are kept in the artifact store until the whole is there and described."""

import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Header, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.access import audit, quotas
from app.access.audit import Action, Actor
from app.api.auth import Writer
from app.api.http.bodies import told_length
from app.api.services import Part, Services
from app.datasets import registry
from app.db.tables import DatasetRow
from app.errors import InvalidInput, Malformed, NotFound, Problem, QuotaExceeded, Refused, TooLarge, WrongOffset
from app.ids import new_id
from app.spec.data.sources import UploadSource
from app.storage.removal import remove_files

P = ParamSpec("P")
R = TypeVar("R")

_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of content in a temporary file."""

    path: Path
    start: int | None  # `None`: it is the whole, and replaces what has arrived before
    size: int
    total: int


async def _piece(
    request: Request,
    who: Writer,
    services: Part,
    content_range: Annotated[
        str | None,
        Header(description="bytes FIRST-LAST/SIZE of a piece, or bytes */SIZE to finish; without: the whole."),
    ] = None,
) -> AsyncIterator[Piece]:
    """Receive a body into a temporary file, which lives as long as the request."""
    limit = services.settings.upload_limit
    start, size, total = _told(content_range)
    if max(total or 0, told_length(request)) > limit:
        raise TooLarge(f"at most {limit} bytes are allowed")
    coming = max((total or 0) - (start or 0), told_length(request))
    await run_in_threadpool(services.db.read, quotas.check_storage, who.owner, who.limits, coming)
    left = await run_in_threadpool(services.db.read, quotas.storage_left, who.owner, who.limits)
    with services.uploads.taken(), tempfile.TemporaryDirectory(prefix="graftwerk-upload-") as folder:
        path, received = Path(folder) / "piece", 0
        with path.open("wb") as file:
            async for chunk in request.stream():
                received += len(chunk)
                if received > limit:
                    raise TooLarge(f"at most {limit} bytes are allowed")
                if left is not None and received > left:
                    raise QuotaExceeded(f"{left} more bytes may be stored", hint="delete data sets or jobs")
                file.write(chunk)
        if size is not None and received != size:
            raise Malformed(f"the piece has {received} bytes, its Content-Range says {size}")
        yield Piece(path, start, received, total if total is not None else received)


def _told(content_range: str | None) -> tuple[int | None, int | None, int | None]:
    """Return start, size and total of a piece."""
    if content_range is None:
        return None, None, None
    found = _RANGE.fullmatch(content_range.strip())
    if found is None:
        raise Malformed("Content-Range is bytes FIRST-LAST/SIZE, or bytes */SIZE")
    total = int(found[3])
    if found[1] is None:
        return total, 0, total
    first, last = int(found[1]), int(found[2])
    if not first <= last < total:
        raise Malformed(f"Content-Range {content_range} is no stretch of {total} bytes")
    return first, last + 1 - first, total


Incoming = Annotated[Piece, Depends(_piece)]


def receive(services: Services, actor: Actor, dataset_id: str, piece: Piece) -> DatasetRow:
    """Take a piece; with the last one, describe the whole and make the data set ready.

    Raises `WrongOffset`, `StateForbids`, `NotFound`, and `InvalidInput` for content that is no data set.
    """
    owner = actor.owner
    row = services.db.read(registry.awaiting, owner, dataset_id)
    if piece.start is None:
        return _finish(services, actor, row, piece.path)
    if piece.start != row.size:
        raise WrongOffset(row.size)
    if piece.size:
        key = f"datasets/{dataset_id}/parts/{new_id('part')}"
        stored = services.store.put_file(key, piece.path)
        part = {"path": key, "size": stored.size}
        with _forgotten_if_refused(services, key):
            row = services.db.run(_noted(actor, dataset_id, registry.extend), owner, dataset_id, piece.start, part)
    if row.size < piece.total:
        return row
    whole = piece.path.with_name("whole")
    with whole.open("wb") as file:
        for part in row.parts:
            for chunk in services.store.read(part["path"]):
                file.write(chunk)
    return _finish(services, actor, row, whole)


def _finish(services: Services, actor: Actor, row: DatasetRow, whole: Path) -> DatasetRow:
    with whole.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = row.source.get("sha256") or digest
    if digest != wanted:
        detail = f"the content has the SHA-256 {digest}, {wanted} was told"
        raise _rejected(services, actor, row, [Problem("", "digest_mismatch", detail, "upload it again")])
    reused = services.db.run(_reuse, actor, row.id, digest)
    if reused is not None:
        remove_files(services.store, reused[1])
        return reused[0]
    found = services.inspector.describe(whole, UploadSource.model_validate(row.source))
    if found.schema is None or found.format is None:
        raise _rejected(services, actor, row, found.problems)
    key = f"contents/{digest}/{new_id('content')}"
    size = services.store.put_file(key, whole).size
    content = registry.Content(found.schema, found.preview, found.format, key, size, digest)
    with _forgotten_if_refused(services, key):
        accepted, superfluous = services.db.run(_noted(actor, row.id, registry.accept), row.owner, row.id, content)
    remove_files(services.store, superfluous)
    return accepted


def _noted(actor: Actor, dataset_id: str, unit: Callable[Concatenate[Session, P], R]) -> Callable[..., R]:
    return audit.noted(actor, Action.DATASET_UPLOAD, dataset_id, unit)


def _reuse(session: Session, actor: Actor, dataset_id: str, digest: str) -> tuple[DatasetRow, list[str]] | None:
    found = registry.reuse(session, actor.owner, dataset_id, digest)
    if found is not None:
        audit.append(session, actor, Action.DATASET_UPLOAD, dataset_id)
    return found


@contextmanager
def _forgotten_if_refused(services: Services, key: str) -> Iterator[None]:
    """Remove a file that no row will name: another request was faster, or the data set is gone."""
    try:
        yield
    except (NotFound, Refused):
        remove_files(services.store, [key])
        raise


def _rejected(
    services: Services, actor: Actor, row: DatasetRow, problems: list[Problem] | tuple[Problem, ...]
) -> InvalidInput:
    unit = _noted(actor, row.id, registry.reject)
    remove_files(services.store, services.db.run(unit, row.owner, row.id, problems))
    return InvalidInput(problems)
