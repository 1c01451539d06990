"""Paginated lists of the service."""

from collections.abc import Iterator, Mapping
from typing import Any

from graftwerk.http.transport import Transport


def paginate(transport: Transport, path: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every item of a list; each page is requested when its first item is needed."""
    query = dict(params or {})
    while True:
        page = transport.json("GET", path, params=query)
        yield from page["items"]
        if not page.get("has_more"):
            return
        query["after"] = page["items"][-1]["id"]
