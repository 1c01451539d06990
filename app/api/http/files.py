"""A stored file as an answer: whole, a range of it, or that the client has it already."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.responses import Response, StreamingResponse

from app.api.http.parameters import IfNoneMatch, etag_matches
from app.api.openapi.routes import route_responses
from app.errors import RangeNotSatisfiable
from app.storage.protocol import ArtifactStore

DOWNLOAD_MEDIA_TYPES = ("application/octet-stream", "text/x-python")
MEDIA_TYPES = {"model.py": "text/x-python; charset=utf-8", "bundle.zip": "application/zip"}
FILE_HEAD_RESPONSES = route_responses(200, None, 304, 404, media=DOWNLOAD_MEDIA_TYPES)
FILE_RESPONSES = FILE_HEAD_RESPONSES | route_responses(206, None, 416, media=DOWNLOAD_MEDIA_TYPES)
_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What the client wants of a file, and what it has."""

    method: str
    range_: str | None
    if_range: str | None
    if_none_match: str | None


def _file_request(
    request: Request,
    range_: Annotated[
        str | None, Header(alias="Range", description="bytes=FIRST-LAST: a part of the file, 206 then.")
    ] = None,
    if_range: Annotated[
        str | None, Header(description="The ETag that the range is of; for another the whole is sent.")
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> FileRequest:
    return FileRequest(request.method, range_, if_range, if_none_match)


FileRequestDep = Annotated[FileRequest, Depends(_file_request)]


def file_response(
    store: ArtifactStore, file: Mapping[str, Any], wanted: FileRequest, more: Mapping[str, str] | None = None
) -> Response:
    """Answer with a stored file {name, path, size, sha256}, with `more` headers. Raises `NotFound`, `RangeOutside`."""
    headers = _file_headers(file) | dict(more or {})
    if etag_matches(headers["ETag"], wanted.if_none_match):
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    partial = wanted.method == "GET" and wanted.if_range in (None, headers["ETag"])  # only GET knows ranges (RFC 9110)
    asked = _parse_range(wanted.range_, file["size"]) if partial else None
    start, stop = asked or (0, file["size"])
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file['size']}"
    headers["Content-Length"] = str(stop - start)
    status = 200 if asked is None else 206
    if wanted.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=headers["Content-Type"])
    return StreamingResponse(store.read(file["path"], start, stop), status, headers=headers)


def _file_headers(file: Mapping[str, Any]) -> dict[str, str]:
    return {
        "ETag": f'"{file["sha256"]}"',
        "Accept-Ranges": "bytes",
        "Content-Type": MEDIA_TYPES.get(file["name"], "application/octet-stream"),
        "Content-Disposition": f'attachment; filename="{file["name"]}"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }


def _parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return [start, stop) of a single range; `None` for none, or for what RFC 9110 lets a server ignore.

    Raises `RangeOutside`.
    """
    found = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header is not None else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":  # the last so many bytes
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < start:
            return None
    if start >= stop:
        raise RangeNotSatisfiable(size)
    return start, stop
