"""Stored files as responses: complete, a range, or 304."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.responses import Response, StreamingResponse

from app.api.http.parameters import IfMatch, IfNoneMatch, PreconditionFailed, etag_matches, etag_satisfies
from app.api.openapi.routes import route_responses
from app.errors import RangeNotSatisfiable
from app.storage.protocol import ArtifactStore

DOWNLOAD_MEDIA_TYPES = ("application/octet-stream", "text/x-python")
MEDIA_TYPES = {"model.py": "text/x-python; charset=utf-8", "bundle.zip": "application/zip"}
FILE_HEAD_RESPONSES = route_responses(200, None, 304, 404, 412, media=DOWNLOAD_MEDIA_TYPES)
FILE_RESPONSES = FILE_HEAD_RESPONSES | route_responses(206, None, 416, media=DOWNLOAD_MEDIA_TYPES)
_ONE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileRequest:
    """The headers of a request that select a part or a version of a file."""

    method: str
    range_: str | None
    if_range: str | None
    if_none_match: str | None
    if_match: str | None = None


async def _file_request(
    request: Request,
    range_: Annotated[
        str | None, Header(alias="Range", description="bytes=FIRST-LAST: a part of the file, 206 then.")
    ] = None,
    if_range: Annotated[
        str | None, Header(description="The ETag that the range is of; for any other the complete file is sent.")
    ] = None,
    if_none_match: IfNoneMatch = None,
    if_match: IfMatch = None,
) -> FileRequest:
    return FileRequest(request.method, range_, if_range, if_none_match, if_match)


FileRequestDep = Annotated[FileRequest, Depends(_file_request)]


def file_response(
    store: ArtifactStore, file: Mapping[str, Any], request: FileRequest, headers_to_add: Mapping[str, str] | None = None
) -> Response:
    """Return a response with a stored file {name, path, size, sha256}.

    Raises `NotFound`, `PreconditionFailed`, `RangeNotSatisfiable`.
    """
    headers = _file_headers(file) | dict(headers_to_add or {})
    if not etag_satisfies(headers["ETag"], request.if_match):
        raise PreconditionFailed(f"the file is {headers['ETag']}", hint="download it anew, from the beginning")
    if etag_matches(headers["ETag"], request.if_none_match):
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    partial = request.method == "GET" and request.if_range in (None, headers["ETag"])  # RFC 9110
    requested = _parse_range(request.range_, file["size"]) if partial else None
    start, stop = requested or (0, file["size"])
    if requested is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file['size']}"
    headers["Content-Length"] = str(stop - start)
    status = 200 if requested is None else 206
    if request.method == "HEAD":
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
    """Return [start, stop) of a single range; `None` for none, or for one that RFC 9110 lets a server ignore.

    Raises `RangeNotSatisfiable`.
    """
    match = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header is not None else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":  # a suffix
        start, stop = max(0, size - int(match[2])), size
    else:
        start, stop = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
        if match[2] and int(match[2]) < start:
            return None
    if start >= stop:
        raise RangeNotSatisfiable(size)
    return start, stop
